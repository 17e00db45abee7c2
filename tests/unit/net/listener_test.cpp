#include "repartee/net/listener.hpp"

#include "../../support/run_coroutine.hpp"
#include "repartee/net/task_group.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <optional>
#include <vector>

using namespace repartee;
using namespace std::chrono_literals;
using net::ByteStream;
using net::Listener;
using net::TaskGroup;
using repartee::testing::run_coroutine;

namespace {

net::HostPort free_port_on(const char* host)
{
    net::HostPort where;
    where.host = host;
    return where;
}

awaitable<void> turns(int count)
{
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < count; ++i) co_await asio::post(executor, asio::use_awaitable);
}

awaitable<void> keep_accept(Task<int> accept, std::optional<Result<int>>& result)
{
    auto outcome = co_await std::move(accept);
    result.emplace(std::move(outcome));
}

awaitable<void> adopt_all(Listener& listener, std::size_t count, std::vector<ByteStream>& adopted)
{
    const auto executor = co_await asio::this_coro::executor;
    while (adopted.size() < count) {
        const auto accepted = co_await listener.accept();
        adopted.push_back(ByteStream::adopt_tcp(executor, accepted.value()));
    }
}

awaitable<std::string> pass_on(ByteStream& from, ByteStream& to, std::string text)
{
    const auto written = co_await from.write(text);
    CHECK(written.has_value());
    std::vector<std::byte> buffer(text.size());
    const auto n = co_await to.read_some(buffer);
    co_return std::string(reinterpret_cast<const char*>(buffer.data()), n.value());
}

}  // namespace

TEST_CASE("HOST:PORT is parsed, with brackets around IPv6")
{
    struct Row {
        const char *text, *host;
        int port;
    };
    const Row rows[] = {{"127.0.0.1:8000", "127.0.0.1", 8000}, {"[::1]:0", "::1", 0},     {"localhost:65535", "localhost", 65535},
                        {"0.0.0.0:1", "0.0.0.0", 1},           {"[::]:8000", "::", 8000}, {"my-host.example:80", "my-host.example", 80}};
    for (const auto& row : rows) {
        INFO(row.text);
        const auto parsed = net::parse_host_port(row.text);
        REQUIRE(parsed.has_value());
        CHECK(parsed->host == row.host);
        CHECK(parsed->port == row.port);
    }
    for (const char* bad : {"", "8000", ":8000", "localhost", "localhost:", "localhost:65536", "localhost:-1", "localhost:8o", "::1:8000",
                            "[::1]", "[::1:80", "::1]:80", "[]:80", "[localhost]:80", "a b:80", "http://x:80"}) {
        INFO(bad);
        const auto parsed = net::parse_host_port(bad);
        REQUIRE(parsed.has_error());
        CHECK(parsed.error().code == Code::invalid_value);
        CHECK_THAT(parsed.error().message, Catch::Contains("127.0.0.1:8000"));
    }
}

TEST_CASE("Accepted sockets are non-blocking, closed on exec, and carry bytes once adopted")
{
    const char* host = GENERATE("127.0.0.1", "localhost");
    const auto body = [&]() -> awaitable<std::string> {
        const auto executor = co_await asio::this_coro::executor;
        auto listener = Listener::bind(executor, free_port_on(host));
        CHECK(listener->port() != 0);
        auto client = co_await ByteStream::connect("127.0.0.1", std::to_string(listener->port()), 10s);
        const auto accepted = co_await listener->accept();
        CHECK((::fcntl(*accepted, F_GETFL) & O_NONBLOCK) != 0);
        CHECK((::fcntl(*accepted, F_GETFD) & FD_CLOEXEC) != 0);
        auto server = ByteStream::adopt_tcp(executor, *accepted);
        co_return co_await pass_on(server, *client, "hello");
    };
    CHECK(run_coroutine(body()) == "hello");
}

TEST_CASE("Many connections that queued before, and others that come later, are all accepted")
{
    constexpr std::size_t count = 100;
    std::vector<ByteStream> adopted;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto listener = Listener::bind(executor, free_port_on("127.0.0.1"));
        std::vector<ByteStream> clients;
        TaskGroup group(executor, "accept");
        for (std::size_t i = 0; i < count; ++i) {
            if (i == count / 2) group.spawn(adopt_all(*listener, count, adopted));
            auto client = co_await ByteStream::connect("127.0.0.1", std::to_string(listener->port()), 10s);
            clients.push_back(std::move(client.value()));
        }
        co_await group.wait_all();
        CHECK(adopted.size() == count);
        adopted.clear();
    };
    run_coroutine(body());
}

TEST_CASE("Closing ends an outstanding accept, and every later one")
{
    std::optional<Result<int>> outstanding, later;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto bound = Listener::bind(executor, free_port_on("127.0.0.1"));
        Listener listener = std::move(*bound);
        TaskGroup group(executor, "accept");
        group.spawn(keep_accept(listener.accept(), outstanding));
        co_await turns(3);
        CHECK_FALSE(outstanding.has_value());
        listener.close();
        co_await group.wait_all();
        co_await keep_accept(listener.accept(), later);
    };
    run_coroutine(body());
    CHECK(outstanding->error().code == Code::closed);
    CHECK(later->error().code == Code::closed);
}

TEST_CASE("An address in use is named with the cause")
{
    asio::io_context context(1);
    const auto first = Listener::bind(context.get_executor(), free_port_on("127.0.0.1"));
    REQUIRE(first.has_value());
    auto same = free_port_on("127.0.0.1");
    same.port = first->port();
    const auto second = Listener::bind(context.get_executor(), same);
    REQUIRE(second.has_error());
    CHECK(second.error().code == Code::invalid_value);
    CHECK_THAT(second.error().message, Catch::Contains("127.0.0.1:" + std::to_string(same.port) + ": Address already in use"));
    // An address of no machine (RFC 5737).
    CHECK(Listener::bind(context.get_executor(), free_port_on("192.0.2.1")).has_error());
}

#ifndef __SANITIZE_ADDRESS__
// Not in that build: its UBSan looks at objects through a pipe, and reports the object when it has no descriptors for one.
TEST_CASE("Accepting pauses while descriptors run out, and goes on afterwards")
{
    std::vector<ByteStream> adopted;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto listener = Listener::bind(executor, free_port_on("127.0.0.1"));
        auto client = co_await ByteStream::connect("127.0.0.1", std::to_string(listener->port()), 10s);
        std::vector<int> hoard;
        rlimit usual{};
        ::getrlimit(RLIMIT_NOFILE, &usual);
        rlimit tight = usual;
        tight.rlim_cur = 64;
        ::setrlimit(RLIMIT_NOFILE, &tight);
        for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) hoard.push_back(fd);

        TaskGroup group(executor, "accept");
        std::optional<Result<int>> accepted;
        group.spawn(keep_accept(listener->accept(), accepted));
        co_await turns(50);
        CHECK_FALSE(accepted.has_value());

        for (const int fd : hoard) ::close(fd);
        ::setrlimit(RLIMIT_NOFILE, &usual);
        co_await group.wait_all();
        adopted.push_back(ByteStream::adopt_tcp(executor, accepted->value()));
        CHECK(adopted.front().is_open());
        adopted.clear();
    };
    run_coroutine(body());
}
#endif
