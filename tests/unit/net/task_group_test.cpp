#include "repartee/net/task_group.hpp"

#include "../../support/run_coroutine.hpp"
#include "repartee/net/signal.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <memory>
#include <stdexcept>

using namespace repartee;
using net::Signal;
using net::TaskGroup;
using repartee::testing::run_coroutine;

namespace {

awaitable<void> take_turns(int turns, int& ended)
{
    const auto executor = co_await asio::this_coro::executor;
    for (int i = 0; i < turns; ++i) co_await asio::post(executor, asio::use_awaitable);
    ++ended;
}

awaitable<void> fail_after_a_turn()
{
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    throw std::runtime_error("a child's failure");
}

awaitable<void> hold(std::shared_ptr<int> held, Signal& signal)
{
    co_await signal.wait();
    ++*held;
}

}  // namespace

TEST_CASE("wait_all of a group without children returns at once, also a second time")
{
    const auto body = []() -> awaitable<std::size_t> {
        const auto executor = co_await asio::this_coro::executor;
        TaskGroup group(executor, "test");
        co_await group.wait_all();
        co_await group.wait_all();
        co_return group.running();
    };
    CHECK(run_coroutine(body()) == 0);
}

TEST_CASE("wait_all returns when the last child has ended")
{
    int ended = 0, ended_at_first_wait = 0;
    const auto body = [&]() -> awaitable<std::size_t> {
        const auto executor = co_await asio::this_coro::executor;
        TaskGroup group(executor, "test");
        for (int i = 0; i < 20; ++i) group.spawn(take_turns(i % 7, ended));
        co_await group.wait_all();
        ended_at_first_wait = ended;
        group.spawn(take_turns(3, ended));
        const auto running = group.running();
        co_await group.wait_all();
        co_return running;
    };
    CHECK(run_coroutine(body()) == 1);
    CHECK(ended_at_first_wait == 20);
    CHECK(ended == 21);
}

TEST_CASE("A child that throws ends alone")
{
    int ended = 0;
    const auto body = [&]() -> awaitable<std::size_t> {
        const auto executor = co_await asio::this_coro::executor;
        TaskGroup group(executor, "test");
        group.spawn(fail_after_a_turn());
        group.spawn(take_turns(10, ended));
        co_await group.wait_all();
        co_return group.running();
    };
    CHECK(run_coroutine(body()) == 0);
    CHECK(ended == 1);
}

TEST_CASE("The end of the io_context destroys the children that are left")
{
    const auto held = std::make_shared<int>(0);
    {
        asio::io_context context(1);
        Signal first(context.get_executor()), second(context.get_executor());
        TaskGroup group(context.get_executor(), "test");
        group.spawn(hold(held, first));
        group.spawn(hold(held, second));
        context.poll();
        CHECK(held.use_count() == 3);
        CHECK(group.running() == 2);
    }
    CHECK(*held == 0);
    CHECK(held.use_count() == 1);
}
