#include "repartee/net/http_client.hpp"

#include "../../support/run_coroutine.hpp"
#include "scripted_server.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

using namespace repartee;
using namespace std::chrono_literals;
using net::ByteStream;
using net::HttpAnswer;
using net::HttpClient;
using net::HttpRequest;
using net::HttpTimes;
using net::TlsContext;
using testing::answer_all;
using testing::peer_ends;
using testing::read_request;
using testing::run_coroutine;
using testing::ScriptedServer;
using testing::TestTls;
using testing::turns;
using Script = ScriptedServer::Script;

namespace {

constexpr std::size_t body_max = 20 << 20;
const std::string hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

struct Fetched {
    int status = 0;
    std::string body, thing;
};

/// A server, a client, and what happened.
struct Scene {
    Metrics metrics;
    ScriptedServer server;
    std::optional<HttpClient> client;
    HttpTimes times{};
    std::stop_source stop{};
    std::shared_ptr<const TlsContext> tls{};

    Scene(asio::any_io_executor executor, std::vector<Script> scripts, const TlsContext* server_tls = nullptr, net::HttpClientSettings settings = {})
        : server(executor, std::move(scripts), server_tls)
    {
        client.emplace(executor, std::move(settings), metrics);
    }

    HttpRequest request(std::string method = "GET", std::string body = {}) const
    {
        HttpRequest made;
        made.method = std::move(method);
        made.url = net::parse_url((tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + server.port() + "/things?a=b").value();
        made.body = std::move(body);
        return made;
    }

    Task<HttpAnswer> send(HttpRequest made) { return client->send(std::move(made), tls, times, stop.get_token()); }

    Task<Fetched> fetch(HttpRequest made, std::size_t bytes_max = body_max)
    {
        auto answer = co_await send(std::move(made));
        if (!answer) co_return answer.error();
        Fetched fetched;
        fetched.status = answer->status();
        fetched.thing = answer->header("x-thing");
        auto body = co_await answer->read_all(bytes_max);
        if (!body) co_return body.error();
        fetched.body = *body;
        co_return fetched;
    }

    awaitable<void> end()
    {
        client.reset();
        co_await server.end();
    }
};

/// One request to a server with this script.
Result<Fetched> fetch_once(Script script, std::string method = "GET", std::size_t bytes_max = body_max)
{
    const auto test = [&]() -> Task<Fetched> {
        const auto executor = co_await asio::this_coro::executor;
        Scene scene(executor, std::vector<Script>(1, script));
        HttpRequest request = scene.request(method);
        auto fetched = co_await scene.fetch(std::move(request), bytes_max);
        co_await scene.end();
        co_return fetched;
    };
    return run_coroutine(test());
}

Script answer_and_close(std::string answer, std::size_t piece_bytes = 100'000)
{
    return [answer, piece_bytes](ByteStream& stream) -> awaitable<void> {
        const std::string text = answer;
        const std::size_t step = piece_bytes;
        const std::string request = co_await read_request(stream);
        for (std::size_t at = 0; at < text.size(); at += step) {
            const auto piece = std::string_view(text).substr(at, step);
            const auto written = co_await stream.write(piece);
            if (!written) co_return;
            co_await turns(2);
        }
    };
}

/// A listener whose queue is full: connecting to it neither succeeds nor fails.
struct FullListener {
    int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::vector<int> fillers;
    int port = 0;

    FullListener()
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        auto* const generic = reinterpret_cast<sockaddr*>(&address);
        if (::bind(listener, generic, length) != 0 || ::listen(listener, 0) != 0) throw std::runtime_error("no listener");
        ::getsockname(listener, generic, &length);
        port = ntohs(address.sin_port);
        for (int i = 0; i < 4; ++i) {
            fillers.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            ::connect(fillers.back(), generic, length);
        }
    }
    ~FullListener()
    {
        for (const int each : fillers) ::close(each);
        ::close(listener);
    }
    FullListener(const FullListener&) = delete;
    FullListener& operator=(const FullListener&) = delete;
};

/// A body that is made while it is sent. Twice only when it may be.
class CountedBody : public net::BodySource {
public:
    CountedBody(std::vector<std::string> pieces, std::optional<std::uint64_t> promised, bool can_rewind)
        : pieces_(std::move(pieces)), promised_(promised), can_rewind_(can_rewind)
    {
    }
    std::optional<std::uint64_t> bytes() const override { return promised_; }
    Task<std::string_view> next() override
    {
        co_await turns(1);
        if (at_ == pieces_.size()) co_return std::string_view();
        if (pieces_[at_] == "fail") co_return Error{Code::storage, "The recording is gone."};
        co_return std::string_view(pieces_[at_++]);
    }
    bool rewind() override
    {
        if (can_rewind_) at_ = 0;
        return can_rewind_;
    }

private:
    std::vector<std::string> pieces_;
    std::optional<std::uint64_t> promised_;
    bool can_rewind_;
    std::size_t at_ = 0;
};

}  // namespace

TEST_CASE("A request has its line, host, headers and body, and keeps the connection")
{
    std::string received;
    const auto test = [&]() -> Task<Fetched> {
        const auto executor = co_await asio::this_coro::executor;
        const Script script = [&](ByteStream& stream) -> awaitable<void> {
            received = co_await read_request(stream);
            co_await stream.write("HTTP/1.1 204 No Content\r\n\r\n");
        };
        Scene scene(executor, std::vector<Script>(1, script));
        auto request = scene.request("POST", "{\"a\":1}");
        request.headers.emplace_back("Authorization", "Bearer abc");
        request.headers.emplace_back("Content-Type", "application/json");
        auto fetched = co_await scene.fetch(std::move(request));
        received.replace(received.find(scene.server.port()), scene.server.port().size(), "PORT");
        co_await scene.end();
        co_return fetched;
    };
    const auto fetched = run_coroutine(test());
    REQUIRE(fetched.has_value());
    CHECK(fetched->status == 204);
    CHECK(fetched->body.empty());
    CHECK(received ==
          "POST /things?a=b HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nAuthorization: Bearer abc\r\nContent-Type: application/json\r\nContent-Length: "
          "7\r\n\r\n{\"a\":1}");
}

TEST_CASE("Answers are read with a length, in chunks, or to the end, however they are cut")
{
    struct Row {
        const char *answer, *body;
        int status;
    };
    const Row rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing: A b\r\n\r\nhello", "hello", 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Thing: A b\r\n\r\n3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: x\r\n\r\n", "hello", 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Thing: A b\r\n\r\n1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n",
         "hello", 200},
        {"HTTP/1.1 404 Not Found\r\nX-THING: A b\r\n\r\nhello", "hello", 404},
        {"HTTP/1.0 500 Oops\r\nx-thing: A b\r\n\r\n", "", 500},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nX-Thing: A b\r\n"
         "Content-Length: 2\r\n\r\nok",
         "ok", 201},
    };
    const auto piece_bytes = GENERATE(std::size_t{1}, std::size_t{7}, std::size_t{1000});
    for (const auto& row : rows) {
        CAPTURE(row.answer, piece_bytes);
        const auto fetched = fetch_once(answer_and_close(row.answer, piece_bytes));
        REQUIRE(fetched.has_value());
        CHECK(fetched->status == row.status);
        CHECK(fetched->body == row.body);
        CHECK(fetched->thing == "A b");
    }
}

