#include "repartee/audio/vad.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace repartee::audio {
namespace {

// Levels are dB of full scale. Tuned on synthetic voices (espeak-ng, Korean and English); vad_test.cpp says what must hold.
constexpr float level_min_db = -96.0F;
constexpr float floor_min_db = -68.0F;       ///< lower it would hear the rustle behind a noise gate
constexpr float speech_above_floor_db = 9;   ///< as likely speech as not
constexpr float likelihood_slope_db = 1.6F;
constexpr float attack = 0.7F;               ///< one clear frame is enough to pass 0.5, the second makes it sure
constexpr float release = 0.55F;

/// What the high-pass filter lets through of a loud 50 or 60 Hz hum stays this far below the hum.
constexpr float hum_rejection_db = 30;

constexpr std::size_t hiss_proof_frames = 32;  ///< longer than any fricative
constexpr float hiss_crossings = 0.15F;        ///< white noise up to 4 kHz has 0.19
constexpr float steady_deviation_db = 2.5F;    ///< the flattest 2.6 s of hurried speech deviate by 4 dB
constexpr float tone_deviation_db = 0.4F;      ///< no voice holds its level so well

constexpr float floor_falls = 0.3F;            ///< part of the way per frame
constexpr float floor_rises = 0.3F;            ///< in steady noise
constexpr float floor_creeps_db = 0.12F;       ///< per frame, towards the quietest of the last frames
constexpr float speech_range_db = 20;          ///< so far the creeping floor stays below the loudest of the last frames

constexpr float voiced_correlation = 0.6F;     ///< noise of a room stays below, a vowel above
constexpr std::size_t shortest_period = 15;    ///< 400 Hz, in samples at 6 kHz
constexpr std::size_t longest_period = 75;     ///< 80 Hz
constexpr std::size_t voiced_lasts_frames = 10;
constexpr float unvoiced_likelihood_max = 0.3F;

/// Butterworth high pass of 4th order at 150 Hz for 24 kHz, as two sections in transposed direct form II.
struct Section {
    float b0, b1, b2, a1, a2;
};

Section high_pass_section(double quality)
{
    const double w = 2 * 3.14159265358979323846 * 150.0 / 24'000.0;
    const double alpha = std::sin(w) / (2 * quality);
    const double a0 = 1 + alpha;
    const double b = (1 + std::cos(w)) / 2 / a0;
    return {static_cast<float>(b), static_cast<float>(-2 * b), static_cast<float>(b), static_cast<float>(-2 * std::cos(w) / a0),
            static_cast<float>((1 - alpha) / a0)};
}

const Section high_pass[] = {high_pass_section(0.54119610), high_pass_section(1.3065630)};

float decibels(float power) { return std::max(level_min_db, 10 * std::log10(power + 1e-12F)); }

float likelihood(float above_floor_db) { return 1 / (1 + std::exp((speech_above_floor_db - above_floor_db) / likelihood_slope_db)); }

}  // namespace

VoiceDetector::Frame VoiceDetector::measure(std::span<const std::int16_t> samples)
{
    float whole_power = 0;
    float power = 0;
    int crossings = 0;
    std::copy(decimated_.begin() + pitch_samples, decimated_.end(), decimated_.begin());
    std::fill(decimated_.begin() + pitch_samples, decimated_.end(), 0.0F);
    for (std::size_t at = 0; at < samples.size(); ++at) {
        float x = static_cast<float>(samples[at]) / 32768;
        whole_power += x * x;
        for (std::size_t i = 0; i < high_pass_.size(); ++i) {
            const Section& section = high_pass[i];
            Biquad& memory = high_pass_[i];
            const float y = section.b0 * x + memory.z1;
            memory.z1 = section.b1 * x - section.a1 * y + memory.z2;
            memory.z2 = section.b2 * x - section.a2 * y;
            x = y;
        }
        power += x * x;
        decimated_[pitch_samples + at / decimation] += x;
        const bool negative = x < 0;
        crossings += negative != last_was_negative_;
        last_was_negative_ = negative;
    }
    const auto count = static_cast<float>(samples.size());
    return {decibels(power / count), decibels(whole_power / count), static_cast<float>(crossings) / count};
}

