#include "repartee/net/byte_stream.hpp"

#include "../../support/run_coroutine.hpp"
#include "../../support/tls_contexts.hpp"
#include "repartee/net/listener.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/net/tls_context.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

using namespace repartee;
using namespace std::chrono_literals;
using net::ByteStream;
using net::Listener;
using net::Signal;
using net::TaskGroup;
using net::TlsContext;
using repartee::testing::run_coroutine;
using repartee::testing::tls_contexts;

namespace {

constexpr auto ample = 10s;

struct Pair {
    ByteStream client, server;
    Pair(ByteStream c, ByteStream s) : client(std::move(c)), server(std::move(s)) {}
};

awaitable<Pair> tcp_pair()
{
    const auto executor = co_await asio::this_coro::executor;
    net::HostPort where;
    where.host = "127.0.0.1";
    auto listener = Listener::bind(executor, where);
    auto client = co_await ByteStream::connect("127.0.0.1", std::to_string(listener->port()), ample);
    auto accepted = co_await listener->accept();
    auto server = ByteStream::adopt_tcp(executor, accepted.value());
    co_return Pair(std::move(client.value()), std::move(server));
}

awaitable<void> keep_result(Task<> operation, std::optional<Result<void>>& result)
{
    auto outcome = co_await std::move(operation);
    result.emplace(std::move(outcome));
}

awaitable<void> keep_read(Task<std::size_t> read, std::optional<Result<std::size_t>>& result)
{
    auto outcome = co_await std::move(read);
    result.emplace(std::move(outcome));
}

awaitable<void> secure(ByteStream& client, ByteStream& server)
{
    const auto executor = co_await asio::this_coro::executor;
    TaskGroup group(executor, "handshake");
    std::optional<Result<void>> at_server, at_client;
    group.spawn(keep_result(server.tls_handshake_as_server(tls_contexts().server, ample), at_server));
    group.spawn(keep_result(client.tls_handshake_as_client(tls_contexts().client, "localhost", ample), at_client));
    co_await group.wait_all();
    at_server->value();
    at_client->value();
}

awaitable<Pair> connected_pair(bool tls)
{
    auto pair = co_await tcp_pair();
    if (tls) co_await secure(pair.client, pair.server);
    co_return pair;
}

awaitable<void> turns(int count)
{
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < count; ++i) co_await asio::post(executor, asio::use_awaitable);
}

/// Bytes that show a loss, a swap or a repetition anywhere.
std::string pattern(std::size_t bytes, std::uint32_t seed)
{
    std::string text(bytes, '\0');
    for (char& c : text) {
        seed = seed * 1664525 + 1013904223;
        c = static_cast<char>(seed >> 24);
    }
    return text;
}

awaitable<Result<std::string>> read_exactly(ByteStream& stream, std::size_t bytes, std::size_t piece_max = 20'000)
{
    std::string text;
    std::vector<std::byte> buffer(piece_max);
    while (text.size() < bytes) {
        const std::span<std::byte> room(buffer.data(), std::min(piece_max, bytes - text.size()));
        const auto n = co_await stream.read_some(room);
        if (!n) co_return n.error();
        text.append(reinterpret_cast<const char*>(buffer.data()), *n);
    }
    co_return text;
}

awaitable<void> keep_text(awaitable<Result<std::string>> read, std::optional<Result<std::string>>& result)
{
    auto outcome = co_await std::move(read);
    result.emplace(std::move(outcome));
}

awaitable<Code> end_of(ByteStream& stream)
{
    std::vector<std::byte> buffer(4096);
    for (;;) {
        const auto n = co_await stream.read_some(buffer);
        if (!n) co_return n.error().code;
    }
}

}  // namespace

