#include "frame_checker.hpp"
#include "microphone.hpp"
#include "session_work.hpp"

#include <algorithm>

namespace repartee::bench {
namespace {

/// A frame a tick; every byte is wanted back.
class EchoWork final : public SessionWork {
public:
    EchoWork(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats)
        : config_(config), stats_(stats), microphone_(config, session, port, stats), echo_(Stream::microphone, session, config.frame_bytes())
    {
    }

    void tick(std::int64_t due_ns) override { microphone_.send(due_ns, 0); }

    void on_audio(std::span<const std::byte> pcm, std::int64_t now) override
    {
        if (stats_.in_window(now)) stats_.audio_bytes_received += pcm.size();
        if (config_.verifies()) return echo_.feed(pcm, [&](const FrameTag& tag) { came_back(tag.sequence, now); });
        counted_bytes_ += pcm.size();
        while (received_ < microphone_.sent() && counted_bytes_ >= (received_ + 1) * config_.frame_bytes()) came_back(received_, now);
    }

    void on_event(std::string_view, std::string_view, std::int64_t) override {}

    bool settled() const override { return received_ >= microphone_.sent() - held_back_frames(); }

    void finish() override
    {
        if (config_.verifies()) {
            echo_.finish(microphone_.sent());
            const Integrity now = echo_.integrity();
            stats_.integrity.add({now.lost - reported_.lost, now.altered - reported_.altered, now.reordered - reported_.reordered});
            reported_ = now;
        } else if (!settled()) {
            stats_.integrity.lost += microphone_.sent() - received_;
        }
        received_ = microphone_.sent();
    }

private:
    void came_back(std::uint32_t sequence, std::int64_t now)
    {
        received_ = std::max(received_, sequence + 1);
        ++stats_.recent_frames;
        if (stats_.in_window(now)) ++stats_.frames_received;
        stats_.add_latency(microphone_.due_at_ns(sequence), now);
    }

    /// Resamplers keep a few ms for themselves.
    std::uint32_t held_back_frames() const
    {
        if (config_.verifies() || microphone_.sent() == 0) return 0;
        return static_cast<std::uint32_t>(std::min<int>(static_cast<int>(microphone_.sent()), 1 + 50 / config_.frame_ms));
    }

    const LoadConfig& config_;
    LoadStats& stats_;
    Microphone microphone_;
    FrameChecker echo_;
    Integrity reported_;
    std::uint32_t received_ = 0;
    std::uint64_t counted_bytes_ = 0;
};

}  // namespace

std::unique_ptr<SessionWork> make_echo_work(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats)
{
    return std::make_unique<EchoWork>(config, session, port, stats);
}

}  // namespace repartee::bench
