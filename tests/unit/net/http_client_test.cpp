#include "repartee/net/http_client.hpp"

#include "../../support/run_coroutine.hpp"
#include "repartee/net/listener.hpp"
#include "repartee/net/task_group.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <vector>

using namespace repartee;
using namespace std::chrono_literals;
using net::ByteStream;
using net::HttpRequest;
using net::Listener;
using net::Response;
using net::TaskGroup;
using net::TlsContext;
using repartee::testing::run_coroutine;

namespace {

constexpr std::size_t body_max = 1 << 20;
constexpr auto ample = 10s;

struct Scene {
    std::string answer;                  ///< what the server sends, whatever it is asked
    std::size_t piece_bytes = 100'000;   ///< cut into pieces of this size
    bool close_at_end = true;
    HttpRequest request;
    std::size_t body_bytes_max = body_max;
    std::chrono::milliseconds limit = ample;
    const TlsContext* server_tls = nullptr;
    const TlsContext* client_tls = nullptr;
    std::string received = {};           ///< the server's view of the request
};

awaitable<void> turns(int count)
{
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < count; ++i) co_await asio::post(executor, asio::use_awaitable);
}

bool request_is_whole(const std::string& text, std::size_t body_bytes)
{
    const auto end = text.find("\r\n\r\n");
    return end != std::string::npos && text.size() >= end + 4 + body_bytes;
}

awaitable<void> read_request(ByteStream& stream, Scene& scene)
{
    std::vector<std::byte> buffer(4096);
    while (!request_is_whole(scene.received, scene.request.body.size())) {
        const auto n = co_await stream.read_some(buffer);
        if (!n) co_return;
        scene.received.append(reinterpret_cast<const char*>(buffer.data()), *n);
    }
}

awaitable<void> serve(Listener& listener, Scene& scene)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto accepted = co_await listener.accept();
    if (!accepted) co_return;
    auto stream = ByteStream::adopt_tcp(executor, *accepted);
    if (scene.server_tls) {
        const auto secured = co_await stream.tls_handshake_as_server(*scene.server_tls, ample);
        if (!secured) co_return;
    }
    co_await read_request(stream, scene);
    for (std::size_t at = 0; at < scene.answer.size(); at += scene.piece_bytes) {
        const auto piece = std::string_view(scene.answer).substr(at, scene.piece_bytes);
        const auto written = co_await stream.write(piece);
        if (!written) co_return;
        co_await turns(2);
    }
    if (scene.close_at_end) co_return;
    std::vector<std::byte> buffer(1);
    const auto end = co_await stream.read_some(buffer);
    static_cast<void>(end);
}

awaitable<Result<Response>> play(Scene& scene)
{
    const auto executor = co_await asio::this_coro::executor;
    net::HostPort where;
    where.host = "127.0.0.1";
    auto listener = Listener::bind(executor, where);
    scene.request.url.port = std::to_string(listener->port());
    TaskGroup group(executor, "server");
    group.spawn(serve(*listener, scene));
    auto response = co_await net::http_request(scene.request, scene.client_tls, scene.body_bytes_max, scene.limit);
    listener->close();
    co_await group.wait_all();
    co_return response;
}

Scene scene_with(std::string answer)
{
    Scene scene;
    scene.answer = std::move(answer);
    scene.request.url = net::parse_url("http://127.0.0.1/things?a=b").value();
    return scene;
}

std::string header_of(const Response& response, std::string_view name)
{
    for (const auto& [each, value] : response.headers)
        if (each == name) return value;
    return "(absent)";
}

}  // namespace

TEST_CASE("A request has its line, host, headers and body, and asks to close")
{
    auto scene = scene_with("HTTP/1.1 204 No Content\r\n\r\n");
    scene.request.method = "POST";
    scene.request.headers = {{"Authorization", "Bearer abc"}, {"Content-Type", "application/json"}};
    scene.request.body = "{\"a\":1}";
    const auto response = run_coroutine(play(scene));
    REQUIRE(response.has_value());
    CHECK(response->status == 204);
    CHECK(response->body.empty());
    CHECK(scene.received ==
          "POST /things?a=b HTTP/1.1\r\nHost: 127.0.0.1:" + scene.request.url.port +
              "\r\nConnection: close\r\nAuthorization: Bearer abc\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
}

TEST_CASE("Answers are read with a length, in chunks, or to the end, however they are cut")
{
    struct Row {
        const char *answer, *body;
        int status;
    };
    const Row rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Thing: A b\r\n\r\nhello", "hello", 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Thing: A b\r\n\r\n3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: x\r\n\r\n",
         "hello", 200},
        {"HTTP/1.1 404 Not Found\r\nX-THING: A b\r\n\r\nhello", "hello", 404},
        {"HTTP/1.0 500 Oops\r\nx-thing: A b\r\n\r\n", "", 500},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nX-Thing: A b\r\nContent-Length: "
         "2\r\n\r\nok",
         "ok", 201},
    };
    const auto piece_bytes = GENERATE(std::size_t{1}, std::size_t{7}, std::size_t{1000});
    for (const auto& row : rows) {
        CAPTURE(row.answer, piece_bytes);
        auto scene = scene_with(row.answer);
        scene.piece_bytes = piece_bytes;
        const auto response = run_coroutine(play(scene));
        REQUIRE(response.has_value());
        CHECK(response->status == row.status);
        CHECK(response->body == row.body);
        CHECK(header_of(*response, "x-thing") == "A b");
    }
}

