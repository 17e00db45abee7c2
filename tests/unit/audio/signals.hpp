#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <vector>

/// Signals for the audio tests: the same on every machine and in every run.
namespace repartee::audio::signals {

using Samples = std::vector<std::int16_t>;

/// A linear congruential generator: unlike <random>'s distributions, the same everywhere.
class Noise {
public:
    explicit Noise(std::uint32_t seed = 1) : state_(seed) {}
    std::uint32_t bits()
    {
        state_ = state_ * 1'664'525 + 1'013'904'223;
        return state_ >> 8;
    }
    std::size_t below(std::size_t limit) { return bits() % limit; }
    double uniform() { return bits() / 8'388'608.0 - 1; }  ///< −1…1, with an RMS of 1/√3

private:
    std::uint32_t state_;
};

inline double amplitude(double db) { return 32'768 * std::pow(10, db / 20); }

inline std::int16_t sample(double value)
{
    return static_cast<std::int16_t>(std::lround(std::fmin(32'767, std::fmax(-32'768, value))));
}

inline double rms_db(std::span<const std::int16_t> samples)
{
    double power = 0;
    for (std::int16_t s : samples) power += static_cast<double>(s) * s;
    return 10 * std::log10(power / static_cast<double>(samples.size()) / (32'768.0 * 32'768.0) + 1e-12);
}

/// A sine of `db` RMS.
inline Samples sine(double frequency_hz, int hz, std::size_t count, double db)
{
    Samples out(count);
    const double peak = amplitude(db) * std::numbers::sqrt2;
    const double step = 2 * std::numbers::pi * frequency_hz / hz;
    for (std::size_t i = 0; i < count; ++i) out[i] = sample(peak * std::sin(step * static_cast<double>(i)));
    return out;
}

inline Samples white_noise(std::size_t count, double db, std::uint32_t seed = 1)
{
    Samples out(count);
    Noise noise(seed);
    for (auto& s : out) s = sample(amplitude(db) * std::sqrt(3.0) * noise.uniform());
    return out;
}

inline void mix(Samples& into, const Samples& other)
{
    for (std::size_t i = 0; i < into.size() && i < other.size(); ++i) into[i] = sample(static_cast<double>(into[i]) + other[i]);
}

/// Something like a talking person, at 24 kHz: pulses of a glottis whose pitch wanders, three formants that change with every syllable,
/// four syllables a second between which the voice nearly stops. `db` is about the RMS of the whole.
inline Samples voice(std::size_t count, double db, double pitch_hz = 130)
{
    constexpr double hz = 24'000;
    constexpr double syllable_seconds = 0.25;
    constexpr std::array<std::array<double, 3>, 4> vowels{{{730, 1090, 2440}, {270, 2290, 3010}, {570, 840, 2410}, {530, 1840, 2480}}};
    struct Resonator {
        double y1 = 0, y2 = 0;
        double next(double x, double formant_hz, double width_hz)
        {
            const double r = std::exp(-std::numbers::pi * width_hz / hz);
            const double y = (1 - r) * x + 2 * r * std::cos(2 * std::numbers::pi * formant_hz / hz) * y1 - r * r * y2;
            y2 = y1;
            return y1 = y;
        }
    };
    std::array<Resonator, 3> formants{};
    std::vector<double> raw(count);
    double phase = 0;
    double glottis = 0;
    double power = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double seconds = static_cast<double>(i) / hz;
        phase += pitch_hz * (1 + 0.12 * std::sin(2 * std::numbers::pi * 0.7 * seconds)) / hz;
        double pulse = 0;
        if (phase >= 1) {
            phase -= 1;
            pulse = 1;
        }
        glottis = 0.95 * glottis + pulse;
        const double in_syllable = std::fmod(seconds, syllable_seconds) / syllable_seconds;
        const double envelope = 0.03 + 0.97 * std::sqrt(std::sin(std::numbers::pi * in_syllable));
        const auto& vowel = vowels[static_cast<std::size_t>(seconds / syllable_seconds) % vowels.size()];
        double x = glottis;
        for (std::size_t f = 0; f < formants.size(); ++f) x += formants[f].next(x, vowel[f], 90 + 30 * static_cast<double>(f));
        raw[i] = x * envelope;
        power += raw[i] * raw[i];
    }
    const double gain = amplitude(db) / std::sqrt(power / static_cast<double>(count));
    Samples out(count);
    for (std::size_t i = 0; i < count; ++i) out[i] = sample(raw[i] * gain);
    return out;
}

}  // namespace repartee::audio::signals