TEST_CASE("A complete answer does not wait for the server to close")
{
    CHECK(fetch_once(answer_all("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")).value().body == "ok");
    const auto head = fetch_once(answer_all("HTTP/1.1 200 OK\r\nX-Thing: y\r\nContent-Length: 1000\r\n\r\n"), "HEAD");
    REQUIRE(head.has_value());
    CHECK(head->body.empty());
    CHECK(head->thing == "y");
}

TEST_CASE("A body over the limit is refused, whether its length is announced or not; one at the limit is not")
{
    const std::string body(1000, 'x');
    const std::string answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + body,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + body + "\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n" + body,
    };
    for (const auto& answer : answers) {
        CAPTURE(answer.substr(0, 50));
        const auto refused = fetch_once(answer_and_close(answer), "GET", 999);
        REQUIRE(refused.has_error());
        CHECK(refused.error().code == Code::too_large);
        CHECK(fetch_once(answer_and_close(answer), "GET", 1000).value().body == body);
    }
}

TEST_CASE("Answers that are cut short or malformed are told apart")
{
    struct Row {
        std::string answer;
        Code code;
    };
    std::string interim;
    for (int i = 0; i < 20; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
    const Row rows[] = {
        {"", Code::closed},
        {"HTTP/1.1 200 OK\r\nContent-Le", Code::closed},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", Code::closed},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", Code::closed},
        {"HTTP/1.1 100 Continue\r\n\r\n", Code::closed},
        {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nhello", Code::closed},
        {"SSH-2.0-OpenSSH_9.2\r\n", Code::protocol},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Code::protocol},
        {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Code::protocol},
        {"HTTP/1.1 2OO OK\r\n\r\n", Code::protocol},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Code::protocol},
        {"HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x'), Code::protocol},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + std::string(200'000, 'x'), Code::protocol},
        {interim, Code::protocol},
    };
    for (const auto& row : rows) {
        CAPTURE(row.answer.substr(0, 100));
        const auto fetched = fetch_once(answer_and_close(row.answer));
        REQUIRE(fetched.has_error());
        CHECK(fetched.error().code == row.code);
    }
}

