#include "repartee/net/signal.hpp"

#include "../../support/run_coroutine.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

using namespace repartee;
using net::Signal;
using repartee::testing::run_coroutine;
using std::chrono::steady_clock;

namespace {

constexpr auto long_enough = std::chrono::hours(1);

struct Counted {
    int& alive;
    explicit Counted(int& counter) : alive(counter) { ++alive; }
    ~Counted() { --alive; }
    Counted(const Counted&) = delete;
};

awaitable<void> wait_and_count(Signal& signal, int times, int& woken)
{
    for (int i = 0; i < times; ++i) {
        co_await signal.wait();
        ++woken;
    }
}

awaitable<void> answer_each(Signal& mine, Signal& theirs, int times, int& sum)
{
    for (int i = 0; i < times; ++i) {
        co_await mine.wait();
        ++sum;
        theirs.notify();
    }
}

awaitable<void> own_a_signal_and_wait(int& alive, bool with_deadline)
{
    const Counted counted(alive);
    const auto executor = co_await asio::this_coro::executor;
    Signal signal(executor);
    if (with_deadline) {
        const bool notified = co_await signal.wait_until(steady_clock::now() + long_enough);
        static_cast<void>(notified);
    } else {
        co_await signal.wait();
    }
}

awaitable<void> wait_on(std::shared_ptr<Signal> signal, int& alive)
{
    const Counted counted(alive);
    co_await signal->wait();
}

awaitable<void> one_turn()
{
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
}

}  // namespace

TEST_CASE("A notification before the wait is remembered, once")
{
    const auto body = []() -> awaitable<std::pair<bool, bool>> {
        const auto executor = co_await asio::this_coro::executor;
        Signal signal(executor);
        signal.notify();
        signal.notify();
        co_await signal.wait();
        signal.notify();
        const bool remembered = co_await signal.wait_until(steady_clock::now() + long_enough);
        const bool again = co_await signal.wait_until(steady_clock::now());
        co_return std::pair(remembered, again);
    };
    const auto [remembered, again] = run_coroutine(body());
    CHECK(remembered);
    CHECK_FALSE(again);
}

TEST_CASE("A notification wakes the waiting coroutine, but not inside of notify()")
{
    int woken = 0, woken_inside = -1;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        Signal signal(executor);
        asio::co_spawn(executor, wait_and_count(signal, 1, woken), asio::detached);
        co_await one_turn();
        signal.notify();
        woken_inside = woken;
        while (woken == 0) co_await one_turn();
    };
    run_coroutine(body());
    CHECK(woken_inside == 0);
    CHECK(woken == 1);
}

TEST_CASE("A wait ends at its deadline without a notification")
{
    const auto body = []() -> awaitable<std::pair<bool, Instant>> {
        const auto executor = co_await asio::this_coro::executor;
        Signal signal(executor);
        const bool notified = co_await signal.wait_until(steady_clock::now() + std::chrono::milliseconds(5));
        co_return std::pair(notified, steady_clock::now());
    };
    const auto start = steady_clock::now();
    const auto [notified, ended] = run_coroutine(body());
    CHECK_FALSE(notified);
    CHECK(ended - start >= std::chrono::milliseconds(5));
}

TEST_CASE("Deadlines may come nearer and go further from wait to wait")
{
    const auto body = []() -> awaitable<std::vector<bool>> {
        const auto executor = co_await asio::this_coro::executor;
        Signal signal(executor);
        std::vector<bool> notified;
        const auto notify_soon = [&] { asio::post(executor, [&signal] { signal.notify(); }); };
        notify_soon();
        notified.push_back(co_await signal.wait_until(steady_clock::now() + long_enough));
        notified.push_back(co_await signal.wait_until(steady_clock::now() + std::chrono::milliseconds(3)));
        notify_soon();
        notified.push_back(co_await signal.wait_until(steady_clock::now() + std::chrono::milliseconds(2)));
        // The timer of the wait before is still armed for an earlier instant, and fires during this one.
        notified.push_back(co_await signal.wait_until(steady_clock::now() + std::chrono::milliseconds(10)));
        notify_soon();
        co_await signal.wait();
        co_return notified;
    };
    CHECK(run_coroutine(body()) == std::vector<bool>{true, false, true, false});
}

TEST_CASE("A notification that races its deadline is never lost and never counted twice")
{
    const auto body = []() -> awaitable<std::pair<int, int>> {
        const auto executor = co_await asio::this_coro::executor;
        Signal signal(executor);
        int notifications = 0, wakes = 0;
        for (int i = 0; i < 300; ++i) {
            const auto deadline = steady_clock::now() + std::chrono::microseconds(i % 60);
            asio::steady_timer timer(executor, deadline);
            timer.async_wait([&](boost::system::error_code ec) {
                if (ec) return;
                ++notifications;
                signal.notify();
            });
            const bool notified = co_await signal.wait_until(deadline);
            wakes += notified;
            timer.cancel();
            co_await one_turn();
            co_await one_turn();
            const bool remembered = co_await signal.wait_until(steady_clock::now());
            wakes += remembered;
        }
        co_return std::pair(notifications, wakes);
    };
    const auto [notifications, wakes] = run_coroutine(body());
    CHECK(notifications == wakes);
}

TEST_CASE("Two coroutines hand over to each other ten thousand times")
{
    int sum = 0;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        Signal a(executor), b(executor);
        asio::co_spawn(executor, answer_each(a, b, 10'000, sum), asio::detached);
        a.notify();
        co_await answer_each(b, a, 10'000, sum);
    };
    run_coroutine(body());
    CHECK(sum == 20'000);
}

TEST_CASE("A Signal that is destroyed lets its waiter go on")
{
    int woken = 0;
    const auto body = [&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        std::optional<Signal> signal(std::in_place, executor);
        asio::co_spawn(executor, wait_and_count(*signal, 1, woken), asio::detached);
        co_await one_turn();
        signal.reset();
        while (woken == 0) co_await one_turn();
    };
    run_coroutine(body());
    CHECK(woken == 1);
}

TEST_CASE("The end of the io_context destroys coroutines that wait on Signals")
{
    int alive = 0;
    const bool with_deadline = GENERATE(false, true);
    {
        asio::io_context context(1);
        for (int i = 0; i < 3; ++i) asio::co_spawn(context, own_a_signal_and_wait(alive, with_deadline), asio::detached);
        asio::co_spawn(context, wait_on(std::make_shared<Signal>(context.get_executor()), alive), asio::detached);
        context.poll();
        REQUIRE(alive == 4);
    }
    CHECK(alive == 0);
}
