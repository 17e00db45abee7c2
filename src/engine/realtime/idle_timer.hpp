#pragma once
#include "repartee/base/clock.hpp"

#include <cstdint>
#include <optional>

namespace repartee::engine {

/// idle_timeout_ms: counts from the end of a response's playback, and what it commits is the silence since then.
class IdleTimer {
public:
    void arm(Instant playback_end)
    {
        playback_end_ = playback_end;
        quiet_begin_.reset();
    }
    void disarm() { playback_end_.reset(); }

    /// To be told before audio is appended at `position`.
    void before_append(Instant now, std::uint64_t position)
    {
        if (playback_end_ && !quiet_begin_ && now >= *playback_end_) quiet_begin_ = position;
    }
    std::optional<Instant> deadline(milliseconds timeout) const
    {
        if (!playback_end_) return std::nullopt;
        return *playback_end_ + timeout;
    }
    /// Nothing appended since: nullopt.
    std::optional<std::uint64_t> quiet_begin() const { return quiet_begin_; }

private:
    std::optional<Instant> playback_end_;
    std::optional<std::uint64_t> quiet_begin_;
};

}  // namespace repartee::engine
