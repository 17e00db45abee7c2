#include "repartee/net/deadline.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <memory>
#include <optional>

using namespace repartee;
using net::Deadline;
using std::chrono::milliseconds;

TEST_CASE("A deadline acts once, when its limit is over")
{
    asio::io_context context(1);
    int acted = 0;
    const Deadline deadline(context.get_executor(), milliseconds(3), [&] { ++acted; });
    CHECK_FALSE(deadline.expired());
    context.run();
    CHECK(acted == 1);
    CHECK(deadline.expired());
}

TEST_CASE("A deadline that is destroyed before never acts, and holds the io_context up no longer")
{
    asio::io_context context(1);
    int acted = 0;
    {
        const Deadline deadline(context.get_executor(), std::chrono::hours(1), [&] { ++acted; });
        context.poll();
    }
    context.run();
    CHECK(acted == 0);
}

TEST_CASE("A deadline whose expiry is already queued does not act when its owner has left")
{
    asio::io_context context(1);
    int acted = 0;
    std::optional<Deadline> second;
    // Both are due in the same turn; the first to act takes the other away.
    const Deadline first(context.get_executor(), milliseconds(0), [&] { second.reset(); });
    second.emplace(context.get_executor(), milliseconds(0), [&] { ++acted; });
    context.run();
    CHECK(acted == 0);
    CHECK(first.expired());
}

TEST_CASE("A deadline may be destroyed by its own action")
{
    asio::io_context context(1);
    auto deadline = std::make_unique<std::optional<Deadline>>();
    bool acted = false;
    deadline->emplace(context.get_executor(), milliseconds(0), [&] {
        deadline.reset();
        acted = true;
    });
    context.run();
    CHECK(acted);
}

TEST_CASE("The end of the io_context frees what a pending deadline holds")
{
    const auto held = std::make_shared<int>(1);
    {
        asio::io_context context(1);
        const Deadline deadline(context.get_executor(), std::chrono::hours(1), [held] {});
        CHECK(held.use_count() == 2);
    }
    CHECK(held.use_count() == 1);
}