TEST_CASE("A connection is used again, in the clear and over TLS")
{
    const bool secure = GENERATE(false, true);
    const TestTls tls;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        Scene scene(executor, std::vector<Script>(1, answer_all(hello)), secure ? tls.server.get() : nullptr);
        if (secure) scene.tls = tls.trusting;
        for (int i = 0; i < 3; ++i) {
            auto request = scene.request("POST", "body");
            const auto fetched = co_await scene.fetch(std::move(request));
            REQUIRE(fetched.has_value());
            CHECK(fetched->body == "hello");
            CHECK(scene.client->idle_connections() == 1);
        }
        CHECK(scene.server.accepted() == 1);
        CHECK(scene.metrics.provider_connects_total.value() == 1);
        CHECK(scene.metrics.provider_connections_reused_total.value() == 2);
        co_await scene.end();
    };
    run_coroutine(test());
}

TEST_CASE("A connection that cannot carry another request is not kept")
{
    const std::string answers[] = {
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n",
    };
    for (const auto& answer : answers) {
        CAPTURE(answer);
        const auto test = [&]() -> awaitable<void> {
            const auto executor = co_await asio::this_coro::executor;
            Scene scene(executor, std::vector<Script>(1, answer_all(answer)));
            for (int i = 0; i < 2; ++i) {
                auto request = scene.request();
                const auto fetched = co_await scene.fetch(std::move(request));
                REQUIRE(fetched.has_value());
                CHECK(fetched->body == "hello");
                CHECK(scene.client->idle_connections() == 0);
            }
            CHECK(scene.server.accepted() == 2);
            co_await scene.end();
        };
        run_coroutine(test());
    }
}

TEST_CASE("An answer dropped before its end closes its connection")
{
    bool seen = false;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const Script script = [&](ByteStream& stream) -> awaitable<void> {
            const std::string request = co_await read_request(stream);
            co_await stream.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
            seen = co_await peer_ends(stream);
        };
        Scene scene(executor, std::vector<Script>(1, script));
        {
            auto request = scene.request();
            auto answer = co_await scene.send(std::move(request));
            REQUIRE(answer.has_value());
            const auto piece = co_await answer->read();
            REQUIRE(piece.has_value());
            CHECK(*piece == "hello");
        }
        CHECK(scene.client->idle_connections() == 0);
        co_await scene.server.end();
    };
    run_coroutine(test());
    CHECK(seen);
}

