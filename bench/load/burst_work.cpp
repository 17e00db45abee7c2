#include "frame_checker.hpp"
#include "microphone.hpp"
#include "session_work.hpp"

#include <algorithm>

namespace repartee::bench {
namespace {

constexpr std::int64_t spread_parts = 1024;

/// 0…spread_parts - 1, evenly over any number of sessions, so that they do not all ask at the same instant.
std::int64_t spread(std::uint32_t session) { return session * 0x9e3779b9U >> 22; }

/// A short turn, committed by hand; a long reply that comes as fast as it can; a pause; again.
class BurstWork final : public SessionWork {
public:
    BurstWork(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats)
        : config_(config),
          port_(port),
          stats_(stats),
          microphone_(config, session, port, stats),
          reply_(Stream::reply, session, reply_cell_bytes),
          frames_a_turn_(std::max(1, config.turn_ms / config.frame_ms)),
          first_wait_ns_(spread(session) * config.turn_gap_ms * ns_per_ms / spread_parts)
    {
    }

    void tick(std::int64_t due_ns) override
    {
        if (speak_at_ns_ == 0) speak_at_ns_ = due_ns + first_wait_ns_;
        if (state_ == State::pausing && due_ns >= speak_at_ns_) state_ = State::speaking;
        if (state_ != State::speaking) return;
        microphone_.send(due_ns, speech_flag);
        if (++frames_of_turn_ < frames_a_turn_) return;
        frames_of_turn_ = 0;
        state_ = State::waiting;
        asked_at_ns_ = due_ns;
        port_.send_event(R"({"type":"input_audio_buffer.commit"})");
        port_.send_event(R"({"type":"response.create"})");
    }

    void on_audio(std::span<const std::byte> pcm, std::int64_t now) override
    {
        if (stats_.in_window(now)) stats_.audio_bytes_received += pcm.size();
        if (state_ == State::waiting) {
            state_ = State::listening;
            stats_.add_latency(asked_at_ns_, now);
        }
        reply_.feed(pcm, [&](const FrameTag& tag) {
            ++stats_.recent_frames;
            if (stats_.in_window(now)) ++stats_.frames_received;
            if (cell_of(tag.sequence) + 1 == tag.cells) on_reply_end(now);
        });
    }

    void on_event(std::string_view, std::string_view, std::int64_t) override {}
    bool settled() const override { return state_ != State::waiting && !reply_.inside_reply(); }

    void finish() override
    {
        if (state_ == State::waiting) stats_.count_error("a reply did not come. Is the upstream's --mode burst?");
        reply_.finish_reply();
        const Integrity now = reply_.integrity();
        stats_.integrity.add({now.lost - reported_.lost, now.altered - reported_.altered, now.reordered - reported_.reordered});
        reported_ = now;
    }

private:
    enum class State { pausing, speaking, waiting, listening };

    void on_reply_end(std::int64_t now)
    {
        if (stats_.in_window(now)) {
            ++stats_.replies_complete;
            stats_.reply_duration.add(now - asked_at_ns_);
        }
        state_ = State::pausing;
        speak_at_ns_ = now + config_.turn_gap_ms * ns_per_ms;
    }

    const LoadConfig& config_;
    ClientPort& port_;
    LoadStats& stats_;
    Microphone microphone_;
    FrameChecker reply_;
    Integrity reported_;
    const int frames_a_turn_;
    const std::int64_t first_wait_ns_;

    State state_ = State::pausing;
    int frames_of_turn_ = 0;
    std::int64_t speak_at_ns_ = 0, asked_at_ns_ = 0;
};

}  // namespace

std::unique_ptr<SessionWork> make_burst_work(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats)
{
    return std::make_unique<BurstWork>(config, session, port, stats);
}

}  // namespace repartee::bench
