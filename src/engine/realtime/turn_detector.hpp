#pragma once
#include "repartee/audio/vad.hpp"
#include "repartee/realtime/session_config.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace repartee::engine {

struct TurnEdge {
    enum class Kind { started, stopped };
    Kind kind;
    std::uint64_t at_sample;  ///< started: prefix padding included (may reach before what is still kept); stopped: the silence included

    bool operator==(const TurnEdge&) const = default;
};

/// Where the user's turns begin and end. Speech is declared after 40 ms of it (two frames), so that a click is not a turn, and is over after
/// silence_duration_ms without any. Semantic VAD is served as server VAD with a silence of its own: eagerness high 500, medium and auto 800,
/// low 1200 ms.
class TurnDetector {
public:
    /// `at_sample`: position of the first sample it will be given.
    TurnDetector(const realtime::TurnDetection& settings, std::uint64_t at_sample);

    /// Appends to `edges`.
    void process(std::span<const std::int16_t> samples, std::vector<TurnEdge>& edges);
    bool speaking() const { return speaking_; }
    /// New settings take effect at once, also within a turn.
    void configure(const realtime::TurnDetection& settings);
    /// Forgets a turn under way; the noise floor stays learned.
    void forget_turn();

private:
    void process_frame(std::vector<TurnEdge>& edges);

    audio::VoiceDetector voice_;
    double threshold_ = 0.5;
    std::uint64_t padding_samples_ = 0;
    std::int64_t silence_ms_max_ = 0;

    std::vector<std::int16_t> frame_;  ///< the frame being filled
    std::uint64_t frame_begin_;
    bool speaking_ = false;
    int speech_frames_ = 0;  ///< consecutive
    std::int64_t silence_ms_ = 0;
};

}  // namespace repartee::engine