TEST_CASE("A kept connection that proves closed is replaced once, when the body can begin anew")
{
    struct Row {
        const char* what;
        bool chunked, can_rewind, source;
    };
    const Row rows[] = {{"text", false, true, false}, {"source", false, true, true}, {"chunks", true, true, true}, {"once", true, false, true}};
    for (const auto& row : rows) {
        CAPTURE(row.what);
        std::string repeated;
        const auto test = [&]() -> awaitable<void> {
            const auto executor = co_await asio::this_coro::executor;
            // Takes the second request and ends without a byte, as a server does whose idle limit is just over.
            const Script first = [](ByteStream& stream) -> awaitable<void> {
                std::string request = co_await read_request(stream);
                co_await stream.write(hello);
                request = co_await read_request(stream);
            };
            const Script second = [&](ByteStream& stream) -> awaitable<void> {
                repeated = co_await read_request(stream);
                co_await stream.write(hello);
                co_await peer_ends(stream);
            };
            std::vector<Script> scripts;
            scripts.push_back(first);
            scripts.push_back(second);
            Scene scene(executor, std::move(scripts));
            auto warm = scene.request();
            const auto warmed = co_await scene.fetch(std::move(warm));
            REQUIRE(warmed.has_value());

            auto request = scene.request("POST", row.source ? "" : "one two");
            std::vector<std::string> pieces;
            pieces.push_back("one ");
            pieces.push_back("two");
            std::optional<std::uint64_t> promised;
            if (!row.chunked) promised = 7;
            if (row.source) request.source = std::make_shared<CountedBody>(std::move(pieces), promised, row.can_rewind);
            const auto fetched = co_await scene.fetch(std::move(request));
            if (row.can_rewind) {
                REQUIRE(fetched.has_value());
                CHECK(fetched->body == "hello");
                CHECK_THAT(repeated, Catch::EndsWith(row.chunked ? "\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n" : "\r\n\r\none two"));
                CHECK(scene.server.accepted() == 2);
            } else {
                REQUIRE(fetched.has_error());
                CHECK(fetched.error().code == Code::closed);
                CHECK(scene.server.accepted() == 1);
            }
            CHECK(scene.metrics.provider_connections_reused_total.value() == 0);
            co_await scene.end();
        };
        run_coroutine(test());
    }
}

TEST_CASE("A fresh connection that closes, and a kept one that closes amid its answer, are not repeated")
{
    const bool kept = GENERATE(false, true);
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const Script script = [&](ByteStream& stream) -> awaitable<void> {
            std::string request = co_await read_request(stream);
            if (!kept) co_return;
            co_await stream.write(hello);
            request = co_await read_request(stream);
            co_await stream.write("HTTP/1.1 2");
        };
        Scene scene(executor, std::vector<Script>(1, script));
        if (kept) {
            auto warm = scene.request();
            const auto warmed = co_await scene.fetch(std::move(warm));
            REQUIRE(warmed.has_value());
        }
        auto request = scene.request();
        const auto fetched = co_await scene.fetch(std::move(request));
        REQUIRE(fetched.has_error());
        CHECK(fetched.error().code == Code::closed);
        CHECK(scene.server.accepted() == 1);
        co_await scene.end();
    };
    run_coroutine(test());
}

TEST_CASE("A body comes from a source in pieces; its failure is the request's, its length is its promise")
{
    struct Row {
        const char* what;
        std::vector<std::string> pieces;
        std::optional<std::uint64_t> promised;
        Code code;
    };
    const std::string large(200'000, 'x');
    const Row rows[] = {
        {"length", {large, "tail"}, 200'004, Code::ok},      {"chunks", {large, "tail"}, std::nullopt, Code::ok},
        {"nothing", {}, 0, Code::ok},                         {"no chunks", {}, std::nullopt, Code::ok},
        {"failure", {"a", "fail"}, std::nullopt, Code::storage}, {"too short", {"a"}, 2, Code::internal},
        {"too long", {"a", "bc"}, 2, Code::internal},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what);
        std::string received;
        const auto test = [&]() -> awaitable<void> {
            const auto executor = co_await asio::this_coro::executor;
            const Script script = [&](ByteStream& stream) -> awaitable<void> {
                received = co_await read_request(stream);
                co_await stream.write(hello);
                co_await peer_ends(stream);
            };
            Scene scene(executor, std::vector<Script>(1, script));
            auto request = scene.request("POST");
            request.source = std::make_shared<CountedBody>(row.pieces, row.promised, true);
            const auto fetched = co_await scene.fetch(std::move(request));
            if (row.code == Code::ok) {
                REQUIRE(fetched.has_value());
                std::string expected;
                for (const auto& piece : row.pieces)
                    expected += row.promised ? piece : fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
                if (!row.promised) expected += "0\r\n\r\n";
                CHECK(received.substr(received.find("\r\n\r\n") + 4) == expected);
                CHECK(scene.client->idle_connections() == 1);
            } else {
                REQUIRE(fetched.has_error());
                CHECK(fetched.error().code == row.code);
                CHECK(scene.client->idle_connections() == 0);
            }
            co_await scene.end();
        };
        run_coroutine(test());
    }
    std::vector<std::string> pieces{"ab", "", "c"};
    const auto body = net::body_of(pieces);
    CHECK(body->bytes() == 3);
}

TEST_CASE("An answer that comes while the body is still sent counts, and ends the sending")
{
    const bool drains = GENERATE(false, true);
    CAPTURE(drains);
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const Script script = [&](ByteStream& stream) -> awaitable<void> {
            std::vector<std::byte> buffer(1000);
            const auto n = co_await stream.read_some(buffer);
            REQUIRE(n.has_value());
            co_await stream.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
            if (drains)
                co_await peer_ends(stream);
            else
                co_await stream.shutdown(1s);
        };
        Scene scene(executor, std::vector<Script>(1, script));
        auto request = scene.request("POST", std::string(10'000'000, 'x'));
        const auto fetched = co_await scene.fetch(std::move(request));
        REQUIRE(fetched.has_value());
        CHECK(fetched->status == 413);
        CHECK(fetched->body == "big");
        CHECK(scene.client->idle_connections() == 0);
        co_await scene.end();
    };
    run_coroutine(test());
}