void VoiceDetector::remember(const Frame& frame)
{
    levels_db_[frames_seen_ % history_frames] = frame.level_db;
    ++frames_seen_;
    frames_heard_ += frame.level_db > floor_min_db;
    crossings_ += 0.1F * (frame.crossings - crossings_);
}

/// Whether the last two frames resemble themselves one period of a voice later.
bool VoiceDetector::is_voiced() const
{
    for (std::size_t period = shortest_period; period <= longest_period; ++period) {
        float product = 0;
        float early_power = 1e-12F;
        float late_power = 1e-12F;
        for (std::size_t i = period; i < decimated_.size(); ++i) {
            product += decimated_[i] * decimated_[i - period];
            early_power += decimated_[i - period] * decimated_[i - period];
            late_power += decimated_[i] * decimated_[i];
        }
        // Against the louder one, so that the decay of a click does not look like a period.
        if (product > voiced_correlation * std::max(early_power, late_power)) return true;
    }
    return false;
}

VoiceDetector::Spread VoiceDetector::spread_of_last(std::size_t frames) const
{
    float sum = 0;
    for (std::size_t i = 1; i <= frames; ++i) sum += levels_db_[(frames_seen_ - i) % history_frames];
    const float mean = sum / static_cast<float>(frames);
    float squares = 0;
    for (std::size_t i = 1; i <= frames; ++i) {
        const float difference = levels_db_[(frames_seen_ - i) % history_frames] - mean;
        squares += difference * difference;
    }
    return {mean, std::sqrt(squares / static_cast<float>(frames))};
}

void VoiceDetector::adapt_floor(float level_db)
{
    if (level_db < noise_floor_db_) {
        noise_floor_db_ = std::max(floor_min_db, noise_floor_db_ + floor_falls * (level_db - noise_floor_db_));
        return;
    }
    if (frames_seen_ < hiss_proof_frames) return;
    const Spread lately = spread_of_last(hiss_proof_frames);
    const bool hiss = crossings_ > hiss_crossings && lately.deviation_db < steady_deviation_db;
    const bool tone = lately.deviation_db < tone_deviation_db;
    if (hiss || tone) {
        noise_floor_db_ += floor_rises * std::max(0.0F, lately.mean_db - noise_floor_db_);
        return;
    }
    if (frames_seen_ < history_frames) return;
    const Spread longer = spread_of_last(history_frames);
    if (longer.deviation_db < steady_deviation_db) {
        noise_floor_db_ += floor_rises * std::max(0.0F, longer.mean_db - noise_floor_db_);
        return;
    }
    const auto [quietest, loudest] = std::minmax_element(levels_db_.begin(), levels_db_.end());
    const float target_db = std::min(*quietest, *loudest - speech_range_db);
    if (target_db > noise_floor_db_) noise_floor_db_ = std::min(target_db, noise_floor_db_ + floor_creeps_db);
}

float VoiceDetector::process(std::span<const std::int16_t> frame)
{
    assert(frame.size() == frame_samples);
    const Frame now = measure(frame);
    remember(now);
    adapt_floor(now.level_db);
    const float floor_db = std::max(noise_floor_db_, now.whole_level_db - hum_rejection_db);
    float raw = likelihood(now.level_db - floor_db);
    if (frames_heard_ < history_frames && raw > unvoiced_likelihood_max) {
        if (is_voiced()) voiced_until_ = frames_seen_ + voiced_lasts_frames;
        if (frames_seen_ >= voiced_until_) raw = unvoiced_likelihood_max;
    }
    smoothed_ += (raw > smoothed_ ? attack : release) * (raw - smoothed_);
    return smoothed_;
}

void VoiceDetector::reset() { *this = VoiceDetector{}; }

}  // namespace repartee::audio
