#include "repartee/net/http_server.hpp"

#include "../../support/run_coroutine.hpp"
#include "../../support/tcp_pair.hpp"
#include "repartee/base/json.hpp"
#include "repartee/net/task_group.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <cstdlib>
#include <fstream>

using namespace repartee;
using namespace repartee::net;
using namespace std::chrono_literals;
using testing::run_coroutine;
using testing::tcp_pair;

namespace {

std::string as_text(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

awaitable<std::string> read_to_the_end(ByteStream& stream)
{
    std::string all;
    std::vector<std::byte> buffer(65536);
    for (;;) {
        const auto n = co_await stream.read_some(buffer);
        if (n.has_error()) co_return all;
        all += as_text(std::span(buffer).first(*n));
    }
}

awaitable<std::string> read_until(ByteStream& stream, std::string_view end)
{
    std::string all;
    std::vector<std::byte> buffer(1);
    while (!all.ends_with(end)) {
        const auto n = co_await stream.read_some(buffer);
        if (n.has_error()) co_return all;
        all += as_text(buffer);
    }
    co_return all;
}

struct Answer {
    int status = 0;
    std::string head, body;

    std::string header(std::string_view name) const
    {
        const auto at = head.find(fmt::format("\r\n{}: ", name));
        if (at == std::string::npos) return {};
        const auto from = at + 4 + name.size();
        return head.substr(from, head.find("\r\n", from) - from);
    }
};

/// Takes the next answer off the wire text. `head_only`: of a HEAD request.
Answer take_answer(std::string& wire, bool head_only = false)
{
    Answer answer;
    const auto end = wire.find("\r\n\r\n");
    if (end == std::string::npos || !wire.starts_with("HTTP/1.1 ")) throw std::runtime_error("no HTTP answer: " + wire.substr(0, 200));
    answer.status = std::stoi(wire.substr(9, 3));
    answer.head = wire.substr(0, end + 2);
    wire.erase(0, end + 4);
    const std::string length = answer.header("Content-Length");
    if (head_only || length.empty()) return answer;
    answer.body = wire.substr(0, std::stoul(length));
    if (answer.body.size() != std::stoul(length)) throw std::runtime_error("the body is cut off");
    wire.erase(0, answer.body.size());
    return answer;
}

std::vector<Answer> answers(std::string wire)
{
    std::vector<Answer> all;
    while (!wire.empty()) all.push_back(take_answer(wire));
    return all;
}

std::string error_code_of(const Answer& answer)
{
    const auto document = json::parse_object(answer.body);
    if (document.has_error()) return "not JSON: " + answer.body;
    const auto code = json::find_string(*document, "error.code");
    const bool complete = json::find_string(*document, "error.type") && json::find_string(*document, "error.message");
    return complete && code ? std::string(*code) : "incomplete: " + answer.body;
}

/// Tells what it was asked.
awaitable<Reply> mirror(Request request)
{
    Response response;
    response.headers.emplace_back("X-Path", request.path);
    response.headers.emplace_back("X-Remote", request.remote_address);
    response.body = request.method + " " + request.target + " " + std::string(request.header("x-test")) + "|" + request.body;
    co_return Reply(std::move(response));
}

/// Sends `wire` in pieces of at most `piece` bytes, then ends the sending side when `ends`, and returns all that comes back.
std::string exchange(std::string wire, Handler handler, HttpLimits limits = {}, std::size_t piece = std::string::npos)
{
    const auto send = [&](ByteStream& client) -> awaitable<void> {
        for (std::size_t at = 0; at < wire.size(); at += std::min(piece, wire.size())) {
            const auto result = co_await client.write(wire.substr(at, piece));
            if (result.has_error()) co_return;
        }
    };
    const auto test = [&]() -> awaitable<std::string> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor);
        TaskGroup group(executor, "server");
        group.spawn(serve_http(std::move(pair.far), handler, limits));
        group.spawn(send(pair.near));
        std::string all = co_await read_to_the_end(pair.near);
        pair.near.close();
        co_await group.wait_all();
        co_return all;
    };
    return run_coroutine(test());
}

std::string exchange_in_two(std::string one, std::string two)
{
    const auto test = [&]() -> awaitable<std::string> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor);
        const Handler handler = mirror;
        const HttpLimits limits;
        TaskGroup group(executor, "server");
        group.spawn(serve_http(std::move(pair.far), handler, limits));
        co_await pair.near.write(one);
        for (int i = 0; i < 4; ++i) co_await asio::post(executor, asio::use_awaitable);  // the server reads it meanwhile
        co_await pair.near.write(two);
        std::string all = co_await read_to_the_end(pair.near);
        pair.near.close();
        co_await group.wait_all();
        co_return all;
    };
    return run_coroutine(test());
}

