#include "repartee/net/websocket.hpp"

#include "../../support/run_coroutine.hpp"
#include "../../support/tcp_pair.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/net/tls_context.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <filesystem>
#include <random>

using namespace repartee;
using namespace repartee::net;
using namespace std::chrono_literals;
using testing::run_coroutine;
using testing::tcp_pair;
using Role = WebSocket::Role;

// Test coroutines collect what happened; the REQUIREs look at it afterwards.
namespace {

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string as_text(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string frame(bool fin, Opcode opcode, std::string_view payload, bool masked = true)
{
    constexpr std::array<std::uint8_t, 4> mask{0x12, 0x34, 0x56, 0x78};
    std::array<std::byte, frame_header_bytes_max> header;
    const std::size_t n = write_frame_header(fin, opcode, payload.size(), masked ? &mask : nullptr, header.data());
    std::string body(payload);
    if (masked) apply_mask(std::as_writable_bytes(std::span(body)), mask);
    return as_text(std::span(header).first(n)) + body;
}

std::string close_frame(std::uint16_t code, std::string_view reason, bool masked = true)
{
    return frame(true, Opcode::close, make_close_payload(code, reason), masked);
}

struct Frame {
    Opcode opcode;
    std::string payload;
    bool operator==(const Frame&) const = default;
};

std::vector<Frame> split(std::string_view wire)
{
    std::vector<Frame> frames;
    while (!wire.empty()) {
        const auto parsed = parse_frame_header(as_bytes(wire));
        if (!parsed.has_value() || !parsed->has_value()) throw std::runtime_error("not whole frames on the wire");
        const FrameHeader& header = **parsed;
        std::string payload(wire.substr(header.header_bytes, header.payload_bytes));
        if (header.masked) apply_mask(std::as_writable_bytes(std::span(payload)), header.mask);
        frames.push_back({header.opcode, payload});
        wire.remove_prefix(header.header_bytes + header.payload_bytes);
    }
    return frames;
}

std::uint16_t code_of(const Frame& close) { return parse_close_payload(as_bytes(close.payload)).value().code; }

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

awaitable<std::string> read_exactly(ByteStream& stream, std::size_t count)
{
    std::string all;
    std::vector<std::byte> buffer(count);
    while (all.size() < count) {
        const auto n = co_await stream.read_some(std::span(buffer).first(count - all.size()));
        if (n.has_error()) co_return all;
        all += as_text(std::span(buffer).first(*n));
    }
    co_return all;
}

/// Lets everything else that is ready run.
awaitable<void> pass_turn(int turns = 1)
{
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < turns; ++i) co_await asio::post(executor, asio::use_awaitable);
}

struct Sockets {
    WebSocket client, server;
};

Sockets connected(const asio::any_io_executor& executor, const WebSocketLimits& limits = {})
{
    auto pair = tcp_pair(executor);
    return {WebSocket(std::move(pair.near), Role::client, limits), WebSocket(std::move(pair.far), Role::server, limits)};
}

struct RawPeer {
    ByteStream peer;
    WebSocket socket;
};

RawPeer raw_peer(const asio::any_io_executor& executor, Role role, const WebSocketLimits& limits = {}, int buffer_bytes = 0)
{
    auto pair = tcp_pair(executor, buffer_bytes);
    return {std::move(pair.near), WebSocket(std::move(pair.far), role, limits)};
}

awaitable<void> echo(WebSocket& socket)
{
    for (;;) {
        const auto message = co_await socket.read();
        if (message.has_error()) co_return;
        if (message->binary) {
            co_await socket.write_binary(message->bytes);
        } else {
            co_await socket.write_text(message->text());
        }
    }
}

struct Outcome {
    Code code = Code::ok;
    std::string message;
    std::vector<std::string> messages;
};

awaitable<void> read_until_error(WebSocket& socket, Outcome& outcome)
{
    for (;;) {
        const auto message = co_await socket.read();
        if (message.has_error()) {
            outcome.code = message.error().code;
            outcome.message = message.error().message;
            co_return;
        }
        outcome.messages.emplace_back(message->text());
    }
}

awaitable<void> close_with(WebSocket& socket, std::uint16_t code, std::string reason) { co_await socket.close(code, std::move(reason)); }

}  // namespace

