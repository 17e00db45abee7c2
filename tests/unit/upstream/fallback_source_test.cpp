#include "repartee/upstream/fallback_source.hpp"

#include "../../support/run_coroutine.hpp"
#include "repartee/net/signal.hpp"

#include <boost/asio/this_coro.hpp>
#include <catch2/catch.hpp>

#include <deque>
#include <thread>

using namespace repartee;
using namespace repartee::upstream;
using testing::run_coroutine;

namespace {

class FakeUpstream final : public Upstream {
public:
    explicit FakeUpstream(std::string name) : name_(std::move(name)) {}
    Task<std::string_view> receive() override { co_return Error{Code::closed, "over"}; }
    std::optional<std::string_view> try_receive() override { return std::nullopt; }
    awaitable<bool> wait_event() override { co_return false; }
    void cancel_receive() override {}
    Result<void> post(std::string_view) override { return {}; }
    Result<void> post_audio(std::span<const std::byte>, std::span<const std::byte>) override { return {}; }
    std::size_t unsent_bytes() const override { return 0; }
    Task<> sent() override { co_return Result<void>(); }
    awaitable<void> close() override { co_return; }
    std::string_view peer_name() const override { return name_; }

private:
    std::string name_;
};

/// What one service does, lease after lease; well when the script is over.
struct Script {
    std::deque<Error> failures;
    milliseconds takes{0};   ///< a failure comes after so long
    bool ready = true;
    std::vector<LeaseRequest> asked;
    int stopped = 0;
};

class FakeSource final : public Source {
public:
    FakeSource(Script& script, std::string name) : script_(script), name_(std::move(name)) {}