std::string get(std::string_view target, std::string_view more = {}) { return fmt::format("GET {} HTTP/1.1\r\nHost: x\r\n{}\r\n", target, more); }

const std::string last = "Connection: close\r\n";

struct TemporaryFile {
    std::string path = "/tmp/repartee_http_server_test_XXXXXX";
    explicit TemporaryFile(std::string_view content)
    {
        ::close(::mkstemp(path.data()));
        std::ofstream(path, std::ios::binary) << content;
    }
    ~TemporaryFile() { ::unlink(path.c_str()); }
};

}  // namespace

TEST_CASE("A request reaches the handler and its response the client")
{
    const auto all = answers(exchange(get("/a%20b?c=d", "X-Test: value\r\n" + last), mirror));
    REQUIRE(all.size() == 1);
    CHECK(all[0].status == 200);
    CHECK(all[0].head.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(all[0].header("X-Path") == "/a b");
    CHECK(all[0].header("X-Remote") == "127.0.0.1");
    CHECK(all[0].header("Connection") == "close");
    CHECK(all[0].header("Content-Length") == std::to_string(all[0].body.size()));
    CHECK(all[0].header("Date").ends_with(" GMT"));
    CHECK(all[0].body == "GET /a%20b?c=d value|");
}

TEST_CASE("Pipelined requests are answered in order, however the bytes are split")
{
    const std::string wire = get("/1") + "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" +
                             "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n" +
                             get("/4", last);
    const std::vector<std::string> expected = {"GET /1 |", "POST /2 |hello", "POST /3 |abcdefg", "GET /4 |"};
    std::vector<std::size_t> pieces{wire.size()};
    for (std::size_t piece = 1; piece < 20; ++piece) pieces.push_back(piece);
    for (const std::size_t piece : pieces) {
        INFO("pieces of " << piece);
        std::vector<std::string> got;
        for (const auto& answer : answers(exchange(wire, mirror, {}, piece))) got.push_back(answer.body);
        CHECK(got == expected);
    }
}

TEST_CASE("A request may be split at every byte")
{
    const std::string head = "POST /x?y=z HTTP/1.1\r\nHost: x\r\nX-Test: v\r\nConnection: close\r\n";
    struct Row {
        std::string wire, body;
    };
    const Row rows[] = {
        {head + "Content-Length: 4\r\n\r\nbody", "body"},
        {head + "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "body"},
        {head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""},
    };
    for (const auto& [wire, body] : rows)
        for (std::size_t cut = 1; cut < wire.size(); ++cut) {
            INFO(wire << "\ncut at " << cut);
            const auto all = answers(exchange_in_two(wire.substr(0, cut), wire.substr(cut)));
            REQUIRE(all.size() == 1);
            REQUIRE(all[0].body == "POST /x?y=z v|" + body);
        }
}

TEST_CASE("HEAD is answered with the length of the body it does not get")
{
    std::string wire = exchange("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n" + get("/g", last), mirror);
    const auto head = take_answer(wire, true);
    CHECK(head.status == 200);
    CHECK(head.header("Content-Length") == std::to_string(std::string("HEAD /h |").size()));
    CHECK(take_answer(wire).body == "GET /g |");
    CHECK(wire.empty());
}

TEST_CASE("HTTP/1.0 connections end after the response unless asked to stay")
{
    CHECK(answers(exchange("GET /a HTTP/1.0\r\n\r\nGET /b HTTP/1.0\r\n\r\n", mirror)).size() == 1);
    const auto kept = answers(exchange("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n", mirror));
    REQUIRE(kept.size() == 2);
    CHECK(kept[0].header("Connection") == "keep-alive");
}

TEST_CASE("A client that expects 100-continue is told to go on, before the body comes")
{
    const auto test = []() -> awaitable<std::pair<std::string, std::string>> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor);
        const Handler handler = mirror;
        const HttpLimits limits;
        TaskGroup group(executor, "server");
        group.spawn(serve_http(std::move(pair.far), handler, limits));
        co_await pair.near.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
        std::string interim = co_await read_until(pair.near, "\r\n\r\n");
        co_await pair.near.write("body");
        std::string rest = co_await read_to_the_end(pair.near);
        pair.near.close();
        co_await group.wait_all();
        co_return std::pair(interim, rest);
    };
    auto [interim, rest] = run_coroutine(test());
    CHECK(interim == "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(take_answer(rest).body == "POST / |body");
}

TEST_CASE("Requests that are too large, or none, are answered and closed")
{
    struct Row {
        const char* what;
        std::string wire;
        int status;
        std::string code;
    };
    const std::string huge(3000, 'x');
    const std::string chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const Row rows[] = {
        {"header over the limit", get("/", "A: " + huge + "\r\n"), 431, "too_large"},
        {"endless header", "GET / HTTP/1.1\r\nA: " + huge, 431, "too_large"},
        {"announced body over the limit", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2001\r\n\r\n", 413, "too_large"},
        {"sent body over the limit", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n" + huge, 413, "too_large"},
        {"chunked body over the limit", chunked + "bb8\r\n" + huge + "\r\n0\r\n\r\n", 413, "too_large"},
        {"no HTTP", "hello, is it me you're looking for?\r\n\r\n", 400, "protocol_error"},
        {"TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15), 400, "protocol_error"},
        {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "protocol_error"},
        {"two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, "protocol_error"},
        {"length and chunks", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "protocol_error"},
        {"endless chunk header", chunked + "1;" + std::string(50'000, 'x'), 431, "too_large"},
        {"endless trailer", chunked + "0\r\nA: " + std::string(50'000, 'x'), 431, "too_large"},
        {"bad chunk", chunked + "zz\r\n", 400, "protocol_error"},
        {"no host", "GET / HTTP/1.1\r\n\r\n", 400, "protocol_error"},
        {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "protocol_error"},
        {"bad escape", get("/%zz"), 400, "protocol_error"},
        {"NUL in the path", get("/%00"), 400, "protocol_error"},
    };
    HttpLimits limits;
    limits.header_bytes_max = 2000;
    limits.body_bytes_max = 2000;
    for (const Row& row : rows)
        for (const std::size_t piece : {std::string::npos, std::size_t{700}}) {
            INFO(row.what << ", pieces of " << piece);
            int asked = 0;
            const Handler handler = [&](Request request) -> awaitable<Reply> {
                ++asked;
                return mirror(std::move(request));
            };
            const auto all = answers(exchange(row.wire + get("/never"), handler, limits, piece));
            REQUIRE(all.size() == 1);
            CHECK(all[0].status == row.status);
            CHECK(error_code_of(all[0]) == row.code);
            CHECK(all[0].header("Connection") == "close");
            CHECK(asked == 0);
        }
}

TEST_CASE("A request that stays incomplete is answered 408; a connection without one is only closed")
{
    HttpLimits limits;
    limits.header_limit = limits.body_limit = limits.keep_alive_limit = 30ms;
    const std::string partial_rows[] = {"GET / HTTP/1.1\r\nHo", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"};
    for (const auto& partial : partial_rows) {
        const auto all = answers(exchange(partial, mirror, limits));
        REQUIRE(all.size() == 1);
        CHECK(all[0].status == 408);
        CHECK(error_code_of(all[0]) == "timeout");
    }
    CHECK(exchange("", mirror, limits).empty());
    const auto kept = answers(exchange(get("/"), mirror, limits));
    REQUIRE(kept.size() == 1);
    CHECK(kept[0].status == 200);
}

TEST_CASE("A handler's 404 keeps the connection, a handler's exception is a 500")
{
    const Handler handler = [](Request request) -> awaitable<Reply> {
        if (request.path == "/throw") throw std::runtime_error("secret detail");
        if (request.path == "/throw-int") throw 1;
        Response response;
        response.status = 404;
        response.body = "{\"detail\":\"Character not found\"}";
        co_return Reply(std::move(response));
    };
    const auto all = answers(exchange(get("/missing") + get("/throw") + get("/throw-int") + get("/missing", last), handler));
    REQUIRE(all.size() == 4);
    CHECK(all[0].status == 404);
    CHECK(all[0].header("Connection") == "keep-alive");
    CHECK(all[1].status == 500);
    CHECK(error_code_of(all[1]) == "internal_error");
    CHECK(all[1].body.find("secret") == std::string::npos);
    CHECK(all[2].status == 500);
    CHECK(all[3].status == 404);
}

TEST_CASE("A response header cannot smuggle in another one, nor the server's own")
{
    const Handler handler = [](Request) -> awaitable<Reply> {
        Response response;
        response.headers.emplace_back("X-Echo", "a\r\nSet-Cookie: evil=1");
        response.headers.emplace_back("content-length", "1000");
        response.body = "ok";
        co_return Reply(std::move(response));
    };
    const auto all = answers(exchange(get("/", last), handler));
    REQUIRE(all.size() == 1);
    CHECK(all[0].header("Set-Cookie").empty());
    CHECK(all[0].header("X-Echo") == "a  Set-Cookie: evil=1");
    CHECK(all[0].body == "ok");
}

TEST_CASE("Responses without a body have no length")
{
    const Handler handler = [](Request) -> awaitable<Reply> {
        Response response;
        response.status = 204;
        response.body = "must not appear";
        co_return Reply(std::move(response));
    };
    const auto all = answers(exchange(get("/") + get("/", last), handler));
    REQUIRE(all.size() == 2);
    CHECK(all[0].header("Content-Length").empty());
}

TEST_CASE("Large bodies from memory and from files arrive whole")
{
    std::string content(300'000, '\0');
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 + i / 251);
    const TemporaryFile file(content);
    const Handler handler = [&](Request request) -> awaitable<Reply> {
        Response response;
        if (request.path == "/memory") {
            response.body = content;
        } else {
            response.file = file.path;
            response.file_bytes = content.size();
            if (request.path == "/range") {
                response.status = 206;
                response.file_offset = 65'000;
                response.file_bytes = 70'000;
            }
            if (request.path == "/nothing") response.file_bytes = 0;
            if (request.path == "/beyond") response.file_offset = 1;
            if (request.path == "/missing") response.file += ".not";
            if (request.path == "/folder") response.file = "/tmp";
        }
        co_return Reply(std::move(response));
    };
    const auto all = answers(exchange(get("/memory") + get("/file") + get("/range") + get("/nothing") + get("/beyond") + get("/missing") +
                                          get("/folder") + get("/range", last),
                                      handler));
    REQUIRE(all.size() == 8);
    CHECK(all[0].body == content);
    CHECK(all[1].body == content);
    CHECK(all[2].status == 206);
    CHECK(all[2].body == content.substr(65'000, 70'000));
    CHECK(all[3].body.empty());
    CHECK(all[4].status == 500);
    CHECK(all[5].status == 500);
    CHECK(all[6].status == 500);
    CHECK(all[7].body == content.substr(65'000, 70'000));

    std::string wire = exchange("HEAD /file HTTP/1.1\r\nHost: x\r\n" + last + "\r\n", handler);
    CHECK(take_answer(wire, true).header("Content-Length") == "300000");
    CHECK(wire.empty());
}

TEST_CASE("A client that takes no data is given up")
{
    const Handler handler = [](Request) -> awaitable<Reply> {
        Response response;
        response.body.assign(32 << 20, 'x');
        co_return Reply(std::move(response));
    };
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor);
        HttpLimits limits;
        limits.write_limit = 30ms;
        co_await pair.near.write(get("/"));
        co_await serve_http(std::move(pair.far), handler, limits);
    };
    run_coroutine(test());
    SUCCEED("serve_http returned");
}

// --- upgrades

namespace {

std::string upgrade_request(std::string_view version = "13", std::string_view key = "dGhlIHNhbXBsZSBub25jZQ==")
{
    return get("/ws", fmt::format("Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: {}\r\n"
                                  "Sec-WebSocket-Key: {}\r\n",
                                  version, key));
}

awaitable<void> echo(WebSocket socket)
{
    for (;;) {
        const auto message = co_await socket.read();
        if (message.has_error()) co_return;
        const std::string text(message->text());
        if (text == "throw") throw std::runtime_error("a session failed");
        co_await socket.write_text(text);
    }
}

/// A WebSocket at /ws, 404 at /missing, JSON elsewhere.
awaitable<Reply> with_websocket(Request request)
{
    if (request.path == "/ws") {
        Upgrade upgrade;
        if (request.header("sec-websocket-protocol").find("realtime") != std::string_view::npos) upgrade.subprotocol = "realtime";
        upgrade.run = echo;
        co_return Reply(std::move(upgrade));
    }
    Response response;
    response.status = request.path == "/missing" ? 404 : 200;
    response.body = "{\"detail\":\"Character not found\"}";
    co_return Reply(std::move(response));
}

struct Connected {
    Result<WebSocket> result;
    std::vector<std::string> messages;
};

WebSocketRequest websocket_request(std::string target)
{
    WebSocketRequest request;
    request.host = "x";
    request.target = std::move(target);
    return request;
}

/// websocket_connect() against a server that answers with these bytes, whatever it is asked.
Result<std::string> connect_to(std::string answer, std::string subprotocols = {}, bool server_stays = false)
{
    const auto serve = [&](ByteStream& server) -> awaitable<void> {
        const std::string head = co_await read_until(server, "\r\n\r\n");
        const auto key_at = head.find("Sec-WebSocket-Key: ") + 19;
        const std::string accept = websocket_accept_key(head.substr(key_at, 24));
        const auto placeholder = answer.find("$ACCEPT");
        if (placeholder != std::string::npos) answer.replace(placeholder, 7, accept);
        co_await server.write(answer);
        if (!server_stays) co_await server.shutdown(1s);
    };
    const auto test = [&]() -> Task<std::string> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor);
        TaskGroup group(executor, "server");
        group.spawn(serve(pair.far));
        WebSocketRequest request = websocket_request("/v1/realtime?model=m");
        request.subprotocols = subprotocols;
        const WebSocketLimits limits;
        const std::chrono::milliseconds limit = server_stays ? 100ms : 10s;
        auto connected = co_await websocket_connect(std::move(pair.near), request, limits, limit);
        std::string first;
        if (connected.has_value()) {
            const auto message = co_await connected->read();
            if (message.has_value()) first = message->text();
            connected->abort();
        }
        co_await group.wait_all();
        if (connected.has_error()) co_return connected.error();
        co_return first;
    };
    return run_coroutine(test());
}

const std::string switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: $ACCEPT\r\n";

}  // namespace

TEST_CASE("The accept key is RFC 6455's example") { CHECK(websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); }

TEST_CASE("An upgrade becomes a WebSocket; frames sent along with the request are not lost")
{
    // "Hello" masked, from RFC 6455, then a close.
    const std::string frames("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x88\x80\x01\x02\x03\x04", 17);
    const std::string wire = upgrade_request() + frames;
    for (std::size_t piece = 1; piece <= wire.size(); piece += piece < 4 ? 1 : 37) {
        INFO("pieces of " << piece);
        std::string answer = exchange(wire, with_websocket, {}, piece);
        const auto head = take_answer(answer);
        CHECK(head.status == 101);
        CHECK(head.header("Upgrade") == "websocket");
        CHECK(head.header("Connection") == "Upgrade");
        CHECK(head.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        CHECK(head.header("Sec-WebSocket-Protocol").empty());
        CHECK(answer == std::string("\x81\x05Hello\x88\x00", 9));
    }
}

TEST_CASE("An upgrade that cannot be is answered like any other request")
{
    const auto no_upgrade = answers(exchange(get("/ws") + get("/", last), with_websocket));
    REQUIRE(no_upgrade.size() == 2);
    CHECK(no_upgrade[0].status == 426);
    CHECK(no_upgrade[0].header("Upgrade") == "websocket");

    const auto version = answers(exchange(upgrade_request("8") + get("/"), with_websocket));
    REQUIRE(version.size() == 1);
    CHECK(version[0].status == 426);
    CHECK(version[0].header("Sec-WebSocket-Version") == "13");
    CHECK(error_code_of(version[0]) == "protocol_error");

    for (const char* key : {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZ!==", "dGhlIHNhbXBsZSBub25j", "dGhlIHNhbXBsZSBub25jZQ==AAAA",
                            "AAAAAAAAAAAAAAAAAAAAAAA="}) {
        INFO(key);
        const auto bad_key = answers(exchange(upgrade_request("13", key), with_websocket));
        REQUIRE(bad_key.size() == 1);
        CHECK(bad_key[0].status == 400);
    }

    const std::string to_nothing = get("/missing", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                                                   "dGhlIHNhbXBsZSBub25jZQ==\r\n");
    const auto missing = answers(exchange(to_nothing + get("/"), with_websocket));
    REQUIRE(missing.size() == 1);
    CHECK(missing[0].status == 404);
    CHECK(missing[0].header("Connection") == "close");
    CHECK(missing[0].body == "{\"detail\":\"Character not found\"}");
}

TEST_CASE("Client and server shake hands and talk, with a subprotocol")
{
    const auto test = []() -> awaitable<std::vector<std::string>> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor);
        const Handler handler = with_websocket;
        const HttpLimits http_limits;
        TaskGroup group(executor, "server");
        group.spawn(serve_http(std::move(pair.far), handler, http_limits));
        WebSocketRequest request = websocket_request("/ws");
        request.subprotocols = "realtime, openai-insecure-api-key.x";
        request.headers.emplace_back("Authorization", "Bearer x");
        const WebSocketLimits limits;
        auto socket = co_await websocket_connect(std::move(pair.near), request, limits, 10s);
        std::vector<std::string> got;
        for (const char* text : {"one", "two", "throw"}) {
            co_await socket->write_text(text);
            const auto message = co_await socket->read();
            got.emplace_back(message.has_value() ? std::string(message->text()) : std::string(name(message.error().code)));
        }
        co_await socket->close(1000, "");
        co_await group.wait_all();
        co_return got;
    };
    CHECK(run_coroutine(test()) == std::vector<std::string>{"one", "two", "connection_closed"});
}

TEST_CASE("A frame that comes with the handshake's answer is the first message")
{
    const auto first = connect_to(switching + "\r\n\x81\x05Hello");
    REQUIRE(first.has_value());
    CHECK(*first == "Hello");
    const auto with_protocol = connect_to(switching + "Sec-WebSocket-Protocol: realtime\r\n\r\n\x81\x02Hi", "other, realtime");
    REQUIRE(with_protocol.has_value());
    CHECK(*with_protocol == "Hi");
}

TEST_CASE("A server that refuses is quoted, with the right verdict on a retry")
{
    struct Row {
        std::string answer;
        Code code;
        std::string quoted, upstream_code;
    };
    const std::string key_body = R"({"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}})";
    const Row rows[] = {
        {fmt::format("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n{}", key_body.size(), key_body), Code::upstream_rejected,
         "401 Unauthorized: Incorrect API key provided", "invalid_api_key"},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", Code::upstream_rejected, "403 Forbidden", ""},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot\x1b[1m!\n", Code::upstream_rejected, "404 Not Found: not [1m!", ""},
        {"HTTP/1.1 503 Service Unavailable\r\n\r\nuntil the end", Code::upstream_unavailable, "503 Service Unavailable: until the end", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Code::upstream_unavailable, "200 OK: ok", ""},
        {"HTTP/1.1 429 Too Many Requests\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nslow\r\n0\r\n\r\n", Code::upstream_unavailable,
         "429 Too Many Requests: slow", ""},
        {"HTTP/1.1 500 Oops\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'z'), Code::upstream_unavailable,
         "500 Oops: " + std::string(200, 'z') + ". ", ""},
    };
    for (const Row& row : rows) {
        const auto result = connect_to(row.answer);
        REQUIRE(result.has_error());
        INFO(result.error().message);
        CHECK(result.error().code == row.code);
        CHECK(result.error().message.find(row.quoted) != std::string::npos);
        CHECK(result.error().upstream_code == row.upstream_code);
    }
}

TEST_CASE("A wrong handshake is a protocol error")
{
    const std::string rows[] = {
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $ACCEPT\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: $ACCEPT\r\n\r\n",
        switching + "Sec-WebSocket-Protocol: unasked\r\n\r\n",
        switching + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n",
    };
    for (const auto& row : rows) {
        INFO(row.substr(0, 200));
        const auto result = connect_to(row);
        REQUIRE(result.has_error());
        CHECK(result.error().code == Code::protocol);
    }
}

TEST_CASE("A handshake that breaks off or stalls fails as that")
{
    const auto broken = connect_to("HTTP/1.1 101 Switch");
    REQUIRE(broken.has_error());
    CHECK(broken.error().code == Code::closed);
    const auto stalled = connect_to("HTTP/1.1 101 Switch", {}, true);
    REQUIRE(stalled.has_error());
    CHECK(stalled.error().code == Code::timeout);
}

TEST_CASE("A line break in what the client would send is refused")
{
    const auto test = [](std::string host, std::string target, std::string header) -> Task<> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor);
        WebSocketRequest request = websocket_request(target);
        request.host = host;
        request.headers.emplace_back("Authorization", header);
        const WebSocketLimits limits;
        const auto result = co_await websocket_connect(std::move(pair.near), request, limits, 1s);
        if (result.has_error()) co_return result.error();
        co_return Result<void>();
    };
    const auto code = [&](std::string host, std::string target, std::string header) {
        const auto result = run_coroutine(test(std::move(host), std::move(target), std::move(header)));
        return result.has_error() ? result.error().code : Code::ok;
    };
    CHECK(code("x", "/", "key\r\nX: y") == Code::invalid_value);
    CHECK(code("x\n", "/", "key") == Code::invalid_value);
    CHECK(code("x", "/ HTTP/1.1", "key") == Code::invalid_value);
    CHECK(code("x", "", "key") == Code::invalid_value);
}
