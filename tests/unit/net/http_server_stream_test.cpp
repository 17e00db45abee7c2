#include "repartee/net/http_server.hpp"

#include "../../support/run_coroutine.hpp"
#include "../../support/tcp_pair.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <optional>

using namespace repartee;
using namespace repartee::net;
using namespace std::chrono_literals;
using testing::run_coroutine;
using testing::tcp_pair;

namespace {

std::string as_text(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Up to and with `end`, or what there was.
awaitable<std::string> read_until(ByteStream& stream, std::string_view end)
{
    std::string all;
    std::vector<std::byte> buffer(1);
    while (end.empty() || !all.ends_with(end)) {
        const auto n = co_await stream.read_some(buffer);
        if (n.has_error()) co_return all;
        all += as_text(buffer);
    }
    co_return all;
}

awaitable<void> turns(int count)
{
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < count; ++i) co_await asio::post(executor, asio::use_awaitable);
}

/// A client before the server; `test` is the client.
template <class Test>
void serve(const Handler& handler, HttpLimits limits, Test test, int buffer_bytes = 0)
{
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor, buffer_bytes);
        TaskGroup group(executor, "server");
        group.spawn(serve_http(std::move(pair.far), handler, limits));
        awaitable<void> run = test(pair.near);
        co_await std::move(run);
        pair.near.close();
        co_await group.wait_all();
    };
    run_coroutine(body());
}

/// All that comes back for this.
std::string answer_to(std::string wire, const Handler& handler, HttpLimits limits = {})
{
    std::string all;
    serve(handler, limits, [&](ByteStream& client) -> awaitable<void> {
        co_await client.write(wire);
        all = co_await read_until(client, "");
    });
    return all;
}

Handler streaming(std::function<awaitable<bool>(BodyWriter&)> stream)
{
    return [stream](Request) -> awaitable<Reply> {
        Response response;
        response.headers.emplace_back("Content-Type", "audio/mpeg");
        response.headers.emplace_back("Content-Length", "7");
        response.stream = stream;
        co_return Reply(std::move(response));
    };
}

awaitable<bool> one_two(BodyWriter& writer)
{
    const auto one = co_await writer.write("one");
    const auto nothing = co_await writer.write("");
    const auto two = co_await writer.write("twotwotwotwotwotwo");
    co_return one && nothing && two;
}

const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string get_last = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const std::string chunks = "3\r\none\r\n12\r\ntwotwotwotwotwotwo\r\n0\r\n\r\n";

std::string body_of_answer(const std::string& wire) { return wire.substr(wire.find("\r\n\r\n") + 4); }

}  // namespace

TEST_CASE("A streamed answer comes in chunks, and the connection goes on")
{
    const std::string all = answer_to(get + get_last, streaming(one_two));
    CHECK_THAT(all, Catch::StartsWith("HTTP/1.1 200 OK\r\n"));
    CHECK(all.find("Content-Length") == std::string::npos);
    CHECK(all.find("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n" + chunks + "HTTP/1.1 200 OK") != std::string::npos);
    CHECK_THAT(all, Catch::EndsWith("Connection: close\r\n\r\n" + chunks));
}

TEST_CASE("HTTP/1.0 gets the bytes up to the end of the connection, HEAD gets none")
{
    const std::string old = answer_to("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", streaming([](BodyWriter& writer) -> awaitable<bool> {
        writer.add_trailer("X-End", "dropped");
        const bool whole = co_await one_two(writer);
        co_return whole;
    }));
    CHECK(old.find("Transfer-Encoding") == std::string::npos);
    CHECK_THAT(old, Catch::Contains("Connection: close"));
    CHECK(body_of_answer(old) == "onetwotwotwotwotwotwo");

    bool asked = false;
    const std::string head = answer_to("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + get_last, streaming([&](BodyWriter& writer) -> awaitable<bool> {
        CHECK(!asked);
        asked = true;
        const bool whole = co_await one_two(writer);
        co_return whole;
    }));
    CHECK(head.find("chunked\r\nConnection: keep-alive\r\n\r\nHTTP/1.1 200") != std::string::npos);
}

