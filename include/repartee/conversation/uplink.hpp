#pragma once
#include "repartee/audio/pcm.hpp"
#include "repartee/audio/resampler.hpp"
#include "repartee/audio/ring.hpp"
#include "repartee/conversation/backlog.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::conversation {

/// What of that which has left is kept, in case that the service is lost and another one must be told.
struct UplinkKept {
    std::size_t audio_bytes_max = 0;  ///< of 24 kHz audio, while somebody speaks; 0: nothing is kept, events neither
    std::size_t idle_bytes = audio::bytes_of_ms(300, audio::realtime_hz);  ///< otherwise
    std::size_t replay_events_max = 0, replay_bytes_max = 0;  ///< what another upstream is told first, beside what may wait otherwise
};

/// From the client to the upstream: audio and events in the order in which the client sent them. Audio is brought to 24 kHz as it comes; what
/// gathers while the upstream socket is busy leaves in one append event. What has left can leave again, for another upstream.
/// Positions are bytes of 24 kHz audio since the conversation began, whatever became of them.
class Uplink {
public:
    using Kept = UplinkKept;

    /// `capacity_bytes` of audio may wait; what is kept stands beside them.
    Uplink(int input_hz, std::size_t capacity_bytes, std::size_t events_max, std::size_t events_bytes_max = 4 << 20, Kept kept = {});

    /// Whole samples at the input rate. False: no room, nothing taken.
    bool push_audio(std::span<const std::byte> pcm);
    /// Sent behind all audio pushed so far. With a key it is kept after it has left, until it is confirmed. False: too many are waiting.
    bool push_event(std::string event, std::string key = {});
    /// Sent before anything that waits. False: too many of these wait already.
    bool push_urgent(std::string event, std::string key = {});
    /// The client ends a turn here (commit): the resampler's tail is part of it.
    void end_turn();
    /// Drops audio that has not been sent, what is kept of it, and commits that are not confirmed yet; unless an event that waits behind it (a
    /// commit) still needs it: then the upstream clears its own.
    void drop_audio();
    /// The client clears what it has said and not committed: `event` tells the upstream. As drop_audio() and push_event(), but commits that are not
    /// confirmed yet stay, and their audio with them: another upstream is then told of the clearing too. False: too many are waiting.
    bool clear_audio(std::string event);

    /// While held only urgent events leave: the upstream does not know the session's settings yet.
    void hold(bool held) { held_ = held; }

    /// What leaves next, already taken out; valid until the next call of anything.
    struct Next {
        enum class Kind { nothing, event, audio } kind = Kind::nothing;
        std::string_view event{};                           ///< JSON
        std::array<std::span<const std::byte>, 2> audio{};  ///< 24 kHz PCM16 for one append event, in two parts
        std::uint64_t position = 0;                         ///< of its first sample; of an event: of the audio that leaves behind it
        bool again = false;                                 ///< audio: all of it has left before, for another upstream; else nothing of it
    };
    Next next();

    /// Whether another piece_ms_max of audio fits, whatever its rate was.
    bool has_room() const;
    /// Whether so much at the input rate does.
    bool has_room(std::size_t input_bytes) const;
    static constexpr int piece_ms_max = 250;

    /// All that waits, in bytes of 24 kHz audio.
    std::size_t pending_audio_bytes() const { return static_cast<std::size_t>(ring_.written() - sent_); }

    /// What the audio takes, waiting or kept.
    std::size_t memory_bytes() const { return ring_.memory_bytes(); }

    // What a service that is lost leaves to the next one.

    static constexpr std::string_view commit_key = "commit";  ///< the key of events that commit audio: drop_audio() knows them by it

    /// The service has taken the oldest event with this key, or the one behind so many `older` ones that stay. Returns the position that it was
    /// pinned to, if there was one.
    std::optional<std::uint64_t> confirm(std::string_view key, std::size_t older = 0);
    /// Of an event that has left and is not confirmed; as confirm(), which says when there is none.
    std::optional<std::uint64_t> position_of(std::string_view key, std::size_t older = 0) const { return unconfirmed_.position_of(key, older); }
    /// The service has refused the event with this event_id: it does not leave again.
    void refuse(std::string_view event_id);
    /// Forgets what was to be sent before all the rest: it spoke to a service that is gone.
    void drop_urgent() { urgent_.clear(); }
    /// Nothing that has left without being confirmed leaves again. Returns how many events that were.
    std::size_t refuse_all_unconfirmed();

    /// Up to where audio has left.
    std::uint64_t sent_position() const { return sent_; }
    /// Up to where audio was pushed: where an event that is pushed now is pinned.
    std::uint64_t pushed_position() const { return ring_.written(); }
    /// From where on there is audio that can leave again.
    std::uint64_t kept_from() const { return ring_.consumed(); }
    /// Somebody has spoken since then: audio from there on (or from kept_from() on) is kept although it leaves; the newest audio_bytes_max of it.
    void keep_from(std::uint64_t position);
    /// Nobody speaks, as in the beginning: only the newest idle_bytes of what has left are kept.
    void keep_idle();
    /// Audio between two positions, sent or not; empty when it is not all there. Valid until the next call of anything else.
    std::array<std::span<const std::byte>, 2> kept(std::uint64_t from, std::uint64_t to) const;

    /// For a new service: audio from `position` on (or from kept_from() on) and all events that are not confirmed leave again, in their order and
    /// before what never left; urgent ones first. hold(true) until that service knows the conversation: these wait for it, urgent or not.
    void rewind(std::uint64_t position);

private:
    bool write(std::span<const std::byte> pcm);
    void let_go(std::uint64_t position);
    void let_go_of_old(std::size_t more_bytes);
    bool is_audio_needed() const;
    void forget_clears();
    Next leave(Backlog& waiting);

    int input_hz_;
    Kept kept_;
    std::size_t waiting_bytes_max_;
    audio::Ring ring_;  ///< what is kept, then what waits
    audio::Resampler resampler_;
    std::vector<std::int16_t> in_, out_;
    std::uint64_t sent_ = 0;     ///< where in the ring what waits begins
    std::uint64_t reached_ = 0;  ///< audio before it has left once: it takes no room from what comes
    std::optional<std::uint64_t> keep_from_;
    Backlog pinned_, urgent_;
    Backlog unconfirmed_;  ///< have left, in that order; without a text: dropped, but the confirmation still comes
    Backlog again_;        ///< have left for a service that is lost
    std::string current_;
    bool held_ = true;
};

}  // namespace repartee::conversation
