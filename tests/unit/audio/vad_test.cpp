#include "repartee/audio/vad.hpp"

#include "signals.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>
#include <vector>

using namespace repartee::audio;
using signals::Samples;

namespace {

constexpr int frames_per_second = 1000 / VoiceDetector::frame_ms;
constexpr std::size_t second = 24'000;

std::vector<float> probabilities(VoiceDetector& detector, const Samples& samples)
{
    std::vector<float> all;
    for (std::size_t at = 0; at + VoiceDetector::frame_samples <= samples.size(); at += VoiceDetector::frame_samples)
        all.push_back(detector.process(std::span(samples).subspan(at, VoiceDetector::frame_samples)));
    return all;
}

float highest(std::span<const float> values) { return *std::max_element(values.begin(), values.end()); }

float highest_after(int frames, const std::vector<float>& values) 
{
    return highest(std::span(values).subspan(static_cast<std::size_t>(frames)));
}

int first_at_least(const std::vector<float>& values, float threshold)
{
    const auto it = std::find_if(values.begin(), values.end(), [=](float p) { return p >= threshold; });
    return static_cast<int>(it - values.begin());
}

int first_below(const std::vector<float>& values, float threshold)
{
    const auto it = std::find_if(values.begin(), values.end(), [=](float p) { return p < threshold; });
    return static_cast<int>(it - values.begin());
}

int longest_run_below(std::span<const float> values, float threshold)
{
    int longest = 0;
    int run = 0;
    for (float p : values) {
        run = p < threshold ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    return longest;
}

double part_at_least(std::span<const float> values, float threshold)
{
    const auto n = std::count_if(values.begin(), values.end(), [=](float p) { return p >= threshold; });
    return static_cast<double>(n) / static_cast<double>(values.size());
}

Samples hum(double hz, std::size_t count, double db)
{
    Samples all = signals::sine(hz, 24'000, count, db);
    signals::mix(all, signals::sine(2 * hz, 24'000, count, db - 12));
    signals::mix(all, signals::sine(3 * hz, 24'000, count, db - 20));
    return all;
}

/// Noise that falls by 6 dB an octave above `cutoff_hz`.
Samples dark_noise(double cutoff_hz, std::size_t count, double db, std::uint32_t seed)
{
    Samples all = signals::white_noise(count, -12, seed);
    const double part = 1 - std::exp(-2 * std::numbers::pi * cutoff_hz / second);
    double value = 0;
    for (auto& s : all) s = signals::sample(value += part * (s - value));
    const double gain = signals::amplitude(db - signals::rms_db(all)) / signals::amplitude(0);
    for (auto& s : all) s = signals::sample(s * gain);
    return all;
}

}  // namespace

TEST_CASE("digital silence is no speech")
{
    VoiceDetector detector;
    CHECK(highest(probabilities(detector, Samples(5 * second))) < 0.1F);
}

TEST_CASE("a constant offset or the last bit's rustle is no speech")
{
    VoiceDetector detector;
    const auto offset = probabilities(detector, Samples(3 * second, 2'000));
    CHECK(highest_after(1, offset) < 0.5F);
    CHECK(highest_after(4, offset) < 0.1F);
    detector.reset();
    CHECK(highest(probabilities(detector, signals::white_noise(3 * second, -80))) < 0.1F);
}

TEST_CASE("steady white noise is no speech once it has been heard for a second")
{
    for (double db : {-60.0, -50.0, -40.0, -30.0, -20.0}) {
        VoiceDetector detector;
        const auto all = probabilities(detector, signals::white_noise(10 * second, db));
        CAPTURE(db);
        CHECK(highest_after(frames_per_second, all) < 0.1F);
    }
}

TEST_CASE("the noise of a room that a microphone opens to is never speech, white or dark, at once or after digital silence")
{
    for (std::size_t silence : {std::size_t{0}, second / 10, 3 * second}) {
        for (double cutoff_hz : {400.0, 1'000.0, 4'000.0, 0.0}) {
            for (double db : {-55.0, -45.0, -35.0}) {
                for (std::uint32_t seed = 1; seed <= 2; ++seed) {
                    VoiceDetector detector;
                    probabilities(detector, Samples(silence));
                    const bool white = cutoff_hz == 0;
                    const auto noise = white ? signals::white_noise(4 * second, db, seed) : dark_noise(cutoff_hz, 4 * second, db, seed);
                    CAPTURE(silence, cutoff_hz, db, seed);
                    CHECK(highest(probabilities(detector, noise)) < 0.5F);
                }
            }
        }
    }
}

TEST_CASE("noise that becomes louder is learned again")
{
    VoiceDetector detector;
    probabilities(detector, signals::white_noise(3 * second, -55));
    const auto louder = probabilities(detector, signals::white_noise(3 * second, -35, 2));
    CHECK(highest_after(frames_per_second, louder) < 0.1F);
}

TEST_CASE("mains hum is no speech, from the start")
{
    for (double hz : {50.0, 60.0}) {
        for (double db : {-50.0, -40.0, -30.0, -20.0, -10.0}) {
            VoiceDetector detector;
            CAPTURE(hz, db);
            CHECK(highest_after(5, probabilities(detector, signals::sine(hz, 24'000, 5 * second, db))) < 0.1F);
        }
    }
}

TEST_CASE("hum with harmonics is no speech once it has proved to be steady")
{
    for (double db : {-40.0, -30.0, -20.0}) {
        VoiceDetector detector;
        CAPTURE(db);
        CHECK(highest_after(3 * frames_per_second, probabilities(detector, hum(50, 6 * second, db))) < 0.1F);
        detector.reset();
        CHECK(highest_after(3 * frames_per_second, probabilities(detector, hum(60, 6 * second, db))) < 0.1F);
    }
}

TEST_CASE("clear speech is speech, with certainty")
{
    for (double db : {-12.0, -20.0, -30.0}) {
        for (double pitch_hz : {90.0, 130.0, 220.0, 320.0}) {
            VoiceDetector detector;
            const auto all = probabilities(detector, signals::voice(3 * second, db, pitch_hz));
            CAPTURE(db, pitch_hz);
            CHECK(part_at_least(all, 0.9F) > 0.85);
            CHECK(longest_run_below(std::span(all).subspan(3), 0.5F) <= 3);
        }
    }
}

TEST_CASE("quiet speech in a quiet room is still speech")
{
    VoiceDetector detector;
    probabilities(detector, signals::white_noise(2 * second, -75));
    const auto all = probabilities(detector, signals::voice(3 * second, -48));
    CHECK(first_at_least(all, 0.5F) <= 3);
    CHECK(part_at_least(all, 0.5F) > 0.8);
    CHECK(longest_run_below(all, 0.5F) <= 6);
}

TEST_CASE("speech is heard within three frames: after silence, in noise, and as the very first frame")
{
    const Samples speech = signals::voice(second, -20);
    SECTION("as the very first frame")
    {
        VoiceDetector detector;
        CHECK(first_at_least(probabilities(detector, speech), 0.5F) <= 2);
    }
    SECTION("after silence")
    {
        VoiceDetector detector;
        probabilities(detector, Samples(5 * second));
        CHECK(first_at_least(probabilities(detector, speech), 0.5F) <= 2);
    }
    SECTION("in noise")
    {
        VoiceDetector detector;
        Samples all = signals::white_noise(3 * second, -45);
        Samples late(2 * second);
        late.insert(late.end(), speech.begin(), speech.end());
        signals::mix(all, late);
        const auto values = probabilities(detector, all);
        const auto before = std::span(values).subspan(frames_per_second, frames_per_second);
        CHECK(highest(before) < 0.1F);
        const std::vector<float> during(values.begin() + 2 * frames_per_second, values.end());
        CHECK(first_at_least(during, 0.5F) <= 2);
        CHECK(part_at_least(during, 0.5F) > 0.8);
    }
    SECTION("over a hum")
    {
        VoiceDetector detector;
        Samples all = signals::sine(50, 24'000, 3 * second, -25);
        Samples late(2 * second);
        late.insert(late.end(), speech.begin(), speech.end());
        signals::mix(all, late);
        const auto values = probabilities(detector, all);
        const std::vector<float> during(values.begin() + 2 * frames_per_second, values.end());
        CHECK(first_at_least(during, 0.5F) <= 2);
    }
}

TEST_CASE("the silence after speech is seen within 100 ms")
{
    for (double noise_db : {-200.0, -70.0, -50.0}) {
        VoiceDetector detector;
        Samples all = signals::white_noise(6 * second, noise_db);
        Samples middle(2 * second);
        const Samples speech = signals::voice(3 * second, -20);
        middle.insert(middle.end(), speech.begin(), speech.end());
        signals::mix(all, middle);
        const auto values = probabilities(detector, all);
        const std::vector<float> after(values.begin() + 5 * frames_per_second, values.end());
        CAPTURE(noise_db);
        CHECK(first_below(after, 0.5F) * VoiceDetector::frame_ms <= 100);
        CHECK(highest_after(5, after) < 0.5F);
        CHECK(highest_after(10, after) < 0.1F);
    }
}

TEST_CASE("someone who speaks for long is not taken for noise")
{
    for (double db : {-15.0, -35.0}) {
        VoiceDetector detector;
        const auto all = probabilities(detector, signals::voice(30 * second, db));
        const auto late = std::span(all).subspan(20 * frames_per_second);
        CAPTURE(db);
        CHECK(part_at_least(late, 0.5F) > 0.8);
        CHECK(longest_run_below(late, 0.5F) <= 5);
        CHECK(highest(late) > 0.9F);
    }
}

TEST_CASE("a noise louder than before that ends leaves the detector able to hear quiet speech at once")
{
    VoiceDetector detector;
    probabilities(detector, signals::white_noise(5 * second, -30));
    probabilities(detector, signals::white_noise(second / 2, -75));
    CHECK(first_at_least(probabilities(detector, signals::voice(second, -40)), 0.5F) <= 3);
}

TEST_CASE("the same frames give the same values, and reset forgets everything")
{
    Samples all = signals::white_noise(2 * second, -40);
    signals::mix(all, signals::voice(second, -20));
    VoiceDetector one;
    VoiceDetector other;
    const auto first = probabilities(one, all);
    CHECK(first == probabilities(other, all));
    CHECK(first != probabilities(one, all));
    one.reset();
    CHECK(first == probabilities(one, all));
    CHECK(highest(first) <= 1);
    CHECK(*std::min_element(first.begin(), first.end()) >= 0);
}
