#pragma once
#include "frame_checker.hpp"
#include "histogram.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <string>

namespace repartee::bench {

/// What all sessions of a run count together.
struct LoadStats {
    std::int64_t window_begin_ns = std::numeric_limits<std::int64_t>::max();
    std::int64_t window_end_ns = std::numeric_limits<std::int64_t>::max();
    bool in_window(std::int64_t at_ns) const { return at_ns >= window_begin_ns && at_ns < window_end_ns; }

    // Of the window.
    Histogram latency;  ///< echo: a frame's way and back. burst: request to first audio. talk: all answers to something said. From when it was due
    Histogram lag;      ///< how late frames were sent; part of the latency
    std::uint64_t frames_sent = 0, frames_received = 0;
    std::uint64_t audio_bytes_sent = 0, audio_bytes_received = 0;
    std::uint64_t events_received = 0;

    // Of the whole run.
    Integrity integrity;
    std::uint64_t frames_sent_total = 0, sessions_lost = 0, error_events = 0;
    std::map<std::string, std::uint64_t> errors;

    // Each from the beginning of the connection; live: realtime only, elsewhere a session is live with session.created.
    Histogram connect_tcp, connect_tls, connect_upgrade, connect_created, connect_live;

    // burst
    Histogram reply_duration;
    std::uint64_t replies_complete = 0, replies_cut = 0;
    // talk
    Histogram speech_to_started, turn_to_audio, speech_to_clear;
    std::uint64_t turns = 0, interruptions = 0, audio_clears = 0, late_audio_bytes = 0;

    // Since the last line of progress.
    Histogram recent_latency;
    std::uint64_t recent_frames = 0;

    /// Different messages are kept up to a number, then only counted.
    void count_error(const std::string& message);
    bool failed() const { return !errors.empty(); }
    void add_latency(std::int64_t due_ns, std::int64_t now)
    {
        recent_latency.add(now - due_ns);
        if (in_window(due_ns)) latency.add(now - due_ns);
    }
};

}  // namespace repartee::bench
