#include "net/http_pool.hpp"

#include "../../support/run_coroutine.hpp"
#include "../../support/tcp_pair.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <vector>

using namespace repartee;
using namespace repartee::net;
using namespace std::chrono_literals;
using testing::run_coroutine;
using testing::tcp_pair;

namespace {

struct Kept {
    std::unique_ptr<HttpConnection> connection;
    ByteStream peer;
};

Kept connected(asio::any_io_executor executor, std::string key)
{
    auto pair = tcp_pair(executor);
    Kept kept;
    kept.connection = std::make_unique<HttpConnection>();
    kept.connection->stream = std::move(pair.near);
    kept.connection->key = std::move(key);
    kept.peer = std::move(pair.far);
    return kept;
}

template <class Test>
void with_pool(std::size_t idle_max, std::size_t total_max, milliseconds idle_limit, Test test)
{
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        const auto pool = std::make_shared<HttpPool>(executor, idle_max, total_max, idle_limit);
        awaitable<void> run = test(executor, *pool);
        co_await std::move(run);
        pool->close();
    };
    run_coroutine(body());
}

}  // namespace

TEST_CASE("The youngest connection of a key is taken first, once")
{
    with_pool(8, 32, 30s, [](asio::any_io_executor executor, HttpPool& pool) -> awaitable<void> {
        Kept a = connected(executor, "a"), younger = connected(executor, "a"), b = connected(executor, "b");
        HttpConnection* const expected[] = {younger.connection.get(), a.connection.get()};
        pool.put(std::move(a.connection));
        pool.put(std::move(younger.connection));
        pool.put(std::move(b.connection));
        CHECK(pool.idle() == 3);
        const auto first = pool.take("a"), second = pool.take("a"), third = pool.take("a");
        CHECK(first.get() == expected[0]);
        CHECK(second.get() == expected[1]);
        CHECK(third == nullptr);
        CHECK(pool.idle() == 1);
        co_return;
    });
}

TEST_CASE("The oldest goes when a key or the whole has too many")
{
    with_pool(2, 3, 30s, [](asio::any_io_executor executor, HttpPool& pool) -> awaitable<void> {
        std::vector<Kept> kept;
        const char* const keys[] = {"a", "b", "b", "b", "c"};
        for (const char* key : keys) kept.push_back(connected(executor, key));
        HttpConnection* const last_b = kept[3].connection.get();
        for (auto& each : kept) pool.put(std::move(each.connection));
        CHECK(pool.idle() == 3);
        CHECK(pool.take("a") == nullptr);
        const auto b = pool.take("b");
        CHECK(b.get() == last_b);
        CHECK(pool.take("b") != nullptr);
        CHECK(pool.take("c") != nullptr);
        co_return;
    });
}

TEST_CASE("A connection that its peer has closed, or spoken on, is not handed out")
{
    with_pool(8, 32, 30s, [](asio::any_io_executor executor, HttpPool& pool) -> awaitable<void> {
        Kept ended = connected(executor, "a"), spoken = connected(executor, "a"), good = connected(executor, "a");
        HttpConnection* const expected = good.connection.get();
        pool.put(std::move(good.connection));
        pool.put(std::move(ended.connection));
        pool.put(std::move(spoken.connection));
        ended.peer.close();
        co_await spoken.peer.write("408");
        for (int i = 0; i < 10; ++i) co_await asio::post(executor, asio::use_awaitable);
        const auto taken = pool.take("a");
        CHECK(taken.get() == expected);
        CHECK(pool.idle() == 0);

        Kept late = connected(executor, "a");
        late.peer.close();
        pool.put(std::move(late.connection));
        CHECK(pool.idle() == 0);
    });
}

TEST_CASE("What is not used for a while is closed; a closed pool keeps nothing")
{
    with_pool(8, 32, 20ms, [](asio::any_io_executor executor, HttpPool& pool) -> awaitable<void> {
        Kept one = connected(executor, "a"), two = connected(executor, "a");
        pool.put(std::move(one.connection));
        std::byte byte;
        const auto n = co_await one.peer.read_some(std::span(&byte, 1));
        CHECK(n.error().code == Code::closed);
        CHECK(pool.idle() == 0);
        pool.close();
        pool.put(std::move(two.connection));
        CHECK(pool.idle() == 0);
    });
}