    Task<Lease> lease(LeaseRequest request) override
    {
        script_.asked.push_back(request);
        if (script_.failures.empty()) {
            Lease lease;
            lease.upstream = std::make_unique<FakeUpstream>(name_);
            lease.session_created = "{}";
            co_return std::move(lease);
        }
        Error error = script_.failures.front();
        script_.failures.pop_front();
        if (script_.takes.count() > 0) {
            auto executor = co_await asio::this_coro::executor;
            net::Signal never(executor);
            const Instant until = std::chrono::steady_clock::now() + script_.takes;
            co_await never.wait_until(until);
        }
        co_return error;
    }
    bool is_ready() const override { return script_.ready; }
    awaitable<void> stop() override
    {
        ++script_.stopped;
        co_return;
    }

private:
    Script& script_;
    std::string name_;
};

const Error unreachable{Code::upstream_unavailable, "Connection refused."};
const Error hung{Code::timeout, "The voice service did not open a session within realtime.connect_limit_ms."};
const Error bad_key{Code::upstream_rejected, "The voice service refused the API key.", {}, "invalid_api_key"};
const Error bad_model{Code::upstream_rejected, "The voice service refused the session: no such model.", {}, "model_not_found"};

constexpr FallbackSettings quick{milliseconds(20), milliseconds(60'000)};

struct Three {
    explicit Three(FallbackSettings settings = quick, std::size_t count = 3) : source(sources(count), settings, metrics) {}

    std::vector<NamedSource> sources(std::size_t count)
    {
        std::vector<NamedSource> all;
        all.push_back({"realtime", std::make_unique<FakeSource>(first, "first")});
        if (count > 1) all.push_back({"realtime_2", std::make_unique<FakeSource>(second, "second")});
        if (count > 2) all.push_back({"local", std::make_unique<FakeSource>(third, "third"), true});
        return all;
    }

    Result<Lease> lease(LeaseRequest request = {}) { return run_coroutine(source.lease(std::move(request))); }
    std::string leased(LeaseRequest request = {})
    {
        const auto lease = this->lease(std::move(request));
        if (!lease) return std::string(name(lease.error().code)) + ": " + lease.error().message;
        return std::string(lease->upstream->peer_name()) + " " + std::to_string(lease->source);
    }

    Script first, second, third;
    Metrics metrics;
    FallbackSource source;
};

LeaseRequest asking_not(std::uint32_t without)
{
    LeaseRequest request;
    request.without = without;
    return request;
}

LeaseRequest wishing(std::string model)
{
    LeaseRequest request;
    request.model = std::move(model);
    return request;
}

}  // namespace

TEST_CASE("the first service is asked as long as it is well")
{
    Three three;
    CHECK(three.leased() == "first 0");
    CHECK(three.leased() == "first 0");
    CHECK(three.second.asked.empty());
    CHECK(three.metrics.upstream_fallbacks_total.value() == 0);
}

TEST_CASE("the next one takes over whatever the reason, and the first is asked again the next time")
{
    for (const Error& failure : {unreachable, bad_key, bad_model, Error{Code::tls, "no"}, Error{Code::closed, "no"}, Error{Code::protocol, "no"}}) {
        CAPTURE(failure);
        Three three;
        three.first.failures = {failure};
        CHECK(three.leased() == "second 1");
        CHECK(three.metrics.upstream_fallbacks_total.value() == 1);
        CHECK(three.leased() == "first 0");
        CHECK(three.third.asked.empty());
    }
}

TEST_CASE("two that fail: the third")
{
    Three three;
    three.first.failures = {bad_key};
    three.second.failures = {unreachable};
    CHECK(three.leased() == "third 2");
    CHECK(three.metrics.upstream_fallbacks_total.value() == 2);
}

TEST_CASE("when all fail the client is told what a repetition may cure, if anything")
{
    Three three;
    three.first.failures = {bad_key, bad_key, unreachable};
    three.second.failures = {unreachable, bad_key, bad_key};
    three.third.failures = {hung, bad_key, hung};
    CHECK(three.lease().error().message == unreachable.message);
    CHECK(three.lease().error().code == Code::upstream_rejected);
    CHECK(three.lease().error().message == unreachable.message);
    CHECK(three.metrics.upstream_fallbacks_total.value() == 6);
}

TEST_CASE("a service that refuses this conversation is not asked, and none left is a clear word")
{
    Three three;
    CHECK(three.leased(asking_not(0b001)) == "second 1");
    CHECK(three.leased(asking_not(0b011)) == "third 2");
    CHECK(three.first.asked.empty());
    CHECK(three.third.asked.front().without == 0);
    CHECK(three.leased(asking_not(0b010)) == "first 0");
    three.second.failures = {unreachable};
    CHECK(three.leased(asking_not(0b001)) == "third 2");
    for (const std::uint32_t all : {0b111U, UINT32_MAX}) {
        const auto lease = three.lease(asking_not(all));
        REQUIRE(lease.has_error());
        CHECK(lease.error().code == Code::upstream_rejected);
        CHECK_THAT(lease.error().message, Catch::Contains("No voice service is left") && Catch::Contains("all 3 have failed"));
    }
    Three alone(quick, 1);
    CHECK_THAT(alone.lease(asking_not(1)).error().message, Catch::Contains("the only one has failed"));
}

TEST_CASE("a service that lets conversations wait is asked last for a while")
{
    Three three(FallbackSettings{milliseconds(20), milliseconds(150)});
    three.first.failures = {hung};
    three.first.takes = milliseconds(40);
    CHECK(three.leased() == "second 1");
    CHECK(three.leased() == "second 1");
    CHECK(three.first.asked.size() == 1);
    three.second.failures = three.third.failures = {unreachable};
    CHECK(three.leased() == "first 0");  // last is not never; and it is well again
    CHECK(three.leased() == "first 0");
    three.first.failures = {hung};
    CHECK(three.leased() == "second 1");
    std::this_thread::sleep_for(milliseconds(160));
    CHECK(three.leased() == "first 0");
}

TEST_CASE("who is asked last for being slow is still within what is left")
{
    Three three;
    three.second.failures = {hung};
    three.second.takes = milliseconds(40);
    CHECK(three.leased(asking_not(0b001)) == "third 2");
    three.third.failures = {unreachable};
    CHECK(three.leased(asking_not(0b001)) == "second 1");
    CHECK(three.first.asked.empty());
}

TEST_CASE("a model that a client asks for by name is the first service's to know")
{
    Three three;
    three.first.failures = {bad_model};
    CHECK(three.lease(wishing("nonsense")).error().upstream_code == "model_not_found");
    CHECK(three.second.asked.empty());

    three.first.failures = {unreachable};
    CHECK(three.leased(wishing("gpt-x")) == "second 1");
    CHECK(three.second.asked.back().model == "gpt-x");  // it has no model of its own: the same names

    three.first.failures = {unreachable};
    three.second.failures = {bad_model};
    CHECK(three.leased(wishing("gpt-x")) == "third 2");
    CHECK(three.third.asked.back().model.empty());
}

TEST_CASE("everything else of a request reaches whoever takes over")
{
    Three three;
    three.first.failures = {unreachable};
    LeaseRequest request;
    request.transcription = true;
    request.character = std::make_shared<const characters::Character>();
    CHECK(three.leased(request) == "second 1");
    CHECK(three.second.asked.back().transcription);
    CHECK(three.second.asked.back().character == request.character);
}

TEST_CASE("a lease that its owner gave up goes to nobody else")
{
    Three three;
    three.first.failures = {Error{Code::cancelled, "given up"}};
    CHECK(three.lease().error().code == Code::cancelled);
    CHECK(three.second.asked.empty());
}

TEST_CASE("ready when any is; stop reaches all")
{
    Three three;
    three.first.ready = three.third.ready = false;
    CHECK(three.source.is_ready());
    three.second.ready = false;
    CHECK_FALSE(three.source.is_ready());
    run_coroutine(three.source.stop());
    CHECK(three.first.stopped + three.second.stopped + three.third.stopped == 3);
}
