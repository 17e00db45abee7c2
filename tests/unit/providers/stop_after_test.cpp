#include "repartee/providers/stop_after.hpp"
#include "run.hpp"

using namespace repartee;
using namespace repartee::providers;
using std::chrono::milliseconds;

TEST_CASE("a stage is stopped by its owner, or by its time, and it is known which")
{
    asio::io_context context;
    std::stop_source outer;
    StopAfter by_owner(context.get_executor(), milliseconds(20), outer.get_token());
    StopAfter by_time(context.get_executor(), milliseconds(5), {});
    StopAfter without_limit(context.get_executor(), milliseconds(0), outer.get_token());
    CHECK_FALSE(by_owner.token().stop_requested());
    outer.request_stop();
    CHECK(by_owner.token().stop_requested());
    CHECK(without_limit.token().stop_requested());
    context.run_for(milliseconds(100));
    CHECK_FALSE(by_owner.expired());
    CHECK(by_time.expired());
    CHECK(by_time.token().stop_requested());

    const Error stopped{Code::cancelled, "stopped"};
    CHECK(by_owner.explain(stopped, "The answer").code == Code::cancelled);
    const Error late = by_time.explain(stopped, "The answer");
    CHECK(late.code == Code::timeout);
    CHECK_THAT(late.message, Catch::StartsWith("The answer took longer than 5 ms."));
    CHECK(by_time.explain(Error{Code::tls, "no"}, "The answer").code == Code::tls);
}

TEST_CASE("who was stopped before begins stopped")
{
    asio::io_context context;
    std::stop_source outer;
    outer.request_stop();
    const StopAfter stop(context.get_executor(), milliseconds(20), outer.get_token());
    CHECK(stop.token().stop_requested());
    CHECK_FALSE(stop.expired());
}
