#include "repartee/audio/tone.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace repartee::audio {
namespace {

constexpr double low_note_hz = 659.26;   // E5
constexpr double high_note_hz = 880.0;   // A5
constexpr double peak = 0.25 * 32767;
constexpr double fade_seconds = 0.015;
constexpr double notes_decay_by = 4;  ///< e-folds from the beginning of a note to its end

/// Rises from 0 to 1 within `fade` and falls back to 0 before `length`.
double faded(double at, double length, double fade)
{
    const double to_edge = std::min({at, length - at, fade}) / fade;
    return 0.5 - 0.5 * std::cos(std::numbers::pi * to_edge);
}

}  // namespace

std::vector<std::int16_t> chime(int hz, int duration_ms)
{
    if (hz <= 0 || duration_ms <= 0) return {};
    std::vector<std::int16_t> samples(static_cast<std::size_t>(static_cast<std::int64_t>(hz) * duration_ms / 1000));
    const double note_seconds = duration_ms / 2000.0;
    const double fade = std::min(fade_seconds, note_seconds / 2);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const double seconds = static_cast<double>(i) / hz;
        const bool second_note = seconds >= note_seconds;
        const double at = second_note ? seconds - note_seconds : seconds;
        const double envelope = faded(at, note_seconds, fade) * std::exp(-notes_decay_by * at / note_seconds);
        const double phase = 2 * std::numbers::pi * (second_note ? high_note_hz : low_note_hz) * at;
        samples[i] = static_cast<std::int16_t>(std::lround(peak * envelope * std::sin(phase)));
    }
    return samples;
}

}  // namespace repartee::audio
