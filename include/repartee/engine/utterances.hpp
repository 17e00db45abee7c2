#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace repartee::engine {

struct UtteranceSettings {
    double threshold = 0.5;
    std::int64_t prefix_padding_ms = 300;
    std::int64_t silence_ms = 500;
    std::int64_t utterance_ms_max = 30'000;  ///< a longer one is cut there, and goes on as the next
};

/// One thing that was said, in 24 kHz samples. Times count from the stream's first sample.
struct Utterance {
    std::vector<std::int16_t> samples;
    std::int64_t start_ms = 0, end_ms = 0;
};

/// Cuts a continuous stream into utterances by voice detection. Holds no more than one utterance and the padding. Pure.
class UtteranceCutter {
public:
    explicit UtteranceCutter(UtteranceSettings settings);
    ~UtteranceCutter();
    UtteranceCutter(UtteranceCutter&&) noexcept;

    /// 24 kHz. Appends the utterances that ended to `out`.
    void push(std::span<const std::int16_t> samples, std::vector<Utterance>& out);
    /// The stream's end, or a client's wish: what is being said counts as ended.
    void flush(std::vector<Utterance>& out);
    bool speaking() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace repartee::engine