TEST_CASE("A large answer is handed out in small pieces, and waits for its reader")
{
    std::string body(10'000'000, '\0');
    for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 + i / 251);
    bool all_written = false;
    const auto test = [&]() -> awaitable<std::string> {
        const auto executor = co_await asio::this_coro::executor;
        const Script script = [&](ByteStream& stream) -> awaitable<void> {
            const std::string request = co_await read_request(stream);
            co_await stream.write("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n");
            const auto written = co_await stream.write(body);
            all_written = written.has_value();
            co_await peer_ends(stream);
        };
        Scene scene(executor, std::vector<Script>(1, script));
        auto request = scene.request();
        auto answer = co_await scene.send(std::move(request));
        REQUIRE(answer.has_value());
        co_await turns(200);
        CHECK(!all_written);
        std::string all;
        for (;;) {
            const auto piece = co_await answer->read();
            REQUIRE(piece.has_value());
            if (piece->empty()) break;
            CHECK(piece->size() <= 16 << 10);
            all += *piece;
        }
        const auto behind = co_await answer->read();
        CHECK(behind.value().empty());
        co_await scene.end();
        co_return all;
    };
    CHECK(run_coroutine(test()) == body);
}

TEST_CASE("Every stage has its limit, and says so")
{
    struct Row {
        const char* what;
        const char* message;
        std::function<void(HttpTimes&)> set;
        std::string answer;  ///< and then nothing more
        std::size_t body_bytes;
    };
    const auto limit = 40ms;
    const Row rows[] = {
        {"first byte", "did not begin to answer within 40 ms", [&](HttpTimes& t) { t.first_byte = limit; }, "", 0},
        {"amid the header", "sent nothing for 40 ms", [&](HttpTimes& t) { t.idle = limit; }, "HTTP/1.1 200", 0},
        {"amid the body", "sent nothing for 40 ms", [&](HttpTimes& t) { t.idle = limit; }, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 0},
        {"in all", "was not done within 40 ms", [&](HttpTimes& t) { t.total = limit; }, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", 0},
        {"sending", "took nothing of the request for 40 ms", [&](HttpTimes& t) { t.send_idle = limit; }, "", 20'000'000},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what);
        const auto test = [&]() -> awaitable<void> {
            const auto executor = co_await asio::this_coro::executor;
            const Script script = [&](ByteStream& stream) -> awaitable<void> {
                co_await stream.write(row.answer);
                while (stream.is_open() && row.body_bytes > 0) co_await turns(1);
                if (row.body_bytes == 0) co_await peer_ends(stream);
            };
            Scene scene(executor, std::vector<Script>(1, script));
            row.set(scene.times);
            auto request = scene.request("POST", std::string(row.body_bytes, 'x'));
            const auto fetched = co_await scene.fetch(std::move(request));
            REQUIRE(fetched.has_error());
            CHECK(fetched.error().code == Code::timeout);
            CHECK_THAT(fetched.error().message, Catch::Contains(row.message));
        };
        run_coroutine(test());
    }
}

