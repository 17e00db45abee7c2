#include "repartee/net/http_server.hpp"

#include "../../support/event_loop.hpp"
#include "../../support/tls_contexts.hpp"
#include "repartee/net/listener.hpp"
#include "repartee/net/tls_context.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <sys/socket.h>

#include <atomic>
#include <optional>
#include <string>

using namespace repartee;
using namespace repartee::net;
using namespace std::chrono_literals;
using testing::EventLoop;
using testing::tls_contexts;

// Connections that go from one event loop to another, each on a thread of its own.
namespace {

constexpr auto ample = 10s;

struct Accepted {
    Listener listener;
    std::string port;
};

Accepted listen_on(const asio::any_io_executor& executor)
{
    HostPort where;
    where.host = "127.0.0.1";
    auto listener = Listener::bind(executor, where).value();
    std::string port = std::to_string(listener.port());
    return {std::move(listener), std::move(port)};
}

awaitable<ByteStream> accept_one(Listener& listener, bool tls)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto native = co_await listener.accept();
    auto stream = ByteStream::adopt_tcp(executor, native.value());
    if (!tls) co_return stream;
    const auto secured = co_await stream.tls_handshake_as_server(tls_contexts().server, ample);
    if (!secured) throw std::runtime_error(secured.error().message);
    co_return stream;
}

awaitable<ByteStream> connect_to(std::string port, bool tls)
{
    auto stream = co_await ByteStream::connect("127.0.0.1", port, ample);
    if (!stream) throw std::runtime_error(stream.error().message);
    if (!tls) co_return std::move(*stream);
    const auto secured = co_await stream->tls_handshake_as_client(tls_contexts().client, "localhost", ample);
    if (!secured) throw std::runtime_error(secured.error().message);
    co_return std::move(*stream);
}

awaitable<std::string> read_exactly(ByteStream& stream, std::size_t bytes)
{
    std::string all(bytes, '\0');
    std::size_t have = 0;
    while (have < bytes) {
        const auto n = co_await stream.read_some(std::as_writable_bytes(std::span(all).subspan(have)));
        if (!n) break;
        have += *n;
    }
    all.resize(have);
    co_return all;
}

awaitable<bool> write_all(ByteStream& stream, std::string text)
{
    const auto written = co_await stream.write(text);
    co_return written.has_value();
}

awaitable<bool> sees_the_end(ByteStream& stream)
{
    std::byte one[1];
    const auto n = co_await stream.read_some(one);
    co_return n.has_error();
}

std::string numbered(std::size_t lines)
{
    std::string text;
    for (std::size_t i = 0; i < lines; ++i) text += std::to_string(i) + "\n";
    return text;
}

/// A client on its own loop, and its server's end on `from`.
struct Connection {
    EventLoop& client_loop;
    EventLoop& from;
    ByteStream client, server;

    Connection(EventLoop& at_client, EventLoop& at_server, bool tls) : client_loop(at_client), from(at_server)
    {
        auto door = from.run([&] { return std::make_unique<Accepted>(listen_on(from.executor())); });
        auto connecting = client_loop.start(connect_to(door->port, tls));
        server = from.run_coroutine(accept_one(door->listener, tls));
        client = connecting.get();
        from.run([&] { door.reset(); });
    }
    ~Connection()
    {
        client_loop.run([this] { client = {}; });
        from.run([this] { server = {}; });
    }
};

}  // namespace