TEST_CASE("Each piece arrives when it is written, the head with the first")
{
    std::optional<Signal> go;
    const Handler handler = streaming([&](BodyWriter& writer) -> awaitable<bool> {
        const char* const pieces[] = {"first", "second"};
        for (const char* piece : pieces) {
            co_await go->wait();
            const auto written = co_await writer.write(piece);
            if (!written) co_return false;
        }
        co_await go->wait();
        co_return true;
    });
    serve(handler, {}, [&](ByteStream& client) -> awaitable<void> {
        go.emplace(client.executor());
        co_await client.write(get);
        co_await turns(20);
        std::byte byte;
        const auto early = client.try_read(std::span(&byte, 1));
        CHECK(early.value() == 0);
        go->notify();
        std::string all = co_await read_until(client, "5\r\nfirst\r\n");
        CHECK_THAT(all, Catch::StartsWith("HTTP/1.1 200"));
        go->notify();
        all = co_await read_until(client, "6\r\nsecond\r\n");
        CHECK(all == "6\r\nsecond\r\n");
        go->notify();
        all = co_await read_until(client, "0\r\n\r\n");
        CHECK(all == "0\r\n\r\n");
        go.reset();
    });
}

TEST_CASE("Trailers follow the body, and cannot smuggle")
{
    const std::string all = answer_to(get_last, streaming([](BodyWriter& writer) -> awaitable<bool> {
        const auto written = co_await writer.write("x");
        writer.add_trailer("X-Reply-Text", "hello\r\nX-Evil: 1");
        writer.add_trailer("Content-Length", "5");
        co_return written.has_value();
    }));
    CHECK(body_of_answer(all) == "1\r\nx\r\n0\r\nX-Reply-Text: hello  X-Evil: 1\r\n\r\n");
}

TEST_CASE("An answer without a byte is an empty one")
{
    const std::string all = answer_to(get_last, streaming([](BodyWriter&) -> awaitable<bool> { co_return true; }));
    CHECK(body_of_answer(all) == "0\r\n\r\n");
}

TEST_CASE("A large piece arrives whole")
{
    const std::string large(300'000, 'x');
    const std::string all = answer_to("GET / HTTP/1.0\r\n\r\n", streaming([&](BodyWriter& writer) -> awaitable<bool> {
        const auto written = co_await writer.write(large);
        co_return written.has_value();
    }));
    CHECK(body_of_answer(all) == large);
}

TEST_CASE("An answer that fails is cut, which the client sees; before its first byte it is a 500")
{
    const bool throws = GENERATE(false, true), begins = GENERATE(false, true);
    CAPTURE(throws, begins);
    const std::string all = answer_to(get + get, streaming([&](BodyWriter& writer) -> awaitable<bool> {
        if (begins) co_await writer.write("half");
        if (throws) throw std::runtime_error("secret detail");
        co_return false;
    }));
    if (begins) {
        CHECK(body_of_answer(all) == "4\r\nhalf\r\n");
    } else {
        CHECK_THAT(all, Catch::StartsWith("HTTP/1.1 500"));
        CHECK_THAT(all, Catch::Contains("Connection: close") && !Catch::Contains("secret"));
        CHECK(all.find("HTTP/1.1", 10) == std::string::npos);
    }
}

TEST_CASE("A client that takes nothing is given up, and the writer hears of it")
{
    Code code = Code::ok, again = Code::ok;
    const Handler handler = streaming([&](BodyWriter& writer) -> awaitable<bool> {
        const std::string piece(100'000, 'x');
        for (;;) {
            const auto written = co_await writer.write(piece);
            if (written) continue;
            code = written.error().code;
            break;
        }
        const auto refused = co_await writer.write("x");
        again = refused.error().code;
        co_return false;
    });
    HttpLimits limits;
    limits.write_limit = 50ms;
    serve(
        handler, limits,
        [&](ByteStream& client) -> awaitable<void> {
            co_await client.write(get);
            while (code == Code::ok || again == Code::ok) co_await turns(1);
        },
        4096);
    CHECK(code == Code::slow_client);
    CHECK(again == Code::slow_client);
}

TEST_CASE("A client that leaves is noticed while its answer is made: before the first byte, and amid")
{
    const bool amid = GENERATE(false, true);
    const bool half = GENERATE(false, true);
    CAPTURE(amid, half);
    std::optional<Signal> left;
    bool gone = false, waiting = false;
    const auto wait_for_the_end = [&](std::stop_token token) -> awaitable<void> {
        const auto notify = [&] { left->notify(); };
        const std::stop_callback on_stop(token, notify);
        waiting = true;
        co_await left->wait();
        gone = token.stop_requested();
    };
    const Handler handler = [&](Request request) -> awaitable<Reply> {
        CHECK(!request.gone.stop_requested());
        Response response;
        if (!amid) {
            co_await wait_for_the_end(request.gone);
            co_return Reply(std::move(response));
        }
        const auto stream = [&wait_for_the_end, token = request.gone](BodyWriter& writer) -> awaitable<bool> {
            const auto written = co_await writer.write("x");
            co_await wait_for_the_end(token);
            co_return written.has_value();
        };
        response.stream = stream;
        co_return Reply(std::move(response));
    };
    const auto begun = std::chrono::steady_clock::now();
    serve(handler, {}, [&](ByteStream& client) -> awaitable<void> {
        left.emplace(client.executor());
        co_await client.write(get);
        while (!waiting) co_await turns(1);
        CHECK(!gone);
        if (half)
            co_await client.shutdown(1s);
        else
            client.close();
        while (!gone) co_await turns(1);
        left.reset();
    });
    CHECK(std::chrono::steady_clock::now() - begun < 3s);
}

TEST_CASE("Requests that come while an answer is streamed wait their turn, more than fits too")
{
    int asked = 0;
    const Handler handler = [&](Request request) -> awaitable<Reply> {
        ++asked;
        Response response;
        response.stream = [path = request.path](BodyWriter& writer) -> awaitable<bool> {
            const std::string text = path;
            co_await turns(30);
            const auto written = co_await writer.write(text);
            co_return written.has_value();
        };
        co_return Reply(std::move(response));
    };
    HttpLimits limits;
    limits.header_bytes_max = 300;
    std::string wire, expected;
    for (int i = 0; i < 40; ++i) wire += fmt::format("GET /{} HTTP/1.1\r\nHost: x\r\nX-Pad: {}\r\n\r\n", i, std::string(100, 'x'));
    wire += "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const std::string all = answer_to(wire, handler, limits);
    CHECK(asked == 41);
    std::size_t at = 0;
    for (int i = 0; i < 40; ++i) {
        const std::string text = fmt::format("/{}", i);
        at = all.find(fmt::format("\r\n\r\n{}\r\n{}\r\n0\r\n\r\n", text.size(), text), at);
        REQUIRE(at != std::string::npos);
    }
    CHECK_THAT(all, Catch::EndsWith("5\r\n/last\r\n0\r\n\r\n"));
}

TEST_CASE("A server may end amid its requests")
{
    bool asked = false;
    const Handler handler = [&](Request request) -> awaitable<Reply> {
        const std::stop_token gone = request.gone;
        const auto executor = co_await asio::this_coro::executor;
        Signal never(executor);
        asked = true;
        co_await never.wait();
        co_return Reply(Response());
    };
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor);
        asio::co_spawn(executor, serve_http(std::move(pair.far), handler, HttpLimits()), asio::detached);
        co_await pair.near.write(get);
        while (!asked) co_await turns(1);
        co_await turns(5);
    };
    run_coroutine(test());
    CHECK(asked);
}