TEST_CASE("An answer that never ends, drop by drop, ends at the limit for the whole; also while nobody reads")
{
    const bool reads = GENERATE(true, false);
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const Script script = [](ByteStream& stream) -> awaitable<void> {
            const std::string request = co_await read_request(stream);
            auto written = co_await stream.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while (written) {
                written = co_await stream.write("1\r\nx\r\n");
                co_await turns(3);
            }
        };
        Scene scene(executor, std::vector<Script>(1, script));
        scene.times.total = 60ms;
        auto request = scene.request();
        auto answer = co_await scene.send(std::move(request));
        REQUIRE(answer.has_value());
        if (!reads) co_await scene.server.end();  // its write fails when the client has given up
        for (;;) {
            const auto piece = co_await answer->read();
            if (piece) continue;
            CHECK(piece.error().code == Code::timeout);
            break;
        }
        const auto again = co_await answer->read();
        CHECK(again.error().code == Code::timeout);
    };
    run_coroutine(test());
}

TEST_CASE("Connecting has a limit, through a full listen queue and amid TLS")
{
    const TestTls tls;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const FullListener full;
        Scene scene(executor, std::vector<Script>(1, [](ByteStream& stream) -> awaitable<void> { co_await peer_ends(stream); }));
        scene.times.connect = 40ms;
        auto request = scene.request();
        request.url.port = std::to_string(full.port);
        const auto unreachable = co_await scene.fetch(std::move(request));
        REQUIRE(unreachable.has_error());
        CHECK(unreachable.error().code == Code::timeout);
        CHECK_THAT(unreachable.error().message, Catch::Contains("40 ms"));

        scene.tls = tls.trusting;
        auto secure = scene.request();
        const auto silent = co_await scene.fetch(std::move(secure));
        REQUIRE(silent.has_error());
        CHECK(silent.error().code == Code::timeout);
        co_await scene.end();
    };
    run_coroutine(test());
}

TEST_CASE("A stop ends a request in every stage, and the server sees it go")
{
    enum class Stage { before, connect, tls, send, header, body, between };
    const auto stage = GENERATE(Stage::before, Stage::connect, Stage::tls, Stage::send, Stage::header, Stage::body, Stage::between);
    CAPTURE(static_cast<int>(stage));
    const TestTls tls;
    bool seen = false;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const FullListener full;
        std::optional<Scene> scene;
        bool reached = false;
        const Script script = [&](ByteStream& stream) -> awaitable<void> {
            if (stage == Stage::send || stage == Stage::tls) {
                std::vector<std::byte> buffer(1);
                const auto n = co_await stream.read_some(buffer);
                REQUIRE(n.has_value());
                co_await turns(50);
            } else {
                const std::string request = co_await read_request(stream);
                if (stage != Stage::header) co_await stream.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello");
                co_await turns(20);
            }
            reached = true;
            if (stage != Stage::between) scene->stop.request_stop();
            seen = co_await peer_ends(stream);
        };
        scene.emplace(executor, std::vector<Script>(1, script));
        if (stage == Stage::tls) scene->tls = tls.trusting;
        auto request = scene->request("POST", std::string(stage == Stage::send ? 20'000'000 : 3, 'x'));
        net::TaskGroup group(executor, "stopper");
        const auto stop_later = [&]() -> awaitable<void> {
            co_await turns(20);
            scene->stop.request_stop();
        };
        if (stage == Stage::connect) {
            request.url.port = std::to_string(full.port);
            group.spawn(stop_later());
        }
        if (stage == Stage::before) scene->stop.request_stop();
        const auto begun = std::chrono::steady_clock::now();
        auto answer = co_await scene->send(std::move(request));
        auto outcome = Result<std::string>(std::string());
        if (answer) {
            if (stage == Stage::between) {
                while (!reached) co_await turns(1);
                scene->stop.request_stop();
            }
            outcome = co_await answer->read_all(body_max);
        } else {
            outcome = answer.error();
        }
        REQUIRE(outcome.has_error());
        CHECK(outcome.error().code == Code::cancelled);
        CHECK(std::chrono::steady_clock::now() - begun < 3s);
        CHECK(scene->client->idle_connections() == 0);
        co_await group.wait_all();
        co_await scene->server.end();
        const bool connected = stage != Stage::before && stage != Stage::connect;
        CHECK(seen == connected);
    };
    run_coroutine(test());
}