TEST_CASE("a stream goes on on another thread, with what TLS had read ahead")
{
    const bool tls = GENERATE(false, true);
    CAPTURE(tls);
    EventLoop client_loop, from, to;
    for (int round = 0; round < 8; ++round) {
        Connection c(client_loop, from, tls);
        const std::string up = numbered(3'000), down = numbered(2'000);
        // Several records come with one read of the socket; only the first byte is taken before the move.
        auto writing = client_loop.start(write_all(c.client, up));
        const std::string first = from.run_coroutine(read_exactly(c.server, 1));
        REQUIRE(writing.get());

        PartedStream parted = from.run([&] { return c.server.part(); });
        REQUIRE(parted.is_open());
        REQUIRE_FALSE(c.server.is_open());
        ByteStream moved = to.run([&] { return ByteStream::join(to.executor(), std::move(parted)); });
        REQUIRE(moved.is_tls() == tls);
        REQUIRE(moved.remote_address() == "127.0.0.1");

        const std::string rest = to.run_coroutine(read_exactly(moved, up.size() - 1));
        REQUIRE(first + rest == up);
        auto reading = client_loop.start(read_exactly(c.client, down.size()));
        REQUIRE(to.run_coroutine(write_all(moved, down)));
        REQUIRE(reading.get() == down);
        // What arrives later is told to the new loop only.
        auto late = to.start(read_exactly(moved, 4));
        REQUIRE(client_loop.run_coroutine(write_all(c.client, "late")));
        REQUIRE(late.get() == "late");
        to.run([&] { moved = {}; });
        REQUIRE(client_loop.run_coroutine(sees_the_end(c.client)));
    }
}

TEST_CASE("a stream that nobody joins is closed, and its companion goes with the connection")
{
    const bool tls = GENERATE(false, true);
    EventLoop client_loop, from, to;
    const auto companion = std::make_shared<int>(0);
    const auto others = [&] { return companion.use_count() - 1; };

    SECTION("dropped between two loops")
    {
        Connection c(client_loop, from, tls);
        from.run([&] { c.server.keep(companion); });
        std::optional<PartedStream> parted = from.run([&] { return c.server.part(); });
        REQUIRE(others() == 1);
        parted.reset();
        REQUIRE(others() == 0);
        REQUIRE(client_loop.run_coroutine(sees_the_end(c.client)));
    }
    SECTION("closed on the second")
    {
        Connection c(client_loop, from, tls);
        from.run([&] { c.server.keep(companion); });
        PartedStream parted = from.run([&] { return c.server.part(); });
        ByteStream moved = to.run([&] { return ByteStream::join(to.executor(), std::move(parted)); });
        REQUIRE(others() == 1);
        to.run([&] { moved.close(); });
        REQUIRE(others() == 0);
        to.run([&] { moved = {}; });
        REQUIRE(client_loop.run_coroutine(sees_the_end(c.client)));
    }
    SECTION("a loop that is gone before it took the stream")
    {
        Connection c(client_loop, from, tls);
        auto parted = std::make_shared<PartedStream>(from.run([&] { return c.server.part(); }));
        {
            asio::io_context never_run;
            asio::post(never_run, [parted] {});
            parted.reset();
        }
        REQUIRE(client_loop.run_coroutine(sees_the_end(c.client)));
    }
    SECTION("closed before it was parted")
    {
        Connection c(client_loop, from, tls);
        from.run([&] { c.server.keep(companion); });
        PartedStream parted = from.run([&] {
            c.server.close();
            return c.server.part();
        });
        REQUIRE_FALSE(parted.is_open());
        REQUIRE(others() == 0);
    }
}