TEST_CASE("Large transfers both ways at once arrive whole and in order")
{
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    const auto to_server = pattern(3'000'001, 1), to_client = pattern(2'000'003, 2);
    std::optional<Result<void>> client_wrote, server_wrote;
    std::optional<Result<std::string>> client_read, server_read;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = co_await connected_pair(tls);
        TaskGroup group(executor, "transfer");
        group.spawn(keep_result(pair.client.write(to_server), client_wrote));
        group.spawn(keep_result(pair.server.write(to_client), server_wrote));
        group.spawn(keep_text(read_exactly(pair.client, to_client.size(), 5'003), client_read));
        group.spawn(keep_text(read_exactly(pair.server, to_server.size()), server_read));
        co_await group.wait_all();
    };
    run_coroutine(body());
    CHECK(client_wrote->has_value());
    CHECK(server_wrote->has_value());
    CHECK((client_read->value() == to_client));
    CHECK((server_read->value() == to_server));
}

TEST_CASE("A stream knows its peer and its kind")
{
    const bool tls = GENERATE(false, true);
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = co_await connected_pair(tls);
        CHECK(pair.client.remote_address() == "127.0.0.1");
        CHECK(pair.server.remote_address() == "127.0.0.1");
        CHECK(pair.client.is_open());
        CHECK(pair.client.is_tls() == tls);
        CHECK(pair.server.is_tls() == tls);
        CHECK(pair.client.executor() == executor);
    };
    run_coroutine(body());
}

TEST_CASE("The peer's end is told as closed, to reads and then to writes")
{
    const bool tls = GENERATE(false, true);
    const auto body = [&]() -> awaitable<std::pair<Code, Code>> {
        auto pair = co_await connected_pair(tls);
        pair.server.close();
        const Code at_read = co_await end_of(pair.client);
        Code at_write = Code::ok;
        const auto bytes = pattern(100'000, 3);
        while (at_write == Code::ok) {
            const auto written = co_await pair.client.write(bytes);
            if (!written) at_write = written.error().code;
        }
        co_return std::pair(at_read, at_write);
    };
    const auto [at_read, at_write] = run_coroutine(body());
    CHECK(at_read == Code::closed);
    CHECK(at_write == Code::closed);
}

TEST_CASE("Closing, or destroying, ends outstanding reads and writes")
{
    const bool tls = GENERATE(false, true);
    const bool destroy = GENERATE(false, true);
    const auto bytes = pattern(20'000'000, 4);  // more than the sockets hold
    std::optional<Result<std::size_t>> read;
    std::optional<Result<void>> written;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = co_await connected_pair(tls);
        std::vector<std::byte> buffer(100);
        TaskGroup group(executor, "outstanding");
        group.spawn(keep_read(pair.client.read_some(buffer), read));
        group.spawn(keep_result(pair.client.write(bytes), written));
        co_await turns(20);
        CHECK_FALSE(read.has_value());
        CHECK_FALSE(written.has_value());
        if (destroy) {
            pair.client = ByteStream();
        } else {
            pair.client.close();
        }
        CHECK_FALSE(pair.client.is_open());
        co_await group.wait_all();
    };
    run_coroutine(body());
    CHECK(read->error().code == Code::closed);
    CHECK(written->error().code == Code::closed);
}

TEST_CASE("A stream may move while it is read from")
{
    const bool tls = GENERATE(false, true);
    std::optional<Result<std::size_t>> read;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = co_await connected_pair(tls);
        std::vector<std::byte> buffer(100);
        TaskGroup group(executor, "outstanding");
        group.spawn(keep_read(pair.client.read_some(buffer), read));
        ByteStream moved = std::move(pair.client);
        const auto written = co_await pair.server.write("hello");
        CHECK(written.has_value());
        co_await group.wait_all();
        CHECK(moved.is_open());
    };
    run_coroutine(body());
    CHECK(read->value() == 5);
}

TEST_CASE("Cancelling a read leaves an outstanding write and the stream alone")
{
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    const auto bytes = pattern(20'000'000, 5);
    std::optional<Result<std::size_t>> read;
    std::optional<Result<void>> written;
    std::optional<Result<std::string>> received;
    std::string answer;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = co_await connected_pair(tls);
        std::vector<std::byte> buffer(100);
        TaskGroup writing(executor, "writing");
        writing.spawn(keep_result(pair.client.write(bytes), written));
        for (int i = 0; i < 10; ++i) {
            TaskGroup reading(executor, "reading");
            read.reset();
            reading.spawn(keep_read(pair.client.read_some(buffer), read));
            co_await turns(i);
            pair.client.cancel_read();
            co_await reading.wait_all();
            CHECK(read->error().code == Code::cancelled);
        }
        CHECK_FALSE(written.has_value());
        writing.spawn(keep_text(read_exactly(pair.server, bytes.size()), received));
        co_await writing.wait_all();
        const auto answered = co_await pair.server.write("after the cancellations");
        CHECK(answered.has_value());
        auto text = co_await read_exactly(pair.client, 23);
        answer = text.value();
    };
    run_coroutine(body());
    CHECK(written->has_value());
    CHECK((received->value() == bytes));
    CHECK(answer == "after the cancellations");
}

