#pragma once
#include "repartee/base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace repartee::conversation {

struct StereoMixSettings {
    milliseconds settled_after{1'000};         ///< what is older than this nothing changes any more
    milliseconds user_ahead_max{30'000};       ///< what a client may send faster than it is spoken; more is dropped
    milliseconds character_ahead_max{120'000};  ///< what may wait for the loudspeaker; more is dropped
};

/// Both voices of a conversation on one timeline at 24 kHz from its start: left the user, right the character as heard. Sound is held only until it
/// is settled; silence costs nothing. Pure.
class StereoMix {
public:
    struct Block {
        std::uint64_t frame = 0;             ///< its place from the start; what lies between blocks is silence
        std::vector<std::int16_t> samples;   ///< left, right, left, … of at most a second
    };

    StereoMix(StereoMixSettings settings, Instant began);

    /// PCM that came at `arrived`. It follows what came before, unless that is long over: then it was spoken until `arrived`.
    void on_user(std::span<const std::byte> pcm, Instant arrived);
    /// PCM that the loudspeaker gets to at `plays_at`.
    void on_character(std::span<const std::byte> pcm, Instant plays_at, Instant now);
    /// The loudspeaker stopped at `at`: what it had not played by then is silence.
    void on_cut(Instant at);
    /// Nothing comes any more; the loudspeaker stops. How many frames there are in all.
    std::uint64_t end(Instant now);

    /// The next block with sound in it that nothing can change any more; after end() all that are left, one after the other.
    std::optional<Block> take(Instant now);

    std::uint64_t dropped_bytes() const { return dropped_bytes_; }

private:
    struct Piece {
        std::uint64_t frame;
        std::vector<std::int16_t> samples;
        std::uint64_t end() const { return frame + samples.size(); }
    };
    struct Voice {
        std::deque<Piece> pieces;
        std::uint64_t end = 0;  ///< behind the last sample
    };

    std::uint64_t frame_of(Instant at) const;
    void put(Voice& voice, std::uint64_t frame, std::span<const std::byte> pcm, std::uint64_t frame_max);
    void copy(Voice& voice, Block& block, std::size_t side);
    std::uint64_t first_sound() const;

    StereoMixSettings settings_;
    Instant began_;
    Voice user_, character_;
    std::uint64_t taken_ = 0;                ///< up to here blocks have left
    std::uint64_t quiet_frames_ = 0;         ///< of the user, up to now
    std::optional<std::uint64_t> ended_at_;
    std::uint64_t dropped_bytes_ = 0;
};

}  // namespace repartee::conversation