namespace {

/// Echoes until the client closes; counts on which thread.
awaitable<void> echo(WebSocket socket, std::thread::id expected, std::atomic<int>& elsewhere, std::promise<void>& over)
{
    for (;;) {
        const auto message = co_await socket.read();
        if (std::this_thread::get_id() != expected) ++elsewhere;
        if (!message) break;
        const std::string text(message->text());
        const auto sent = co_await socket.write_text(text);
        if (!sent) break;
    }
    over.set_value();
}

awaitable<void> serve_one(Listener& listener, bool tls, const Handler& handler)
{
    auto stream = co_await accept_one(listener, tls);
    const HttpLimits limits;
    co_await serve_http(std::move(stream), handler, limits);
}

awaitable<std::string> talk(std::string port, bool tls, std::string early, int rounds)
{
    auto stream = co_await connect_to(std::move(port), tls);
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    std::string frame;
    if (!early.empty()) {
        constexpr std::array<std::uint8_t, 4> no_mask{};
        std::array<std::byte, frame_header_bytes_max> header;
        const std::size_t n = write_frame_header(true, Opcode::text, early.size(), &no_mask, header.data());
        frame = std::string(reinterpret_cast<const char*>(header.data()), n) + early;
    }
    const auto asked = co_await stream.write(head + frame);
    if (!asked) co_return "no request sent";
    std::string answer;
    while (!answer.ends_with("\r\n\r\n")) {
        std::string one = co_await read_exactly(stream, 1);
        if (one.empty()) co_return "ended in " + answer;
        answer += one;
    }
    const WebSocketLimits limits;
    WebSocket socket(std::move(stream), WebSocket::Role::client, limits);
    std::string heard;
    for (int i = early.empty() ? 0 : -1; i < rounds; ++i) {
        if (i >= 0) {
            const auto sent = co_await socket.write_text(std::to_string(i));
            if (!sent) co_return "no message sent";
        }
        const auto message = co_await socket.read();
        if (!message) co_return "no message came: " + message.error().message;
        heard += message->text();
        heard += ' ';
    }
    co_await socket.close(1000, "");
    co_return heard;
}

}  // namespace

TEST_CASE("a WebSocket upgrade is handed to another event loop")
{
    const bool tls = GENERATE(false, true);
    const bool with_early = GENERATE(false, true);
    CAPTURE(tls, with_early);
    EventLoop client_loop, from, to;
    for (int round = 0; round < 8; ++round) {
        std::atomic<int> elsewhere{0};
        std::promise<void> over;
        const Handler handler = [&](Request) -> awaitable<Reply> {
            Upgrade upgrade;
            upgrade.hand_over = [&](PartedWebSocket parted) {
                const auto shared = std::make_shared<PartedWebSocket>(std::move(parted));
                asio::post(to.executor(), [&, shared] {
                    asio::co_spawn(to.executor(), echo(WebSocket::join(to.executor(), std::move(*shared)), to.thread_id(), elsewhere, over),
                                   asio::detached);
                });
            };
            Reply reply = std::move(upgrade);
            co_return reply;
        };
        auto door = from.run([&] { return std::make_unique<Accepted>(listen_on(from.executor())); });
        auto serving = from.start(serve_one(door->listener, tls, handler));
        auto talking = client_loop.start(talk(door->port, tls, with_early ? "early" : "", 3));
        // The loop that accepted is done at the hand-over, not when the conversation is.
        serving.get();
        REQUIRE(talking.get() == (with_early ? "early 0 1 2 " : "0 1 2 "));
        over.get_future().get();
        REQUIRE(elsewhere == 0);
        from.run([&] { door.reset(); });
    }
}

TEST_CASE("an upgrade whose client is gone is not handed over")
{
    EventLoop client_loop, from;
    std::atomic<int> handed_over{0};
    const auto witness = std::make_shared<int>(0);
    const Handler handler = [&](Request request) -> awaitable<Reply> {
        while (!request.gone.stop_requested()) {
            const auto executor = co_await asio::this_coro::executor;
            co_await asio::post(executor, asio::use_awaitable);
        }
        Upgrade upgrade;
        upgrade.hand_over = [&handed_over, witness](PartedWebSocket) { ++handed_over; };
        Reply reply = std::move(upgrade);
        co_return reply;
    };
    auto door = from.run([&] { return std::make_unique<Accepted>(listen_on(from.executor())); });
    auto serving = from.start(serve_one(door->listener, false, handler));
    auto client = client_loop.run_coroutine(connect_to(door->port, false));
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    REQUIRE(client_loop.run_coroutine(write_all(client, head)));
    client_loop.run([&] { client = {}; });
    serving.get();
    REQUIRE(witness.use_count() == 1);
    REQUIRE(handed_over <= 1);  // the kernel may take the answer for a client that has just left
    from.run([&] { door.reset(); });
}