TEST_CASE("Cancelling without an outstanding read does nothing to the next one")
{
    const bool tls = GENERATE(false, true);
    const auto body = [&]() -> awaitable<std::string> {
        auto pair = co_await connected_pair(tls);
        pair.client.cancel_read();
        const auto written = co_await pair.server.write("still here");
        CHECK(written.has_value());
        auto text = co_await read_exactly(pair.client, 10);
        pair.client.cancel_read();
        co_return text.value();
    };
    CHECK(run_coroutine(body()) == "still here");
}

namespace {

/// Hands bytes on in small pieces, with turns between, so that TLS records arrive cut anywhere.
awaitable<void> relay_in_pieces(ByteStream& from, ByteStream& to, std::size_t piece_max)
{
    std::vector<std::byte> buffer(piece_max);
    for (;;) {
        const auto n = co_await from.read_some(buffer);
        if (!n) break;
        const std::span<const std::byte> piece(buffer.data(), *n);
        const auto written = co_await to.write(piece);
        if (!written) break;
        co_await turns(3);
    }
    to.close();
}

/// Reads everything, with every read in danger of being cancelled after some turns.
awaitable<void> read_with_cancellations(ByteStream& stream, std::size_t bytes, std::string& text, int& cancellations)
{
    const auto executor = co_await asio::this_coro::executor;
    std::vector<std::byte> buffer(700);
    for (int patience = 0; text.size() < bytes; patience = (patience + 1) % 23) {
        TaskGroup reading(executor, "reading");
        std::optional<Result<std::size_t>> read;
        reading.spawn(keep_read(stream.read_some(buffer), read));
        co_await turns(patience);
        stream.cancel_read();
        co_await reading.wait_all();
        if (read->has_value()) {
            text.append(reinterpret_cast<const char*>(buffer.data()), **read);
            continue;
        }
        if (read->error().code != Code::cancelled) break;
        ++cancellations;
    }
}

}  // namespace

TEST_CASE("Cancelled reads lose no byte, wherever a TLS record is cut")
{
    const bool tls = GENERATE(false, true);
    const auto piece_max = GENERATE(std::size_t{3}, std::size_t{100}, std::size_t{4000});
    CAPTURE(tls, piece_max);
    const auto bytes = pattern(piece_max * 300, 6);
    std::string text;
    int cancellations = 0;
    std::optional<Result<void>> written;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto near = co_await tcp_pair();
        auto far = co_await tcp_pair();
        TaskGroup relays(executor, "relays");
        relays.spawn(relay_in_pieces(far.client, near.server, piece_max));
        relays.spawn(relay_in_pieces(near.server, far.client, 5000));
        if (tls) co_await secure(near.client, far.server);
        relays.spawn(keep_result(far.server.write(bytes), written));
        co_await read_with_cancellations(near.client, bytes.size(), text, cancellations);
        near.client.close();
        far.server.close();
        co_await relays.wait_all();
    };
    run_coroutine(body());
    CHECK(written->has_value());
    CHECK((text == bytes));
    CHECK(cancellations > 0);
}

TEST_CASE("An orderly shutdown delivers the last words although bytes of the peer are unread")
{
    const bool tls = GENERATE(false, true);
    std::optional<Result<std::string>> last_words;
    Code end = Code::ok;
    const auto unread = pattern(50'000, 7);
    const auto serve = [&](ByteStream& stream) -> awaitable<void> {
        co_await keep_text(read_exactly(stream, 10), last_words);
        end = co_await end_of(stream);
        stream.close();
    };
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = co_await connected_pair(tls);
        const auto sent = co_await pair.server.write(unread);
        CHECK(sent.has_value());
        const auto said = co_await pair.client.write("last words");
        CHECK(said.has_value());
        TaskGroup group(executor, "server");
        group.spawn(serve(pair.server));
        co_await pair.client.shutdown(ample);
        CHECK_FALSE(pair.client.is_open());
        co_await group.wait_all();
    };
    run_coroutine(body());
    CHECK(last_words->value() == "last words");
    CHECK(end == Code::closed);
}

