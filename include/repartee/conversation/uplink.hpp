#pragma once
#include "repartee/audio/resampler.hpp"
#include "repartee/audio/ring.hpp"

#include <array>
#include <cstddef>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::conversation {

/// From the client to the upstream: audio and events in the order in which the client sent them. Audio is brought to 24 kHz as it comes; what
/// gathers while the upstream socket is busy leaves in one append event.
class Uplink {
public:
    Uplink(int input_hz, std::size_t capacity_bytes, std::size_t events_max, std::size_t events_bytes_max = 4 << 20);

    /// Whole samples at the input rate. False: no room, nothing taken.
    bool push_audio(std::span<const std::byte> pcm);
    /// Sent behind all audio pushed so far. False: too many are waiting.
    bool push_event(std::string event);
    /// Sent before anything that waits. False: too many of these wait already.
    bool push_urgent(std::string event);
    /// The client ends a turn here (commit): the resampler's tail is part of it.
    void end_turn();
    /// Drops audio that has not been sent, unless an event that waits behind it (a commit) still needs it: then the upstream clears its own.
    void drop_audio();

    /// While held only urgent events leave: the upstream does not know the session's settings yet.
    void hold(bool held) { held_ = held; }

    /// What leaves next, already taken out; valid until the next call of anything.
    struct Next {
        enum class Kind { nothing, event, audio } kind = Kind::nothing;
        std::string_view event{};                           ///< JSON
        std::array<std::span<const std::byte>, 2> audio{};  ///< 24 kHz PCM16 for one append event, in two parts
    };
    Next next();

    /// Whether another piece_ms_max of audio fits, whatever its rate was.
    bool has_room() const;
    static constexpr int piece_ms_max = 250;

    /// All that waits, in bytes of 24 kHz audio.
    std::size_t pending_audio_bytes() const { return ring_.size(); }

private:
    struct PinnedEvent {
        std::uint64_t offset;  ///< goes out when the audio before this stream position has gone
        std::string text;
    };
    audio::Ring ring_;
    audio::Resampler resampler_;
    std::vector<std::int16_t> in_, out_;
    std::list<PinnedEvent> pinned_;
    std::list<std::string> urgent_;
    std::size_t events_max_, events_bytes_max_;
    std::size_t pinned_bytes_ = 0, urgent_bytes_ = 0;
    std::string current_;
    bool held_ = true;
};

}  // namespace repartee::conversation
