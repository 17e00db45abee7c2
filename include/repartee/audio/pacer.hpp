#pragma once
#include <chrono>
#include <cstdint>
#include <optional>

namespace repartee::audio {

/// Decides how much reply audio the client may have now, and estimates where its loudspeaker is. Pure: time comes in as a parameter.
/// Model: the loudspeaker starts with the first byte sent and plays in real time; when it has played all that was sent it waits (an underrun)
/// and goes on with the next byte. The client may be at most `lead` ahead of the loudspeaker; without pacing, as far as it likes.
/// Positions are samples since construction, counted over everything sent and not thrown away.
class Pacer {
public:
    using Instant = std::chrono::steady_clock::time_point;

    /// `lead` nullopt: pacing off.
    Pacer(int hz, std::optional<std::chrono::milliseconds> lead);

    /// Samples that may be sent now.
    std::uint64_t allowance(Instant now) const;
    /// When at least `samples` more may be sent: now or later. Callers sleep until then. More than the lead is never allowed at once, so a
    /// request for more is answered as one for the whole lead.
    Instant when_allowed(std::uint64_t samples, Instant now) const;
    void on_sent(std::uint64_t samples, Instant now);
    /// The position the loudspeaker has reached by the model: never more than was sent.
    std::uint64_t played(Instant now) const;
    std::uint64_t sent() const { return sent_; }
    /// The client has thrown away what it had not played (audio.clear): the loudspeaker stands at `played`, nothing is ahead of it,
    /// so `sent` goes back to there.
    void on_cleared(Instant now) { on_cleared_at(played(now), now); }
    /// The same, when it is known where the loudspeaker stood: at most sent().
    void on_cleared_at(std::uint64_t position, Instant now);
    /// When the loudspeaker reaches a position, if it does not have to wait on its way.
    Instant time_of(std::uint64_t position) const;

private:
    std::uint64_t lead_samples() const;

    int hz_;
    std::optional<std::chrono::milliseconds> lead_;
    std::uint64_t sent_ = 0;
    std::uint64_t anchor_sample_ = 0;  ///< at anchor_time_ the loudspeaker stood here, and plays on from here
    Instant anchor_time_{};
};

}  // namespace repartee::audio
