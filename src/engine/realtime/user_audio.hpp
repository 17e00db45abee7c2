#pragma once
#include "audio_codec.hpp"
#include "input_buffer.hpp"
#include "turn_detector.hpp"

#include <optional>
#include <span>
#include <vector>

namespace repartee::engine {

/// The user's side of the sound: bytes as they come in → the input audio buffer, and where turns begin and end.
class UserAudio {
public:
    UserAudio(const realtime::SessionConfig& session, std::size_t samples_max);

    /// To be called after every session.update.
    void configure(const realtime::SessionConfig& session);

    /// A chunk of at most chunk_bytes_max, so that the buffer's bound holds at every moment. Appends to `edges`.
    void append(std::span<const std::byte> chunk, std::vector<TurnEdge>& edges);
    static constexpr std::size_t chunk_bytes_max = 48'000;

    InputBuffer& buffer() { return buffer_; }
    const InputBuffer& buffer() const { return buffer_; }
    /// Turn detection is on and nobody speaks: audio far back in the buffer belongs to no turn.
    void drop_old_quiet();
    void forget_turn();

private:
    realtime::AudioFormat format_;
    InputDecoder decoder_;
    InputBuffer buffer_;
    std::optional<TurnDetector> detector_;  ///< none: push-to-talk
    std::uint64_t quiet_samples_kept_ = 0;
    std::vector<std::int16_t> decoded_;
};

}  // namespace repartee::engine
