#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace repartee::audio {

/// Streaming sample-rate conversion of mono PCM16 (speexdsp, quality 5 by default). One object a direction and session: it keeps the filter's
/// state, so chunk borders do not click, and the output's length follows the exact ratio without drift.
/// With equal rates it copies and costs nothing.
class Resampler {
public:
    Resampler(int in_hz, int out_hz, int quality = 5);
    ~Resampler();
    Resampler(Resampler&&) noexcept;
    Resampler& operator=(Resampler&&) noexcept;

    bool passes_through() const;
    /// Appends the converted samples to `out`. The first output sample stands for the first input sample (the filter's delay is skipped).
    void process(std::span<const std::int16_t> in, std::vector<std::int16_t>& out);
    /// Appends what the filter still holds: afterwards the total output is round(total input * out_hz / in_hz) ± 1, and the next
    /// process() begins a new stream, as after reset().
    void flush(std::vector<std::int16_t>& out);
    /// Forgets everything heard so far: for a new stream after an interruption.
    void reset();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace repartee::audio
