#include "repartee/audio/pacer.hpp"

#include "signals.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace repartee::audio;
using namespace std::chrono_literals;

namespace {

using Instant = Pacer::Instant;
constexpr Instant start{1000s};

}  // namespace

TEST_CASE("before anything is sent, the client may have the lead and nothing was played")
{
    const Pacer pacer(24'000, 400ms);
    CHECK(pacer.allowance(start) == 9'600);
    CHECK(pacer.allowance(start + 1h) == 9'600);
    CHECK(pacer.played(start + 1h) == 0);
    CHECK(pacer.sent() == 0);
    CHECK(pacer.when_allowed(9'600, start) == start);
}

TEST_CASE("the loudspeaker starts with the first byte sent and plays in real time")
{
    Pacer pacer(24'000, 400ms);
    pacer.on_sent(9'600, start);
    struct Row {
        std::chrono::nanoseconds after;
        std::uint64_t played, allowance;
    };
    const Row rows[] = {
        {0ns, 0, 0},
        {41'666ns, 0, 0},      // one sample lasts 41 666 2/3 ns
        {41'667ns, 1, 1},
        {10ms, 240, 240},
        {100ms, 2'400, 2'400},
        {399'999'999ns, 9'599, 9'599},
        {400ms, 9'600, 9'600},
        {10s, 9'600, 9'600},   // an underrun: it waits
    };
    for (const Row& row : rows) {
        CAPTURE(row.after.count());
        CHECK(pacer.played(start + row.after) == row.played);
        CHECK(pacer.allowance(start + row.after) == row.allowance);
        CHECK(pacer.sent() == 9'600);
    }
}

TEST_CASE("in steady state a chunk may leave every time a chunk was played")
{
    Pacer pacer(24'000, 400ms);
    pacer.on_sent(9'600, start);
    Instant now = start;
    for (int chunk = 1; chunk <= 1'000; ++chunk) {
        now = pacer.when_allowed(480, now);
        REQUIRE(now == start + chunk * 20ms);
        REQUIRE(pacer.allowance(now) == 480);
        pacer.on_sent(480, now);
        REQUIRE(pacer.allowance(now) == 0);
    }
    CHECK(pacer.sent() == 9'600 + 480'000);
    CHECK(pacer.played(now) == 480'000);
}

TEST_CASE("after an underrun the loudspeaker goes on with the next byte, from then on")
{
    Pacer pacer(16'000, 200ms);
    pacer.on_sent(1'600, start);
    CHECK(pacer.played(start + 100ms) == 1'600);

    const Instant later = start + 5s;
    CHECK(pacer.allowance(later) == 3'200);
    pacer.on_sent(3'200, later);
    CHECK(pacer.played(later) == 1'600);
    CHECK(pacer.allowance(later) == 0);
    CHECK(pacer.played(later + 50ms) == 1'600 + 800);
    CHECK(pacer.played(later + 1s) == 4'800);
}

TEST_CASE("what arrives just as the loudspeaker has played all makes no gap")
{
    Pacer pacer(24'000, 40ms);
    pacer.on_sent(480, start);
    pacer.on_sent(480, start + 20ms);
    CHECK(pacer.played(start + 20ms) == 480);
    CHECK(pacer.played(start + 30ms) == 720);
    CHECK(pacer.played(start + 40ms) == 960);
}

TEST_CASE("sending nothing does not start the loudspeaker")
{
    Pacer pacer(24'000, 40ms);
    pacer.on_sent(0, start);
    pacer.on_sent(480, start + 1s);
    CHECK(pacer.played(start + 1s) == 0);
    CHECK(pacer.played(start + 1s + 10ms) == 240);
}

TEST_CASE("after a clear the loudspeaker stands where it was and the whole lead may be sent again")
{
    Pacer pacer(24'000, 400ms);
    pacer.on_sent(9'600, start);
    pacer.on_cleared(start + 100ms);
    CHECK(pacer.played(start + 100ms) == 2'400);
    CHECK(pacer.sent() == 2'400);
    CHECK(pacer.played(start + 10s) == 2'400);
    CHECK(pacer.allowance(start + 100ms) == 9'600);

    pacer.on_sent(4'800, start + 1s);
    CHECK(pacer.sent() == 7'200);
    CHECK(pacer.played(start + 1s) == 2'400);
    CHECK(pacer.played(start + 1s + 50ms) == 3'600);
    CHECK(pacer.allowance(start + 1s) == 4'800);
}

TEST_CASE("a clear when all was played, or nothing sent, changes nothing")
{
    Pacer pacer(24'000, 400ms);
    pacer.on_cleared(start);
    CHECK(pacer.allowance(start) == 9'600);
    CHECK(pacer.played(start + 1s) == 0);
    pacer.on_sent(2'400, start);
    pacer.on_cleared(start + 1s);
    CHECK(pacer.sent() == 2'400);
    CHECK(pacer.played(start + 2s) == 2'400);
}

TEST_CASE("a clear at a place that is known stands there")
{
    Pacer pacer(24'000, 400ms);
    pacer.on_sent(9'600, start);
    pacer.on_cleared_at(1'200, start + 100ms);
    CHECK(pacer.played(start + 10s) == 1'200);
    CHECK(pacer.sent() == 1'200);
    CHECK(pacer.allowance(start + 1s) == 9'600);
    pacer.on_sent(2'400, start + 1s);
    CHECK(pacer.played(start + 1s + 50ms) == 2'400);
    CHECK(pacer.played(start + 2s) == 3'600);

    pacer.on_cleared_at(3'600, start + 1s + 10ms);  // ahead of the model
    CHECK(pacer.played(start + 1s + 10ms) == 3'600);
}

TEST_CASE("when the loudspeaker reaches a position is the first instant at which it has played it")
{
    Pacer pacer(24'000, std::nullopt);
    pacer.on_sent(24'000, start);
    CHECK(pacer.time_of(0) == start);
    CHECK(pacer.time_of(24'000) == start + 1s);
    for (std::uint64_t position : {1u, 7u, 480u, 23'999u}) {
        CHECK(pacer.played(pacer.time_of(position)) == position);
        CHECK(pacer.played(pacer.time_of(position) - 1ns) == position - 1);
    }
    pacer.on_sent(2'400, start + 2s);
    CHECK(pacer.time_of(24'000) == start + 2s);
    CHECK(pacer.time_of(26'400) == start + 2s + 100ms);
}

TEST_CASE("without pacing the client may have everything at once, and the position is still known")
{
    Pacer pacer(48'000, std::nullopt);
    CHECK(pacer.allowance(start) == std::numeric_limits<std::uint64_t>::max());
    pacer.on_sent(48'000 * 60, start);
    CHECK(pacer.allowance(start) == std::numeric_limits<std::uint64_t>::max());
    CHECK(pacer.when_allowed(1'000'000'000, start) == start);
    CHECK(pacer.played(start + 1s) == 48'000);
    pacer.on_cleared(start + 2s);
    CHECK(pacer.played(start + 3s) == 96'000);
}

TEST_CASE("more than was allowed may have been sent: then the client is ahead, and waits for longer")
{
    Pacer pacer(8'000, 100ms);
    pacer.on_sent(8'000, start);
    CHECK(pacer.allowance(start) == 0);
    CHECK(pacer.allowance(start + 900ms) == 0);
    CHECK(pacer.when_allowed(8, start) == start + 901ms);
    CHECK(pacer.allowance(start + 901ms) == 8);
}

TEST_CASE("a request for more than the lead is answered as one for the whole lead")
{
    Pacer pacer(8'000, 100ms);
    pacer.on_sent(400, start);
    CHECK(pacer.when_allowed(800, start) == start + 50ms);
    CHECK(pacer.when_allowed(1'000'000, start) == start + 50ms);
    CHECK(pacer.when_allowed(std::numeric_limits<std::uint64_t>::max(), start) == start + 50ms);
}

TEST_CASE("time that goes back by a little is not counted")
{
    Pacer pacer(24'000, 400ms);
    pacer.on_sent(480, start);
    CHECK(pacer.played(start - 5ms) == 0);
    CHECK(pacer.allowance(start - 5ms) == 9'120);
}

TEST_CASE("positions stay exact over months")
{
    Pacer pacer(44'100, std::nullopt);
    constexpr std::uint64_t days = 200;
    pacer.on_sent(days * 86'400 * 44'100 + 1, start);
    CHECK(pacer.played(start + std::chrono::hours(24 * days)) == days * 86'400 * 44'100);
    CHECK(pacer.played(start + std::chrono::hours(24 * days) + 22'675ns) == days * 86'400 * 44'100);
    CHECK(pacer.played(start + std::chrono::hours(24 * days) + 22'676ns) == days * 86'400 * 44'100 + 1);
}

TEST_CASE("when_allowed is the first instant at which allowance agrees, in any history")
{
    signals::Noise noise(11);
    for (int hz : {8'000, 16'000, 22'050, 24'000, 44'100, 48'000}) {
        Pacer pacer(hz, std::chrono::milliseconds(1 + noise.below(500)));
        Instant now = start;
        std::uint64_t played_before = 0;
        for (int step = 0; step < 5'000; ++step) {
            now += std::chrono::nanoseconds(noise.below(16'000'000));
            const std::uint64_t lead = pacer.allowance(now) + pacer.sent() - pacer.played(now);
            const std::uint64_t wanted = 1 + noise.below(lead);
            const Instant when = pacer.when_allowed(wanted, now);
            CAPTURE(hz, step, wanted);
            REQUIRE(when >= now);
            REQUIRE(pacer.allowance(when) >= wanted);
            if (when > now) REQUIRE(pacer.allowance(when - 1ns) < wanted);

            REQUIRE(pacer.played(now) <= pacer.sent());
            REQUIRE(pacer.played(now) >= played_before);
            played_before = pacer.played(now);
            if (noise.below(50) == 0) pacer.on_cleared(now);
            else if (noise.below(2) == 0) pacer.on_sent(noise.below(pacer.allowance(now) + 1), now);
        }
        CHECK(pacer.sent() > 0);
    }
}
