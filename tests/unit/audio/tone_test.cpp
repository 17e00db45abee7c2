#include "repartee/audio/tone.hpp"

#include "signals.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>

using namespace repartee::audio;

namespace {

int loudest(const signals::Samples& samples, std::size_t from, std::size_t count)
{
    int peak = 0;
    for (std::size_t i = from; i < from + count; ++i) peak = std::max(peak, std::abs(static_cast<int>(samples[i])));
    return peak;
}

/// The level of one frequency in a stretch of samples (Goertzel).
double level_of(std::span<const std::int16_t> samples, double frequency_hz, int hz)
{
    const double w = 2 * std::numbers::pi * frequency_hz / hz;
    double s1 = 0, s2 = 0;
    for (std::int16_t x : samples) {
        const double s = x + 2 * std::cos(w) * s1 - s2;
        s2 = s1;
        s1 = s;
    }
    return std::sqrt(s1 * s1 + s2 * s2 - 2 * std::cos(w) * s1 * s2);
}

}  // namespace

TEST_CASE("a chime has the length asked for, at any rate")
{
    for (int hz : {8'000, 16'000, 22'050, 24'000, 48'000})
        for (int ms : {1, 20, 37, 600}) CHECK(chime(hz, ms).size() == static_cast<std::size_t>(hz * ms / 1000));
    CHECK(chime(24'000, 0).empty());
    CHECK(chime(24'000, -5).empty());
    CHECK(chime(0, 100).empty());
}

TEST_CASE("a chime is heard, never loud, and faded at both ends and between its notes")
{
    const auto samples = chime(24'000, 600);
    CHECK(signals::rms_db(samples) > -40);
    CHECK(loudest(samples, 0, samples.size()) < 10'000);
    CHECK(loudest(samples, 0, samples.size()) > 3'000);
    CHECK(loudest(samples, 0, 24) < 300);
    CHECK(loudest(samples, samples.size() - 24, 24) < 60);
    CHECK(loudest(samples, 7'200 - 12, 24) < 100);
}

TEST_CASE("a chime has two notes, the second one higher")
{
    const auto samples = chime(24'000, 600);
    const auto first = std::span(samples).first(7'200);
    const auto second = std::span(samples).last(7'200);
    CHECK(level_of(first, 659.26, 24'000) > 5 * level_of(first, 880, 24'000));
    CHECK(level_of(second, 880, 24'000) > 5 * level_of(second, 659.26, 24'000));
}