TEST_CASE("Bytes that come before the upgrade belong to the WebSocket")
{
    std::string got;
    const Handler handler = [&](Request) -> awaitable<Reply> {
        co_await turns(30);  // the watch reads them meanwhile
        Upgrade upgrade;
        upgrade.run = [&](WebSocket socket) -> awaitable<void> {
            const auto message = co_await socket.read();
            if (message) got = as_text(message->bytes);
        };
        co_return Reply(std::move(upgrade));
    };
    serve(handler, {}, [&](ByteStream& client) -> awaitable<void> {
        co_await client.write("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        co_await turns(10);
        const std::string_view frame("\x82\x82\0\0\0\0hi", 8);
        co_await client.write(frame);
        const std::string head = co_await read_until(client, "\r\n\r\n");
        CHECK_THAT(head, Catch::StartsWith("HTTP/1.1 101"));
        while (got.empty()) co_await turns(1);
    });
    CHECK(got == "hi");
}

namespace {

struct Asked {
    int gate = 0, handler = 0;
    std::string path, head_body, body;
    std::optional<std::uint64_t> length;
};

HttpLimits gated(Asked& asked, std::function<std::variant<BodyPermit, Response>()> verdict)
{
    HttpLimits limits;
    limits.body_bytes_max = 10;
    limits.body_gate = [&asked, verdict](const Request& head, std::optional<std::uint64_t> length) {
        ++asked.gate;
        asked.path = head.path;
        asked.head_body = head.body;
        asked.length = length;
        return verdict();
    };
    return limits;
}

Handler noting(Asked& asked)
{
    return [&asked](Request request) -> awaitable<Reply> {
        ++asked.handler;
        asked.body = request.body;
        Response response;
        response.body = "done";
        co_return Reply(std::move(response));
    };
}

std::variant<BodyPermit, Response> permit_of(std::size_t bytes_max)
{
    BodyPermit permit;
    permit.bytes_max = bytes_max;
    return permit;
}

std::variant<BodyPermit, Response> answer_of(int status)
{
    Response response;
    response.status = status;
    response.body = "no";
    return response;
}

std::string post(std::size_t bytes) { return fmt::format("POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", bytes); }

}  // namespace

TEST_CASE("The gate decides how much a body may be, once, before it is read")
{
    Asked asked;
    const auto limits = gated(asked, [] { return permit_of(20); });
    const Handler handler = noting(asked);
    CHECK_THAT(answer_to(post(20) + "Connection: close\r\n\r\n" + std::string(20, 'x'), handler, limits), Catch::StartsWith("HTTP/1.1 200"));
    CHECK(asked.gate == 1);
    CHECK(asked.path == "/up");
    CHECK(asked.length == 20);
    CHECK(asked.head_body.empty());
    CHECK(asked.body == std::string(20, 'x'));

    CHECK_THAT(answer_to(post(21) + "\r\n", handler, limits), Catch::StartsWith("HTTP/1.1 413") && Catch::Contains("20 bytes"));
    CHECK(asked.gate == 2);

    const std::string chunked = "POST /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    CHECK_THAT(answer_to(chunked + "14\r\n" + std::string(20, 'x') + "\r\n0\r\n\r\n", handler, limits), Catch::StartsWith("HTTP/1.1 200"));
    CHECK(!asked.length);
    CHECK_THAT(answer_to(chunked + "15\r\n" + std::string(21, 'x') + "\r\n0\r\n\r\n", handler, limits), Catch::StartsWith("HTTP/1.1 413"));
    CHECK(asked.handler == 2);
}

TEST_CASE("Without a body, and for GET, the gate is not asked")
{
    Asked asked;
    const auto limits = gated(asked, [] { return answer_of(503); });
    const Handler handler = noting(asked);
    CHECK_THAT(answer_to(post(0) + "Connection: close\r\n\r\n", handler, limits), Catch::StartsWith("HTTP/1.1 200"));
    const std::string with_body = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab";
    CHECK_THAT(answer_to(with_body, handler, limits), Catch::StartsWith("HTTP/1.1 200"));
    CHECK_THAT(answer_to("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", handler, limits), Catch::StartsWith("HTTP/1.1 413"));
    CHECK(asked.gate == 0);
    CHECK(asked.handler == 2);
}

TEST_CASE("The gate's refusal is the answer, without the body and without 100 Continue; then the connection ends")
{
    const int status = GENERATE(401, 413, 503);
    const std::string expect = GENERATE("", "Expect: 100-continue\r\n");
    CAPTURE(status, expect);
    Asked asked;
    const auto limits = gated(asked, [&] { return answer_of(status); });
    const Handler handler = noting(asked);
    const std::string all = answer_to(post(25'000'000) + expect + "\r\n", handler, limits);
    CHECK_THAT(all, Catch::StartsWith(fmt::format("HTTP/1.1 {}", status)) && Catch::EndsWith("no") && Catch::Contains("Connection: close"));
    CHECK(asked.gate == 1);
    CHECK(asked.handler == 0);
}

TEST_CASE("What the gate holds is freed with the request, also when its body never comes")
{
    std::weak_ptr<int> place;
    Asked asked;
    auto limits = gated(asked, [&] {
        BodyPermit permit;
        const auto held = std::make_shared<int>(1);
        place = held;
        permit.held = held;
        permit.bytes_max = 100;
        permit.limit = 30ms;
        return std::variant<BodyPermit, Response>(permit);
    });
    bool held_in_handler = false;
    const Handler handler = [&](Request request) -> awaitable<Reply> {
        held_in_handler = !place.expired() && request.body_permit;
        Response response;
        response.stream = [&](BodyWriter&) -> awaitable<bool> {
            CHECK(place.expired());
            co_return true;
        };
        co_return Reply(std::move(response));
    };
    CHECK_THAT(answer_to(post(2) + "Connection: close\r\n\r\nab", handler, limits), Catch::StartsWith("HTTP/1.1 200"));
    CHECK(held_in_handler);
    CHECK_THAT(answer_to(post(2) + "\r\na", handler, limits), Catch::StartsWith("HTTP/1.1 408"));
    CHECK(place.expired());
}