TEST_CASE("A complete answer does not wait for the server to close")
{
    auto scene = scene_with("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    scene.close_at_end = false;
    CHECK(run_coroutine(play(scene)).value().body == "ok");

    auto head = scene_with("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    head.close_at_end = false;
    head.request.method = "HEAD";
    const auto response = run_coroutine(play(head));
    REQUIRE(response.has_value());
    CHECK(response->body.empty());
    CHECK(header_of(*response, "content-length") == "1000");
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
        auto over = scene_with(answer);
        over.body_bytes_max = 999;
        const auto refused = run_coroutine(play(over));
        REQUIRE(refused.has_error());
        CHECK(refused.error().code == Code::too_large);
        auto just = scene_with(answer);
        just.body_bytes_max = 1000;
        CHECK(run_coroutine(play(just)).value().body == body);
    }
}

TEST_CASE("Answers that are cut short or malformed are told apart")
{
    struct Row {
        const char* answer;
        Code code;
    };
    const Row rows[] = {
        {"", Code::closed},
        {"HTTP/1.1 200 OK\r\nContent-Le", Code::closed},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", Code::closed},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", Code::closed},
        {"HTTP/1.1 100 Continue\r\n\r\n", Code::closed},
        {"SSH-2.0-OpenSSH_9.2\r\n", Code::protocol},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Code::protocol},
        {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Code::protocol},
        {"HTTP/1.1 2OO OK\r\n\r\n", Code::protocol},
    };
    for (const auto& row : rows) {
        CAPTURE(row.answer);
        auto scene = scene_with(row.answer);
        const auto response = run_coroutine(play(scene));
        REQUIRE(response.has_error());
        CHECK(response.error().code == row.code);
    }
    auto endless = scene_with("HTTP/1.1 200 OK\r\nX: " + std::string(200'000, 'x'));
    CHECK(run_coroutine(play(endless)).error().code == Code::protocol);
    std::string interim;
    for (int i = 0; i < 20; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
    auto never_final = scene_with(interim);
    CHECK(run_coroutine(play(never_final)).error().code == Code::protocol);
}

TEST_CASE("A request ends at its limit when the server does not answer in time")
{
    auto scene = scene_with(GENERATE("", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"));
    scene.close_at_end = false;
    scene.limit = 50ms;
    const auto response = run_coroutine(play(scene));
    REQUIRE(response.has_error());
    CHECK(response.error().code == Code::timeout);
    CHECK_THAT(response.error().message, Catch::Contains("50 ms"));
}

TEST_CASE("https verifies the server")
{
    char name[] = "/tmp/repartee-http-XXXXXX";
    const std::string folder = ::mkdtemp(name);
    const auto files = net::ensure_self_signed(folder).value();
    const auto server = TlsContext::server(files.certificate_file, files.key_file).value();
    const auto trusting = TlsContext::client(files.certificate_file).value();
    const auto strict = TlsContext::client({}).value();
    std::filesystem::remove_all(folder);

    auto scene = scene_with("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret");
    scene.request.url.scheme = "https";
    scene.server_tls = &server;
    scene.client_tls = &trusting;
    CHECK(run_coroutine(play(scene)).value().body == "secret");
    scene.client_tls = &strict;
    CHECK(run_coroutine(play(scene)).error().code == Code::tls);
}

TEST_CASE("What would break the request is refused before anything is sent")
{
    const auto refused = [](auto change) {
        HttpRequest request;
        request.url = net::parse_url("http://127.0.0.1:1/").value();
        change(request);
        const auto body = [&]() -> awaitable<Result<Response>> {
            auto response = co_await net::http_request(request, nullptr, body_max, ample);
            co_return response;
        };
        return run_coroutine(body()).error();
    };
    CHECK(refused([](HttpRequest& r) { r.headers = {{"X", "secret\r\nInjected: yes"}}; }).code == Code::invalid_value);
    CHECK_THAT(refused([](HttpRequest& r) { r.headers = {{"X", "secret\n"}}; }).message, !Catch::Contains("secret"));
    CHECK(refused([](HttpRequest& r) { r.headers = {{"X:", "y"}}; }).code == Code::invalid_value);
    CHECK(refused([](HttpRequest& r) { r.method = "GET /"; }).code == Code::invalid_value);
    CHECK(refused([](HttpRequest& r) { r.url.target = "/a b"; }).code == Code::invalid_value);
    CHECK(refused([](HttpRequest& r) { r.url.scheme = "wss"; }).code == Code::invalid_value);
    CHECK(refused([](HttpRequest& r) { r.url.scheme = "https"; }).code == Code::not_configured);
}
