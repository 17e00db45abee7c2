#pragma once
#include "clock.hpp"
#include "session_work.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace repartee::bench {

/// Makes a session's frames, one after another, and remembers when each was due.
class Microphone {
public:
    Microphone(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats)
        : port_(port), stats_(stats), frame_(config.frame_bytes())
    {
        tag_.session = session;
    }

    /// Returns the frame's number.
    std::uint32_t send(std::int64_t due_ns, std::uint32_t flags)
    {
        const std::int64_t now = now_ns();
        tag_.sequence = sent_;
        tag_.flags = flags;
        write_frame(tag_, frame_);
        due_at_ns_[sent_ % remembered] = due_ns;
        if (stats_.in_window(due_ns)) stats_.lag.add(now - due_ns);
        if (stats_.in_window(now)) {
            ++stats_.frames_sent;
            stats_.audio_bytes_sent += frame_.size();
        }
        ++stats_.frames_sent_total;
        port_.send_audio(frame_);
        return sent_++;
    }

    std::uint32_t sent() const { return sent_; }
    /// Latency counts from here, so a relay that keeps the generator from its CPU is charged with it. Of a frame not longer ago than a thousand.
    std::int64_t due_at_ns(std::uint32_t sequence) const { return due_at_ns_[sequence % remembered]; }

private:
    static constexpr std::size_t remembered = 1024;

    ClientPort& port_;
    LoadStats& stats_;
    FrameTag tag_{};
    std::vector<std::byte> frame_;
    std::uint32_t sent_ = 0;
    std::array<std::int64_t, remembered> due_at_ns_{};
};

}  // namespace repartee::bench