TEST_CASE("Messages of every size come back from an echo, in both kinds")
{
    struct Wrong {
        std::size_t size;
        bool binary;
    };
    const auto test = []() -> awaitable<std::vector<Wrong>> {
        const auto executor = co_await asio::this_coro::executor;
        Sockets sockets = connected(executor);
        TaskGroup group(executor, "echo");
        group.spawn(echo(sockets.server));
        std::vector<std::size_t> sizes{65'535, 65'536, 69'999, 70'000, 1 << 20};
        for (std::size_t size = 0; size < 300; ++size) sizes.push_back(size);
        for (std::size_t size = 300; size < 70'000; size += 997) sizes.push_back(size);
        std::mt19937 random(5);
        std::vector<Wrong> wrong;
        for (const std::size_t size : sizes)
            for (const bool binary : {false, true}) {
                std::string payload(size, '\0');
                for (char& c : payload) c = static_cast<char>(binary ? random() : 'a' + random() % 26);
                Result<void> written;
                if (binary) {
                    written = co_await sockets.client.write_binary(as_bytes(payload));
                } else {
                    written = co_await sockets.client.write_text(payload);
                }
                const auto message = co_await sockets.client.read();
                const bool good = written.has_value() && message.has_value() && message->binary == binary && message->text() == payload;
                if (!good) wrong.push_back({size, binary});
            }
        co_await sockets.client.close(1000, "done");
        co_await group.wait_all();
        co_return wrong;
    };
    CHECK(run_coroutine(test()).empty());
}

TEST_CASE("A fragmented message with pings between is assembled and the pings are answered")
{
    std::string payload;
    const auto test = [&]() -> awaitable<std::string> {
        const auto executor = co_await asio::this_coro::executor;
        RawPeer raw = raw_peer(executor, Role::server);
        const std::string wire = frame(false, Opcode::text, "안녕\xed") + frame(true, Opcode::ping, "1") +
                                 frame(false, Opcode::continuation, "\x95\x98") + frame(true, Opcode::pong, "unasked") +
                                 frame(true, Opcode::ping, "2") + frame(true, Opcode::continuation, "세요");
        co_await raw.peer.write(wire);
        const auto message = co_await raw.socket.read();
        if (message.has_value()) payload = message->text();
        const std::string answer = co_await read_exactly(raw.peer, 6);
        co_return answer;
    };
    const auto frames = split(run_coroutine(test()));
    CHECK(payload == "안녕하세요");
    REQUIRE(frames.size() == 2);
    CHECK(frames[0] == Frame{Opcode::pong, "1"});
    CHECK(frames[1] == Frame{Opcode::pong, "2"});
}

TEST_CASE("Bytes that came with the handshake are the first messages, and small frames come together")
{
    const auto test = []() -> awaitable<std::vector<std::string>> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor);
        const std::string wire = frame(true, Opcode::text, "one") + frame(true, Opcode::text, "two") + frame(true, Opcode::text, "three");
        WebSocket socket(std::move(pair.far), Role::server, {}, wire.substr(0, 12));
        co_await pair.near.write(wire.substr(12));
        std::vector<std::string> got;
        for (int i = 0; i < 3; ++i) {
            const auto message = co_await socket.read();
            if (message.has_value()) got.emplace_back(message->text());
        }
        co_return got;
    };
    CHECK(run_coroutine(test()) == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("What breaks the rules is answered with the right close code")
{
    struct Row {
        const char* what;
        std::string wire;
        std::uint16_t close_code;
        Code code;
        Role role = Role::server;
    };
    const Row rows[] = {
        {"reserved bit", std::string("\xc1\x80\0\0\0\0", 6), 1002, Code::protocol},
        {"unknown opcode", std::string("\x83\x80\0\0\0\0", 6), 1002, Code::protocol},
        {"fragmented ping", frame(false, Opcode::ping, "x"), 1002, Code::protocol},
        {"long ping", std::string("\x89\xfe\0\x7e\0\0\0\0", 8), 1002, Code::protocol},
        {"unmasked to a server", frame(true, Opcode::text, "x", false), 1002, Code::protocol},
        {"masked to a client", frame(true, Opcode::text, "x", true), 1002, Code::protocol, Role::client},
        {"continuation of nothing", frame(true, Opcode::continuation, "x"), 1002, Code::protocol},
        {"message inside of a message", frame(false, Opcode::text, "x") + frame(true, Opcode::text, "y"), 1002, Code::protocol},
        {"close code of one byte", frame(true, Opcode::close, "\x03"), 1002, Code::protocol},
        {"close code 1005", close_frame(1005, ""), 1002, Code::protocol},
        {"close code 999", close_frame(999, ""), 1002, Code::protocol},
        {"close reason not UTF-8", close_frame(1000, "\xff"), 1002, Code::protocol},
        {"text not UTF-8", frame(true, Opcode::text, "abc\xed\xa0\x80"), 1007, Code::protocol},
        {"fragmented text not UTF-8", frame(false, Opcode::text, "\xe2\x82") + frame(true, Opcode::continuation, "x"), 1007, Code::protocol},
        {"too large", frame(true, Opcode::binary, std::string(1001, 'x')), 1009, Code::too_large},
        {"too large in parts", frame(false, Opcode::binary, std::string(600, 'x')) + frame(true, Opcode::continuation, std::string(600, 'x')),
         1009, Code::too_large},
        {"far too large", frame(true, Opcode::binary, std::string(300'000, 'x')), 1009, Code::too_large},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        Outcome outcome, again;
        const auto test = [&]() -> awaitable<std::string> {
            const auto executor = co_await asio::this_coro::executor;
            WebSocketLimits limits;
            limits.message_bytes_max = 1000;
            RawPeer raw = raw_peer(executor, row.role, limits);
            TaskGroup group(executor, "reader");
            group.spawn(read_until_error(raw.socket, outcome));
            co_await raw.peer.write(row.wire);
            const std::string answer = co_await read_to_the_end(raw.peer);
            raw.peer.close();
            co_await group.wait_all();
            co_await read_until_error(raw.socket, again);
            co_return answer;
        };
        const auto frames = split(run_coroutine(test()));
        CHECK(outcome.code == row.code);
        CHECK(outcome.messages.empty());
        CHECK(again.code == row.code);
        REQUIRE(frames.size() == 1);
        CHECK(frames[0].opcode == Opcode::close);
        CHECK(code_of(frames[0]) == row.close_code);
    }
}

TEST_CASE("The peer's close is answered with its code, and the server ends the stream")
{
    struct Row {
        std::string wire;
        std::uint16_t code;
        std::string reason, answer;
    };
    const Row rows[] = {
        {close_frame(1000, "bye"), 1000, "bye", make_close_payload(1000, "")},
        {close_frame(4321, "이유"), 4321, "이유", make_close_payload(4321, "")},
        {frame(true, Opcode::close, ""), 1005, "", ""},
    };
    for (const Row& row : rows) {
        Outcome outcome;
        std::uint16_t code = 0;
        std::string reason;
        bool open = true;
        const auto test = [&]() -> awaitable<std::string> {
            const auto executor = co_await asio::this_coro::executor;
            RawPeer raw = raw_peer(executor, Role::server);
            TaskGroup group(executor, "reader");
            group.spawn(read_until_error(raw.socket, outcome));
            co_await raw.peer.write(frame(true, Opcode::text, "last words") + row.wire);
            const std::string answer = co_await read_to_the_end(raw.peer);
            raw.peer.close();
            co_await group.wait_all();
            code = raw.socket.close_code();
            reason = raw.socket.close_reason();
            open = raw.socket.is_open();
            co_return answer;
        };
        const auto frames = split(run_coroutine(test()));
        CHECK(outcome.code == Code::closed);
        CHECK(outcome.messages == std::vector<std::string>{"last words"});
        CHECK(code == row.code);
        CHECK(reason == row.reason);
        CHECK_FALSE(open);
        REQUIRE(frames.size() == 1);
        CHECK(frames[0] == Frame{Opcode::close, row.answer});
    }
}

TEST_CASE("A close handshake works from either side, and from both at once, with and without an outstanding read")
{
    enum class Closer { client, server, both };
    for (const Closer closer : {Closer::client, Closer::server, Closer::both})
        for (const bool reading : {true, false}) {
            INFO("closer " << static_cast<int>(closer) << ", reading " << reading);
            Outcome client, server;
            std::uint16_t client_saw = 0, server_saw = 0;
            const auto test = [&]() -> awaitable<void> {
                const auto executor = co_await asio::this_coro::executor;
                Sockets sockets = connected(executor);
                TaskGroup group(executor, "closers");
                const bool client_reads = reading || closer == Closer::server, server_reads = reading || closer == Closer::client;
                if (client_reads) group.spawn(read_until_error(sockets.client, client));
                if (server_reads) group.spawn(read_until_error(sockets.server, server));
                if (closer != Closer::server) group.spawn(close_with(sockets.client, 1000, "from client"));
                if (closer != Closer::client) group.spawn(close_with(sockets.server, 1001, "from server"));
                co_await group.wait_all();
                client_saw = sockets.client.close_code();
                server_saw = sockets.server.close_code();
                if (!client_reads) co_await read_until_error(sockets.client, client);
                if (!server_reads) co_await read_until_error(sockets.server, server);
            };
            run_coroutine(test());
            CHECK(client.code == Code::closed);
            CHECK(server.code == Code::closed);
            // Who is answered sees its own code again; who is closed sees the closer's.
            CHECK(client_saw == (closer == Closer::client ? 1000 : 1001));
            CHECK(server_saw == (closer == Closer::server ? 1001 : 1000));
        }
}

TEST_CASE("Closing twice, also at the same time, is one close")
{
    const auto test = []() -> awaitable<std::string> {
        const auto executor = co_await asio::this_coro::executor;
        RawPeer raw = raw_peer(executor, Role::server);
        TaskGroup group(executor, "closers");
        group.spawn(close_with(raw.socket, 1000, "first"));
        group.spawn(close_with(raw.socket, 1001, "second"));
        const std::string sent = co_await read_exactly(raw.peer, 9);
        co_await raw.peer.write(close_frame(1000, ""));
        const std::string rest = co_await read_to_the_end(raw.peer);
        raw.peer.close();
        co_await group.wait_all();
        co_await raw.socket.close(1002, "third");
        co_return sent + rest;
    };
    const auto frames = split(run_coroutine(test()));
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].payload == make_close_payload(1000, "first"));
}

TEST_CASE("Closing drops what still arrives, and gives up on a peer that never answers")
{
    Outcome outcome;
    const auto test = [&]() -> awaitable<std::uint16_t> {
        const auto executor = co_await asio::this_coro::executor;
        WebSocketLimits limits;
        limits.close_limit = 40ms;
        RawPeer raw = raw_peer(executor, Role::server, limits);
        TaskGroup group(executor, "reader");
        group.spawn(read_until_error(raw.socket, outcome));
        co_await raw.peer.write(frame(true, Opcode::text, "before"));
        co_await pass_turn(10);
        TaskGroup closers(executor, "closer");
        closers.spawn(close_with(raw.socket, 1000, "bye"));
        const std::string close = co_await read_exactly(raw.peer, 7);
        co_await raw.peer.write(frame(true, Opcode::text, "after"));
        co_await closers.wait_all();
        co_await group.wait_all();
        co_return raw.socket.close_code();
    };
    CHECK(run_coroutine(test()) == 1006);
    CHECK(outcome.code == Code::closed);
    CHECK(outcome.messages == std::vector<std::string>{"before"});
}

TEST_CASE("Writes are refused from close() on")
{
    const auto test = []() -> awaitable<std::pair<Code, Code>> {
        const auto executor = co_await asio::this_coro::executor;
        Sockets sockets = connected(executor);
        TaskGroup group(executor, "closer");
        group.spawn(echo(sockets.client));
        group.spawn(close_with(sockets.server, 1000, ""));
        co_await pass_turn(2);
        const auto during = co_await sockets.server.write_text("too late");
        co_await group.wait_all();
        const auto after = co_await sockets.server.write_text("far too late");
        co_return std::pair(during.error().code, after.error().code);
    };
    const auto [during, after] = run_coroutine(test());
    CHECK(during == Code::closed);
    CHECK(after == Code::closed);
}

TEST_CASE("Concurrent writes go out whole, in the order of the calls, and each of them ends")
{
    constexpr int count = 500;
    int ended_well = 0;
    const auto await_one = [&](Task<> write) -> awaitable<void> {
        const auto result = co_await std::move(write);
        if (result.has_value()) ++ended_well;
    };
    Outcome outcome;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        Sockets sockets = connected(executor);
        TaskGroup readers(executor, "reader"), writers(executor, "writers");
        readers.spawn(read_until_error(sockets.client, outcome));
        for (int i = 0; i < count; ++i) {
            // The payload is gone before the write is awaited.
            Task<> write = sockets.server.write_text(std::to_string(i) + std::string(static_cast<std::size_t>(i) * 7, 'x'));
            writers.spawn(await_one(std::move(write)));
            if (i % 50 == 0) co_await pass_turn();
        }
        co_await writers.wait_all();
        co_await sockets.server.close(1000, "");
        co_await readers.wait_all();
    };
    run_coroutine(test());
    CHECK(ended_well == count);
    REQUIRE(outcome.messages.size() == count);
    for (int i = 0; i < count; ++i) {
        const auto& message = outcome.messages[static_cast<std::size_t>(i)];
        if (message != std::to_string(i) + std::string(static_cast<std::size_t>(i) * 7, 'x')) FAIL("message " << i << " is wrong");
    }
}

TEST_CASE("A cancelled read loses nothing, wherever in a message it was cancelled")
{
    const std::string wire = frame(false, Opcode::text, "Hello, ") + frame(true, Opcode::ping, "") + frame(true, Opcode::continuation, "world") +
                             frame(true, Opcode::text, std::string(9'000, 'y'));
    for (std::size_t cut = 0; cut < wire.size(); cut += cut < 40 ? 1 : 997) {
        INFO("cut at " << cut);
        Outcome first;
        const auto test = [&]() -> awaitable<std::vector<std::string>> {
            const auto executor = co_await asio::this_coro::executor;
            RawPeer raw = raw_peer(executor, Role::server);
            TaskGroup group(executor, "reader");
            co_await raw.peer.write(wire.substr(0, cut));
            group.spawn(read_until_error(raw.socket, first));
            co_await pass_turn(5);
            raw.socket.cancel_read();
            co_await group.wait_all();
            std::vector<std::string> got = first.messages;
            co_await raw.peer.write(wire.substr(cut));
            while (got.size() < 2) {
                const auto message = co_await raw.socket.read();
                if (message.has_error()) break;
                got.emplace_back(message->text());
            }
            co_return got;
        };
        const auto got = run_coroutine(test());
        CHECK(first.code == Code::cancelled);
        CHECK(got == std::vector<std::string>{"Hello, world", std::string(9'000, 'y')});
    }
}

TEST_CASE("Cancelling without a read does nothing; a second read at once is refused")
{
    Outcome outcome;
    const auto test = [&]() -> awaitable<Code> {
        const auto executor = co_await asio::this_coro::executor;
        Sockets sockets = connected(executor);
        sockets.server.cancel_read();
        TaskGroup group(executor, "reader");
        group.spawn(read_until_error(sockets.server, outcome));
        co_await pass_turn(2);
        const auto second = co_await sockets.server.read();
        co_await sockets.client.write_text("still works");
        co_await sockets.client.close(1000, "");
        co_await group.wait_all();
        co_return second.error().code;
    };
    CHECK(run_coroutine(test()) == Code::internal);
    CHECK(outcome.messages == std::vector<std::string>{"still works"});
}

TEST_CASE("Unsent bytes are those the peer's side has not taken")
{
    std::size_t at_start = 1, while_stuck = 0, at_end = 1;
    bool written = false;
    const auto write_large = [&](WebSocket& socket) -> awaitable<void> {
        const std::string large(8 << 20, 'x');
        const auto result = co_await socket.write_text(large);
        written = result.has_value();
    };
    Outcome outcome;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        WebSocketLimits limits;
        limits.message_bytes_max = 16 << 20;
        Sockets sockets = connected(executor, limits);
        at_start = sockets.server.unsent_bytes();
        TaskGroup writers(executor, "writer"), readers(executor, "reader");
        writers.spawn(write_large(sockets.server));
        co_await pass_turn(200);  // nobody reads yet: the kernel's buffers are full, the rest stays here
        while_stuck = sockets.server.unsent_bytes();
        readers.spawn(read_until_error(sockets.client, outcome));
        co_await writers.wait_all();
        at_end = sockets.server.unsent_bytes();
        co_await sockets.server.close(1000, "");
        co_await readers.wait_all();
    };
    run_coroutine(test());
    CHECK(at_start == 0);
    CHECK(while_stuck > 0);
    CHECK(while_stuck <= (8 << 20) + 14);
    CHECK(at_end == 0);
    CHECK(written);
    REQUIRE(outcome.messages.size() == 1);
    CHECK(outcome.messages[0].size() == 8 << 20);
}

TEST_CASE("While writes are backed up only the latest ping is answered")
{
    const auto write_large = [](WebSocket& socket) -> awaitable<void> {
        const std::string large(8 << 20, 'x');
        co_await socket.write_text(large);
    };
    const auto test = [&]() -> awaitable<std::string> {
        const auto executor = co_await asio::this_coro::executor;
        RawPeer raw = raw_peer(executor, Role::server);
        TaskGroup writers(executor, "writer");
        writers.spawn(write_large(raw.socket));
        co_await pass_turn(50);
        std::string pings;
        for (int i = 0; i < 1000; ++i) pings += frame(true, Opcode::ping, std::to_string(i));
        pings += frame(true, Opcode::text, "all sent");
        co_await raw.peer.write(pings);
        const auto message = co_await raw.socket.read();
        if (message.has_error()) throw std::runtime_error(message.error().message);
        const std::string wire = co_await read_exactly(raw.peer, (8 << 20) + 10 + 5);
        co_await writers.wait_all();
        co_return wire;
    };
    const auto frames = split(run_coroutine(test()));
    REQUIRE(frames.size() == 2);
    CHECK(frames[1] == Frame{Opcode::pong, "999"});
}

TEST_CASE("A silent peer is pinged, then closed for idleness")
{
    Outcome outcome;
    const auto test = [&]() -> awaitable<std::string> {
        const auto executor = co_await asio::this_coro::executor;
        WebSocketLimits limits;
        limits.ping_interval = 10ms;
        limits.idle_limit = 40ms;
        limits.close_limit = 40ms;
        RawPeer raw = raw_peer(executor, Role::server, limits);
        TaskGroup group(executor, "reader");
        group.spawn(read_until_error(raw.socket, outcome));
        const std::string wire = co_await read_to_the_end(raw.peer);
        co_await group.wait_all();
        co_return wire;
    };
    const auto frames = split(run_coroutine(test()));
    CHECK(outcome.code == Code::idle);
    REQUIRE(frames.size() >= 2);
    CHECK(frames.front() == Frame{Opcode::ping, ""});
    CHECK(frames.back() == Frame{Opcode::close, make_close_payload(1008, "idle_timeout")});
}

TEST_CASE("A peer that answers pings stays")
{
    Outcome client, server;
    int pings = 0;
    const auto answer_pings = [&](ByteStream& peer, WebSocket& socket) -> awaitable<void> {
        while (pings < 20) {
            const std::string ping = co_await read_exactly(peer, 2);
            if (split(ping) != std::vector<Frame>{{Opcode::ping, ""}}) co_return;
            ++pings;
            co_await peer.write(frame(true, Opcode::pong, ""));
        }
        co_await peer.write(frame(true, Opcode::text, "alive"));
        co_await pass_turn(5);
        socket.cancel_read();
    };
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        WebSocketLimits limits;
        limits.ping_interval = 5ms;
        limits.idle_limit = 15'000ms;
        RawPeer raw = raw_peer(executor, Role::server, limits);
        TaskGroup group(executor, "peer");
        group.spawn(answer_pings(raw.peer, raw.socket));
        co_await read_until_error(raw.socket, server);
        co_await group.wait_all();
    };
    run_coroutine(test());
    CHECK(pings == 20);
    CHECK(server.code == Code::cancelled);
    CHECK(server.messages == std::vector<std::string>{"alive"});
}

TEST_CASE("A peer that takes no data is given up; the write and the read say why")
{
    Outcome outcome;
    Code write_code = Code::ok;
    const auto write_large = [&](WebSocket& socket) -> awaitable<void> {
        const std::string large(32 << 20, 'x');
        const auto result = co_await socket.write_text(large);
        if (result.has_error()) write_code = result.error().code;
    };
    const auto test = [&]() -> awaitable<bool> {
        const auto executor = co_await asio::this_coro::executor;
        WebSocketLimits limits;
        limits.write_limit = 40ms;
        RawPeer raw = raw_peer(executor, Role::server, limits);
        TaskGroup group(executor, "both");
        group.spawn(read_until_error(raw.socket, outcome));
        group.spawn(write_large(raw.socket));
        co_await group.wait_all();
        co_return raw.socket.is_open();
    };
    CHECK_FALSE(run_coroutine(test()));
    CHECK(outcome.code == Code::slow_client);
    CHECK(write_code == Code::slow_client);
}

TEST_CASE("An end of the stream without a close frame is 1006")
{
    Outcome outcome;
    const auto test = [&]() -> awaitable<std::uint16_t> {
        const auto executor = co_await asio::this_coro::executor;
        RawPeer raw = raw_peer(executor, Role::server);
        co_await raw.peer.write(frame(true, Opcode::text, "whole") + frame(true, Opcode::text, "cut off").substr(0, 8));
        raw.peer.close();
        co_await read_until_error(raw.socket, outcome);
        co_await raw.socket.close(1000, "");  // returns at once
        co_return raw.socket.close_code();
    };
    CHECK(run_coroutine(test()) == 1006);
    CHECK(outcome.code == Code::closed);
    CHECK(outcome.messages == std::vector<std::string>{"whole"});
}

TEST_CASE("A reset that comes with the last bytes is found, although the event loop tells of both at once")
{
    Outcome outcome;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const auto sockets = testing::tcp_sockets();
        WebSocketLimits limits;
        limits.close_limit = 40ms;
        WebSocket socket(ByteStream::adopt_tcp(executor, sockets.far), Role::server, limits);
        TaskGroup group(executor, "reader");
        group.spawn(read_until_error(socket, outcome));
        co_await pass_turn(5);
        const std::string last = frame(true, Opcode::text, "last words");
        ::send(sockets.near, last.data(), last.size(), MSG_NOSIGNAL);
        const linger reset{1, 0};
        ::setsockopt(sockets.near, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        ::close(sockets.near);
        co_await group.wait_all();
    };
    run_coroutine(test());
    CHECK(outcome.messages == std::vector<std::string>{"last words"});
    CHECK(outcome.code == Code::closed);
}

TEST_CASE("A peer that has sent much does not keep its thread from the others")
{
    Outcome outcome;
    std::size_t read_when_it_was_their_turn = 0;
    std::size_t sent = 0;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const auto sockets = testing::tcp_sockets(1 << 20);
        WebSocket socket(ByteStream::adopt_tcp(executor, sockets.far), Role::server, {});
        const std::string message = frame(true, Opcode::text, std::string(1'000, 'x'));
        // Frames are sent whole: the loop ends at the first that does not fit.
        while (::send(sockets.near, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(message.size())) ++sent;
        TaskGroup group(executor, "reader");
        group.spawn(read_until_error(socket, outcome));
        asio::post(executor, [&] { read_when_it_was_their_turn = outcome.messages.size(); });
        co_await pass_turn(100);
        ::close(sockets.near);
        co_await group.wait_all();
    };
    run_coroutine(test());
    REQUIRE(sent > 600);
    CHECK(read_when_it_was_their_turn < sent / 2);
    CHECK(outcome.messages.size() >= sent);
}

TEST_CASE("The peer's last words are read even when a write has already failed")
{
    Outcome outcome;
    const auto test = [&]() -> awaitable<std::uint16_t> {
        const auto executor = co_await asio::this_coro::executor;
        RawPeer raw = raw_peer(executor, Role::client);
        co_await raw.peer.write(frame(true, Opcode::text, "why", false) + close_frame(4000, "that is why", false));
        raw.peer.close();
        for (int i = 0; i < 20; ++i) {
            const auto result = co_await raw.socket.write_text("nobody listens");
            if (result.has_error()) break;
        }
        co_await read_until_error(raw.socket, outcome);
        co_return raw.socket.close_code();
    };
    CHECK(run_coroutine(test()) == 4000);
    CHECK(outcome.code == Code::closed);
    CHECK(outcome.messages == std::vector<std::string>{"why"});
}

TEST_CASE("Aborting ends reads, writes and closes")
{
    Outcome outcome;
    Code write_code = Code::ok;
    const auto write_large = [&](WebSocket& socket) -> awaitable<void> {
        const std::string large(32 << 20, 'x');
        const auto result = co_await socket.write_text(large);
        if (result.has_error()) write_code = result.error().code;
    };
    const auto test = [&]() -> awaitable<bool> {
        const auto executor = co_await asio::this_coro::executor;
        RawPeer raw = raw_peer(executor, Role::server);
        TaskGroup group(executor, "all");
        group.spawn(read_until_error(raw.socket, outcome));
        group.spawn(write_large(raw.socket));
        group.spawn(close_with(raw.socket, 1000, ""));
        co_await pass_turn(20);
        raw.socket.abort();
        co_await group.wait_all();
        co_return raw.socket.is_open();
    };
    CHECK_FALSE(run_coroutine(test()));
    CHECK(outcome.code == Code::closed);
    CHECK(write_code == Code::closed);
}

TEST_CASE("A destroyed socket leaves no work behind, whatever was under way")
{
    asio::io_context context(1);
    Outcome outcome;
    Code write_code = Code::ok;
    const auto read = [&](WebSocket& socket) -> awaitable<void> {
        const auto message = co_await socket.read();
        if (message.has_error()) outcome.code = message.error().code;
    };
    const auto write = [&](WebSocket& socket) -> awaitable<void> {
        const std::string large(32 << 20, 'x');
        const auto result = co_await socket.write_text(large);
        if (result.has_error()) write_code = result.error().code;
    };
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        RawPeer raw = raw_peer(executor, Role::server);
        auto socket = std::make_unique<WebSocket>(std::move(raw.socket));
        asio::co_spawn(executor, read(*socket), [](std::exception_ptr) {});
        asio::co_spawn(executor, write(*socket), [](std::exception_ptr) {});
        co_await pass_turn(10);
        socket.reset();
    };
    asio::co_spawn(context, test(), [](std::exception_ptr) {});
    context.run_for(20s);
    CHECK(context.stopped());  // ran out of work; the default limits would have kept a forgotten timer for 15 s and more
    CHECK(outcome.code == Code::closed);
    CHECK(write_code == Code::closed);
}

TEST_CASE("An io_context may end with sockets in every state")
{
    const auto test = [](std::unique_ptr<asio::io_context>& context, std::unique_ptr<Sockets>& sockets, Outcome& outcome) -> awaitable<void> {
        const auto executor = context->get_executor();
        sockets = std::make_unique<Sockets>(connected(executor));
        asio::co_spawn(executor, read_until_error(sockets->client, outcome), [](std::exception_ptr) {});
        asio::co_spawn(executor, close_with(sockets->server, 1000, ""), [](std::exception_ptr) {});
        co_await sockets->client.write_text("on its way");
    };
    for (int polls = 0; polls < 12; ++polls) {
        auto context = std::make_unique<asio::io_context>(1);
        std::unique_ptr<Sockets> sockets;
        Outcome outcome;
        asio::co_spawn(*context, test(context, sockets, outcome), [](std::exception_ptr) {});
        for (int i = 0; i < polls; ++i) context->poll_one();
        sockets.reset();
        context.reset();  // ASan's leak check is the judge
    }
    SUCCEED();
}

TEST_CASE("Large buffers are given back when the connection falls idle, and reading goes on")
{
    Outcome outcome;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        WebSocketLimits limits;
        limits.close_limit = 4ms;  // a tick of 1 ms
        RawPeer raw = raw_peer(executor, Role::server, limits);
        TaskGroup group(executor, "reader");
        group.spawn(read_until_error(raw.socket, outcome));
        asio::steady_timer pause(executor);
        for (int i = 0; i < 5; ++i) {
            co_await raw.peer.write(frame(true, Opcode::text, std::string(100'000, static_cast<char>('a' + i))));
            pause.expires_after(5ms);
            co_await pause.async_wait(asio::use_awaitable);
        }
        co_await raw.peer.write(close_frame(1000, ""));
        co_await group.wait_all();
    };
    run_coroutine(test());
    CHECK(outcome.code == Code::closed);
    REQUIRE(outcome.messages.size() == 5);
    for (int i = 0; i < 5; ++i) CHECK(outcome.messages[static_cast<std::size_t>(i)] == std::string(100'000, static_cast<char>('a' + i)));
}

TEST_CASE("A socket that another one is assigned to is ended")
{
    const auto test = []() -> awaitable<std::pair<std::string, std::string>> {
        const auto executor = co_await asio::this_coro::executor;
        RawPeer first = raw_peer(executor, Role::server), second = raw_peer(executor, Role::server);
        first.socket = std::move(second.socket);
        std::string from_first = co_await read_to_the_end(first.peer);
        co_await first.socket.write_text("hi");
        std::string from_second = co_await read_exactly(second.peer, 4);
        co_return std::pair(from_first, from_second);
    };
    const auto [from_first, from_second] = run_coroutine(test());
    CHECK(from_first.empty());
    CHECK(from_second == frame(true, Opcode::text, "hi", false));
}

TEST_CASE("Over TLS: messages, a cancelled read, and an orderly close of both sides")
{
    const auto directory = std::filesystem::temp_directory_path() / "repartee_websocket_test_tls";
    const auto files = ensure_self_signed(directory.string());
    REQUIRE(files.has_value());
    const auto server_context = TlsContext::server(files->certificate_file, files->key_file);
    const auto client_context = TlsContext::client(files->certificate_file);
    REQUIRE(server_context.has_value());
    REQUIRE(client_context.has_value());

    Outcome server_outcome;
    const auto serve = [&](ByteStream& stream) -> awaitable<void> {
        const auto shaken = co_await stream.tls_handshake_as_server(*server_context, 10s);
        if (shaken.has_error()) co_return;
        WebSocket server(std::move(stream), Role::server, {});
        for (std::size_t i = 0; i < 4; ++i) {
            const auto message = co_await server.read();
            if (message.has_value()) co_await server.write_text(message->text());
        }
        co_await read_until_error(server, server_outcome);
    };
    std::vector<std::size_t> echoed;
    std::uint16_t code = 0;
    bool was_tls = false;
    Outcome cancelled;
    const auto test = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto pair = tcp_pair(executor);
        TaskGroup group(executor, "server"), readers(executor, "reader");
        group.spawn(serve(pair.far));
        const auto shaken = co_await pair.near.tls_handshake_as_client(*client_context, "localhost", 10s);
        if (shaken.has_error()) throw std::runtime_error(shaken.error().message);
        WebSocket client(std::move(pair.near), Role::client, {});
        was_tls = client.is_tls();
        readers.spawn(read_until_error(client, cancelled));
        co_await pass_turn(5);
        client.cancel_read();
        co_await readers.wait_all();
        for (const std::size_t size : {0, 100, 20'000, 300'000}) {
            const std::string text(size, 'k');
            co_await client.write_text(text);
            const auto message = co_await client.read();
            if (message.has_value() && message->text() == text) echoed.push_back(size);
        }
        co_await client.close(1000, "done");
        code = client.close_code();
        co_await group.wait_all();
    };
    run_coroutine(test());
    std::filesystem::remove_all(directory);
    CHECK(was_tls);
    CHECK(cancelled.code == Code::cancelled);
    CHECK(echoed == std::vector<std::size_t>{0, 100, 20'000, 300'000});
    CHECK(code == 1000);
    CHECK(server_outcome.code == Code::closed);
}
