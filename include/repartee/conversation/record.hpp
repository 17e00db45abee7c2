#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/conversation/history.hpp"

#include <cstddef>
#include <span>
#include <string_view>

namespace repartee::conversation {

/// Who keeps what was said in one conversation: its lines, its sound, or both. Called on the conversation's thread and never waits: what it cannot
/// take is dropped, counted, and said in the log once. Knows the wall clock itself.
class Record {
public:
    virtual ~Record() = default;

    /// First, and once: positions in time count from `now`.
    virtual void began(std::string_view session_id, std::string_view user, std::string_view character_id, Instant now) = 0;
    /// New lines and changed ones, as History::take_changed_lines() gives them; one with a known number replaces what was there.
    virtual void lines(std::span<const Line> lines) = 0;
    /// Whether sound is kept: else the three below need not be called.
    virtual bool wants_audio() const = 0;
    /// 24 kHz PCM that came at `arrived`: it was spoken until then.
    virtual void on_user_audio(std::span<const std::byte> pcm, Instant arrived) = 0;
    /// 24 kHz PCM that the loudspeaker gets to at `plays_at`, now or later; in the order it is played.
    virtual void on_character_audio(std::span<const std::byte> pcm, Instant plays_at) = 0;
    /// The loudspeaker stopped at `at`: what it had not played by then was not heard. What comes next is played after.
    virtual void on_cut(Instant at) = 0;
    /// Last. Nothing comes after it.
    virtual void ended(Instant now) = 0;
};

}  // namespace repartee::conversation
