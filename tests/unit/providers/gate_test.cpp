#include "repartee/providers/gate.hpp"
#include "run.hpp"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <thread>

using namespace repartee;
using namespace repartee::providers;
using test::ok;
using test::run;
using std::chrono::milliseconds;

namespace {

struct Counts {
    std::atomic<int> inside{0}, inside_max{0}, ended{0};
};

awaitable<void> visit(Gate& gate, Counts& counts, asio::io_context& context)
{
    auto pass = co_await gate.enter({}, std::chrono::minutes(1));
    const int inside = ++counts.inside;
    int seen = counts.inside_max;
    while (inside > seen && !counts.inside_max.compare_exchange_weak(seen, inside)) {}
    for (int i = 0; i < 5; ++i) co_await asio::post(context, asio::use_awaitable);
    --counts.inside;
    if (pass) ++counts.ended;
}

}  // namespace

TEST_CASE("never more than the gate's places are taken, over several threads, and everybody gets in")
{
    Gate gate(3);
    Counts counts;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
        threads.emplace_back([&] {
            asio::io_context context;
            for (int i = 0; i < 20; ++i) asio::co_spawn(context, visit(gate, counts, context), [](std::exception_ptr) {});
            context.run();
        });
    for (auto& thread : threads) thread.join();
    CHECK(counts.ended == 60);
    CHECK(counts.inside_max <= 3);
    CHECK(counts.inside_max >= 1);
}

TEST_CASE("who waits in vain is told that it is busy, and who is stopped, that he was")
{
    Gate gate(1);
    auto held = run(gate.enter({}, milliseconds(0)));
    REQUIRE(ok(held));
    const auto busy = run(gate.enter({}, milliseconds(0)));
    REQUIRE(!busy);
    CHECK(busy.error().code == Code::busy);
    std::stop_source stop;
    asio::io_context context;
    asio::post(context, [&] { stop.request_stop(); });
    const auto stopped = run(context, gate.enter(stop.get_token(), std::chrono::minutes(1)));
    REQUIRE(!stopped);
    CHECK(stopped.error().code == Code::cancelled);
    const auto before = run(gate.enter(stop.get_token(), std::chrono::minutes(1)));
    REQUIRE(!before);
    CHECK(before.error().code == Code::cancelled);
}

TEST_CASE("a place comes free when its pass is gone, and one given to a vanished waiter is not lost")
{
    Gate gate(1);
    {
        auto held = run(gate.enter({}, milliseconds(0)));
        REQUIRE(ok(held));
        asio::io_context vanishing;
        asio::co_spawn(vanishing, gate.enter({}, std::chrono::minutes(1)), [](std::exception_ptr, Result<Gate::Pass>) {});
        vanishing.poll();
    }
    CHECK(run(gate.enter({}, milliseconds(0))).has_value());
    {
        asio::io_context admitted_then_vanishing;
        {
            auto held = run(gate.enter({}, milliseconds(0)));
            REQUIRE(ok(held));
            asio::co_spawn(admitted_then_vanishing, gate.enter({}, std::chrono::minutes(1)), [](std::exception_ptr, Result<Gate::Pass>) {});
            admitted_then_vanishing.poll();
        }
    }
    CHECK(run(gate.enter({}, milliseconds(0))).has_value());
}