TEST_CASE("Idle connections are bounded and closed after a while")
{
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        net::HttpClientSettings settings;
        settings.idle_connections_max = 2;
        settings.idle_limit = 30ms;
        Scene scene(executor, std::vector<Script>(1, answer_all(hello)), nullptr, settings);
        {
            std::vector<HttpAnswer> answers;
            for (int i = 0; i < 4; ++i) {
                auto request = scene.request();
                request.url.target = "/";
                auto answer = co_await scene.send(std::move(request));
                REQUIRE(answer.has_value());
                answers.push_back(std::move(*answer));
            }
        }
        CHECK(scene.client->idle_connections() >= 1);
        CHECK(scene.client->idle_connections() <= 2);
        while (scene.client->idle_connections() > 0) co_await turns(1);
        co_await scene.server.end();
    };
    run_coroutine(test());
}

TEST_CASE("The client may go before its requests")
{
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const Script script = [](ByteStream& stream) -> awaitable<void> {
            const std::string request = co_await read_request(stream);
            co_await stream.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
            co_await turns(20);
            co_await stream.write("llo");
            co_await peer_ends(stream);
        };
        Scene scene(executor, std::vector<Script>(1, script));
        auto request = scene.request();
        auto answer = co_await scene.send(std::move(request));
        scene.client.reset();
        REQUIRE(answer.has_value());
        const auto body = co_await answer->read_all(100);
        REQUIRE(body.has_value());
        CHECK(*body == "hello");
        co_await scene.server.end();
    };
    run_coroutine(test());
}

TEST_CASE("https verifies the server")
{
    const TestTls tls;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        Scene scene(executor, std::vector<Script>(1, answer_all(hello)), tls.server.get());
        scene.tls = tls.trusting;
        auto trusted = scene.request();
        const auto secret = co_await scene.fetch(std::move(trusted));
        CHECK(secret.value().body == "hello");
        scene.tls = tls.strict;
        auto untrusted = scene.request();
        const auto refused = co_await scene.fetch(std::move(untrusted));
        CHECK(refused.error().code == Code::tls);
        co_await scene.end();
    };
    run_coroutine(test());
}

TEST_CASE("What would break the request is refused before anything is sent")
{
    const auto refused = [](auto change) {
        HttpRequest request;
        request.url = net::parse_url("http://127.0.0.1:1/").value();
        change(request);
        const auto body = [&]() -> awaitable<Error> {
            const auto executor = co_await asio::this_coro::executor;
            Metrics metrics;
            HttpClient client(executor, {}, metrics);
            const HttpTimes times;
            auto answer = co_await client.send(request, nullptr, times, std::stop_token());
            co_return answer.error();
        };
        return run_coroutine(body());
    };
    CHECK(refused([](HttpRequest& r) { r.headers = {{"X", "secret\r\nInjected: yes"}}; }).code == Code::invalid_value);
    CHECK_THAT(refused([](HttpRequest& r) { r.headers = {{"X", "secret\n"}}; }).message, !Catch::Contains("secret"));
    CHECK(refused([](HttpRequest& r) { r.headers = {{"X:", "y"}}; }).code == Code::invalid_value);
    CHECK(refused([](HttpRequest& r) { r.method = "GET /"; }).code == Code::invalid_value);
    CHECK(refused([](HttpRequest& r) { r.url.target = "/a b"; }).code == Code::invalid_value);
    CHECK(refused([](HttpRequest& r) { r.url.scheme = "wss"; }).code == Code::invalid_value);
    CHECK(refused([](HttpRequest& r) { r.url.scheme = "https"; }).code == Code::not_configured);
    CHECK(refused([](HttpRequest&) {}).code == Code::closed);
}
