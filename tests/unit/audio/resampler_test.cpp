#include "repartee/audio/resampler.hpp"

#include "signals.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <stdexcept>

using namespace repartee::audio;
using signals::Samples;

namespace {

constexpr int rates_hz[] = {8'000, 16'000, 22'050, 24'000, 44'100, 48'000};

Samples converted(const Samples& in, int in_hz, int out_hz)
{
    Resampler resampler(in_hz, out_hz);
    Samples out;
    resampler.process(in, out);
    resampler.flush(out);
    return out;
}

std::span<const std::int16_t> middle(const Samples& samples) { return std::span(samples).subspan(samples.size() / 4, samples.size() / 2); }

std::uint64_t due(std::uint64_t samples, int in_hz, int out_hz)
{
    return (samples * static_cast<std::uint64_t>(out_hz) + static_cast<std::uint64_t>(in_hz) / 2) / static_cast<std::uint64_t>(in_hz);
}

}  // namespace

TEST_CASE("a 1 kHz tone passes within half a decibel, at its place, from every rate to every other")
{
    for (int in_hz : rates_hz) {
        for (int out_hz : rates_hz) {
            CAPTURE(in_hz, out_hz);
            const Samples out = converted(signals::sine(1'000, in_hz, static_cast<std::size_t>(in_hz) / 2, -10), in_hz, out_hz);
            CHECK(signals::rms_db(middle(out)) == Approx(-10).margin(0.5));

            // Not delayed: the output is the same sine, sampled at the other rate.
            Samples difference = signals::sine(1'000, out_hz, out.size(), -10);
            for (std::size_t i = 0; i < out.size(); ++i) difference[i] = static_cast<std::int16_t>(difference[i] - out[i]);
            CHECK(signals::rms_db(middle(difference)) < -45);
        }
    }
}

TEST_CASE("what is above the half of the lower rate is gone")
{
    for (int in_hz : rates_hz) {
        for (int out_hz : rates_hz) {
            if (out_hz >= in_hz) continue;
            const double tone_hz = std::min(out_hz * 0.6, (in_hz + out_hz) / 4.0 * 1.02);
            CAPTURE(in_hz, out_hz, tone_hz);
            const Samples out = converted(signals::sine(tone_hz, in_hz, static_cast<std::size_t>(in_hz) / 2, -10), in_hz, out_hz);
            CHECK(signals::rms_db(middle(out)) < -50);
        }
    }
}

TEST_CASE("a higher rate has no images of the lower one")
{
    const Samples out = converted(signals::sine(3'000, 8'000, 8'000, -10), 8'000, 24'000);
    Samples difference = signals::sine(3'000, 24'000, out.size(), -10);
    for (std::size_t i = 0; i < out.size(); ++i) difference[i] = static_cast<std::int16_t>(difference[i] - out[i]);
    CHECK(signals::rms_db(middle(difference)) < -45);
}

TEST_CASE("the output is the same, bit by bit, however the input is cut")
{
    for (int in_hz : rates_hz) {
        for (int out_hz : rates_hz) {
            if (in_hz != 24'000 && out_hz != 24'000) continue;
            const Samples in = signals::voice(static_cast<std::size_t>(in_hz), -15);
            const Samples whole = converted(in, in_hz, out_hz);
            for (std::size_t chunk_max : {1u, 7u, 480u, 1'000u, 9'999u}) {
                signals::Noise noise(static_cast<std::uint32_t>(chunk_max));
                Resampler resampler(in_hz, out_hz);
                Samples out;
                for (std::size_t at = 0; at < in.size();) {
                    const std::size_t n = std::min(noise.below(chunk_max + 1), in.size() - at);
                    resampler.process(std::span(in).subspan(at, n), out);
                    at += n;
                }
                resampler.flush(out);
                CAPTURE(in_hz, out_hz, chunk_max);
                const bool same = out == whole;
                CHECK(same);
            }
        }
    }
}

TEST_CASE("the total length is the exact ratio of the input's, for any length")
{
    for (int in_hz : rates_hz) {
        for (int out_hz : rates_hz) {
            Resampler resampler(in_hz, out_hz);
            for (std::size_t n : {0u, 1u, 2u, 3u, 80u, 159u, 441u, 480u, 1'000u, 44'101u}) {
                Samples out;
                resampler.process(Samples(n, 1'000), out);
                resampler.flush(out);
                CAPTURE(in_hz, out_hz, n);
                CHECK(out.size() == due(n, in_hz, out_hz));
            }
        }
    }
}

TEST_CASE("the output never drifts: minutes of odd chunks, counted at every chunk")
{
    const std::pair<int, int> pairs[] = {{44'100, 24'000}, {24'000, 44'100}, {22'050, 24'000}};
    for (const auto& [in_hz, out_hz] : pairs) {
        constexpr int fastest = 0;  // the counting is the same at every quality
        Resampler resampler(in_hz, out_hz, fastest);
        const Samples in(1'999, 500);
        Samples out;
        std::uint64_t total_in = 0;
        std::uint64_t total_out = 0;
        std::int64_t behind_most = 0;
        signals::Noise noise(9);
        while (total_in < static_cast<std::uint64_t>(in_hz) * 60 * 5) {
            const std::size_t n = 1 + noise.below(in.size());
            out.clear();
            resampler.process(std::span(in).first(n), out);
            total_in += n;
            total_out += out.size();
            const auto behind = static_cast<std::int64_t>(due(total_in, in_hz, out_hz)) - static_cast<std::int64_t>(total_out);
            REQUIRE(behind >= 0);
            behind_most = std::max(behind_most, behind);
        }
        CAPTURE(in_hz, out_hz);
        CHECK(behind_most < 20);  // half of the filter
        out.clear();
        resampler.flush(out);
        CHECK(total_out + out.size() == due(total_in, in_hz, out_hz));
    }
}

TEST_CASE("equal rates copy")
{
    Resampler resampler(24'000, 24'000);
    CHECK(resampler.passes_through());
    CHECK_FALSE(Resampler(24'000, 16'000).passes_through());
    const Samples in = signals::white_noise(1'000, -20);
    Samples out{42};
    resampler.process(in, out);
    resampler.flush(out);
    REQUIRE(out.size() == 1'001);
    CHECK(out[0] == 42);
    CHECK(std::equal(in.begin(), in.end(), out.begin() + 1));
}

TEST_CASE("output is appended, flushed or not")
{
    Resampler resampler(16'000, 24'000);
    Samples out{42};
    resampler.process(signals::sine(1'000, 16'000, 1'600, -10), out);
    CHECK(out[0] == 42);
    const std::size_t before = out.size();
    CHECK(before > 2'000);
    resampler.flush(out);
    CHECK(out.size() == 2'401);
    CHECK(out.size() > before);
}

TEST_CASE("after a reset or a flush nothing of the old stream is heard")
{
    const Samples in = signals::voice(12'000, -15);
    const Samples fresh = converted(in, 24'000, 16'000);

    Resampler resampler(24'000, 16'000);
    Samples ignored;
    resampler.process(signals::white_noise(5'003, -3), ignored);
    resampler.reset();
    Samples after_reset;
    resampler.process(in, after_reset);
    resampler.flush(after_reset);
    CHECK(after_reset == fresh);

    Samples after_flush;
    resampler.process(in, after_flush);
    resampler.flush(after_flush);
    CHECK(after_flush == fresh);
    resampler.flush(after_flush);
    CHECK(after_flush.size() == fresh.size());
}

TEST_CASE("full-scale input is limited, not wrapped around")
{
    Samples in(4'800);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = i / 20 % 2 ? 32'767 : -32'768;
    const Samples out = converted(in, 48'000, 24'000);
    for (std::size_t i = 100; i + 100 < out.size(); ++i) {
        const std::size_t in_period = i % 20;
        if (in_period > 2 && in_period < 8) REQUIRE(out[i] < -20'000);
        if (in_period > 12 && in_period < 18) REQUIRE(out[i] > 20'000);
    }
}

TEST_CASE("a moved resampler goes on where it was")
{
    const Samples in = signals::voice(24'000, -15);
    const Samples whole = converted(in, 24'000, 48'000);
    Resampler first(24'000, 48'000);
    Samples out;
    first.process(std::span(in).first(10'001), out);
    Resampler second = std::move(first);
    second.process(std::span(in).subspan(10'001), out);
    second.flush(out);
    CHECK(out == whole);
}

TEST_CASE("impossible rates are a programming error")
{
    CHECK_THROWS_AS(Resampler(0, 24'000), std::invalid_argument);
    CHECK_THROWS_AS(Resampler(24'000, -1), std::invalid_argument);
    CHECK_THROWS_AS(Resampler(24'000, 16'000, 99), std::invalid_argument);
}
