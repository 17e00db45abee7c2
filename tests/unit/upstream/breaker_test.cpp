#include "repartee/upstream/breaker.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using upstream::Breaker;
using upstream::BreakerSettings;

namespace {

const Instant start{std::chrono::hours(1)};
const Error unreachable{Code::upstream_unavailable, "down"};
const Error bad_key{Code::upstream_rejected, "bad key"};

}  // namespace

TEST_CASE("the wait doubles with every failure, within its jitter and its bound")
{
    BreakerSettings settings{milliseconds(100), milliseconds(1'000), 100, milliseconds(5'000)};
    for (const double chance : {0.0, 0.5, 0.999}) {
        Breaker breaker(settings);
        for (const std::int64_t ceiling : {100, 200, 400, 800, 1'000, 1'000}) {
            breaker.on_failure(unreachable, start, start, chance);
            const auto wait = breaker.next_attempt() - start;
            CHECK(wait >= milliseconds(ceiling / 2));
            CHECK(wait <= milliseconds(ceiling));
        }
    }
}

TEST_CASE("several failures in a row open the breaker for a time, one success closes it")
{
    Breaker breaker({milliseconds(10), milliseconds(20), 3, milliseconds(1'000)});
    breaker.on_failure(unreachable, start, start, 0);
    breaker.on_failure(unreachable, start, start, 0);
    CHECK(!breaker.refusal(start));
    breaker.on_failure(unreachable, start, start, 0);
    REQUIRE(breaker.refusal(start));
    CHECK(breaker.refusal(start)->message == "down");
    CHECK(breaker.next_attempt() >= start + milliseconds(1'000));
    CHECK(!breaker.refusal(start + milliseconds(1'000)));
    breaker.on_success();
    CHECK(!breaker.refusal(start));
    CHECK(breaker.failures() == 0);
}

TEST_CASE("a fatal refusal opens it at once")
{
    Breaker breaker({milliseconds(10), milliseconds(20), 3, milliseconds(1'000)});
    breaker.on_failure(bad_key, start, start, 0);
    REQUIRE(breaker.refusal(start));
    CHECK(breaker.refusal(start)->code == Code::upstream_rejected);
}

TEST_CASE("tries that ran side by side fail in one outage, and count once")
{
    Breaker breaker({milliseconds(100), milliseconds(1'000), 3, milliseconds(5'000)});
    for (int i = 0; i < 50; ++i) breaker.on_failure(unreachable, start, start + milliseconds(10 + i), 0);
    CHECK(breaker.failures() == 1);
    CHECK(!breaker.refusal(start + milliseconds(100)));
    breaker.on_failure(unreachable, start + milliseconds(60), start + milliseconds(61), 0);
    CHECK(breaker.failures() == 2);
    // A fatal one counts whenever it began.
    breaker.on_failure(bad_key, start, start + milliseconds(62), 0);
    CHECK(breaker.refusal(start + milliseconds(63))->message == "bad key");
    // After a success the next failure counts again.
    breaker.on_success();
    breaker.on_failure(unreachable, start, start + milliseconds(70), 0);
    CHECK(breaker.failures() == 1);
}

TEST_CASE("an open breaker lets a lost conversation probe, now and then, and never with a key that was refused")
{
    Breaker breaker({milliseconds(100), milliseconds(1'000), 1, milliseconds(5'000)});
    breaker.on_failure(unreachable, start, start, 0);
    CHECK(breaker.refusal(start + milliseconds(50)));
    CHECK(breaker.take_probe(start + milliseconds(50)));
    CHECK_FALSE(breaker.take_probe(start + milliseconds(149)));
    CHECK(breaker.take_probe(start + milliseconds(150)));
    breaker.on_failure(bad_key, start, start + milliseconds(150), 0);
    CHECK_FALSE(breaker.take_probe(start + milliseconds(4'000)));
}

TEST_CASE("hundreds of failures do not overflow the wait")
{
    Breaker breaker({milliseconds(500), milliseconds(30'000), 1'000, milliseconds(1)});
    for (int i = 0; i < 200; ++i) breaker.on_failure(unreachable, start, start, 0.9);
    CHECK(breaker.next_attempt() <= start + milliseconds(30'000));
}

TEST_CASE("which codes and closes are fatal")
{
    for (const char* code : {"invalid_api_key", "missing_model", "invalid_model", "model_not_found", "insufficient_quota"}) CHECK(upstream::is_fatal(code, 0));
    for (const int close : {3000, 4000, 4004}) CHECK(upstream::is_fatal("", static_cast<std::uint16_t>(close)));
    for (const int close : {1000, 1001, 1005, 1006, 1011, 1012, 1013}) CHECK(!upstream::is_fatal("", static_cast<std::uint16_t>(close)));
    CHECK(!upstream::is_fatal("rate_limit_exceeded", 0));
}