TEST_CASE("A shutdown is bounded when the peer does not close, and ends an outstanding read")
{
    const bool tls = GENERATE(false, true);
    std::optional<Result<std::size_t>> read;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = co_await connected_pair(tls);
        std::vector<std::byte> buffer(10);
        TaskGroup group(executor, "reader");
        group.spawn(keep_read(pair.client.read_some(buffer), read));
        co_await turns(3);
        co_await pair.client.shutdown(20ms);
        CHECK_FALSE(pair.client.is_open());
        co_await group.wait_all();
        co_await pair.client.shutdown(20ms);
    };
    run_coroutine(body());
    CHECK(read->error().code == Code::closed);
}

TEST_CASE("A stream that was never connected answers closed")
{
    const auto body = []() -> awaitable<std::vector<Code>> {
        const auto executor = co_await asio::this_coro::executor;
        ByteStream never;
        ByteStream bad = ByteStream::adopt_tcp(executor, -1);
        std::vector<std::byte> buffer(1);
        std::vector<Code> codes;
        const auto read = co_await never.read_some(buffer);
        codes.push_back(read.error().code);
        const auto written = co_await never.write("x");
        codes.push_back(written.error().code);
        const auto secured = co_await never.tls_handshake_as_server(tls_contexts().server, ample);
        codes.push_back(secured.error().code);
        co_await never.shutdown(ample);
        never.close();
        never.cancel_read();
        CHECK_FALSE(never.is_open());
        CHECK(never.remote_address().empty());
        CHECK_FALSE(bad.is_open());
        co_return codes;
    };
    CHECK(run_coroutine(body()) == std::vector<Code>(3, Code::closed));
}

namespace {

/// A TCP socket of our own on a free port; `backlog` -1: bound, but not listening.
struct RawSocket {
    int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string port;

    explicit RawSocket(int backlog)
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
        if (backlog >= 0) ::listen(fd, backlog);
        socklen_t length = sizeof address;
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
        port = std::to_string(ntohs(address.sin_port));
    }
    ~RawSocket() { ::close(fd); }
    RawSocket(const RawSocket&) = delete;
};

awaitable<std::optional<Error>> error_of_connect(std::string host, std::string port, std::chrono::milliseconds limit)
{
    auto stream = co_await ByteStream::connect(host, port, limit);
    if (stream) co_return std::nullopt;
    co_return stream.error();
}

}  // namespace

TEST_CASE("A refused connection names the address and the cause")
{
    const RawSocket not_listening(-1);
    const auto error = run_coroutine(error_of_connect("127.0.0.1", not_listening.port, ample));
    REQUIRE(error);
    CHECK(error->code == Code::closed);
    CHECK_THAT(error->message, Catch::StartsWith("Could not reach 127.0.0.1:" + not_listening.port + ": Connection refused."));
}

TEST_CASE("A connection that nobody answers ends at its limit")
{
    const RawSocket full(0);
    const auto body = [&]() -> awaitable<std::optional<Error>> {
        std::vector<ByteStream> queued;
        for (int i = 0; i < 20; ++i) {
            auto stream = co_await ByteStream::connect("127.0.0.1", full.port, 50ms);
            if (!stream) co_return stream.error();
            queued.push_back(std::move(*stream));
        }
        co_return std::nullopt;
    };
    const auto error = run_coroutine(body());
    REQUIRE(error);
    CHECK(error->code == Code::timeout);
    CHECK_THAT(error->message, Catch::Contains("50 ms"));
}

TEST_CASE("A port that is none is refused, and localhost is resolved")
{
    for (const char* port : {"", "0", "65536", "http", "80x", "-1"}) {
        const auto error = run_coroutine(error_of_connect("127.0.0.1", port, ample));
        REQUIRE(error);
        CHECK(error->code == Code::invalid_value);
    }
    const RawSocket listening(5);
    CHECK_FALSE(run_coroutine(error_of_connect("localhost", listening.port, ample)));
}
