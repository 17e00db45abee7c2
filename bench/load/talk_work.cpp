#include "frame_checker.hpp"
#include "microphone.hpp"
#include "session_work.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <random>
#include <string>

namespace repartee::bench {
namespace {

constexpr std::int64_t cell_ns = 20 * ns_per_ms;
constexpr std::int64_t reply_limit_ns = 10 * ns_per_s;
constexpr double speech_s_min = 1.5, speech_s_max = 2.5, first_wait_s_max = 4;
constexpr int cycle_in_speeches = 3;      // so people speak a third of the time
constexpr double interrupting_part = 0.1;
constexpr double interruption_from = 0.1, interruption_to = 0.6;  // of the reply's length

std::int64_t ns_of(double seconds) { return static_cast<std::int64_t>(seconds * static_cast<double>(ns_per_s)); }

/// Somebody who speaks, listens, and now and then does not let the other finish. The microphone is always open.
class TalkWork final : public SessionWork {
public:
    TalkWork(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats)
        : config_(config),
          port_(port),
          stats_(stats),
          microphone_(config, session, port, stats),
          reply_(Stream::reply, session, reply_cell_bytes),
          random_(session)
    {
    }

    void tick(std::int64_t due_ns) override
    {
        if (speak_at_ns_ == 0) speak_at_ns_ = due_ns + ns_of(between(0, first_wait_s_max));
        if (!speaking_ && !awaiting_reply_ && due_ns >= speak_at_ns_) start_speaking(due_ns);
        if (speaking_ && due_ns >= silent_at_ns_) stop_speaking(due_ns);
        const std::uint32_t sequence = microphone_.send(due_ns, speaking_ ? speech_flag : 0);
        if (speech_begins_) {
            speech_begins_ = false;
            first_speech_frame_ = sequence;
        }
        watch_reply(due_ns);
    }

    void on_audio(std::span<const std::byte> pcm, std::int64_t now) override
    {
        heard_at_ns_ = now;
        if (stats_.in_window(now)) stats_.audio_bytes_received += pcm.size();
        if (cleared_) {
            if (stats_.late_audio_bytes == 0) stats_.count_error("audio came after audio.clear and before the next audio.start");
            stats_.late_audio_bytes += pcm.size();
            return;
        }
        reply_.feed(pcm, [&](const FrameTag& tag) { on_cell(tag, now); });
    }

    void on_item(std::string_view item_id) override
    {
        if (item_id_ != item_id) item_id_ = item_id;
    }

    void on_event(std::string_view type, std::string_view, std::int64_t now) override
    {
        if (type == "input_audio_buffer.speech_started") return on_speech_started(now);
        if (type == "audio.start") cleared_ = false;
        if (type == "audio.clear") {
            if (stats_.in_window(now)) ++stats_.audio_clears;
            if (interrupted_frame_) add_latency(stats_.speech_to_clear, *interrupted_frame_, now);
            reply_.restart();
            reply_.allow_cut();
            cleared_ = true;
        }
    }

    // What has not been answered yet will not be: nobody hears the silence that ends the turn.
    void pause() override { awaiting_reply_ = false; }
    bool settled() const override { return true; }

    void finish() override
    {
        const Integrity now = reply_.integrity();
        stats_.integrity.add({now.lost - reported_.lost, now.altered - reported_.altered, now.reordered - reported_.reordered});
        reported_ = now;
    }

private:
    double between(double low, double high) { return std::uniform_real_distribution<double>(low, high)(random_); }

    bool is_playing(std::int64_t now) const { return reply_begun_ns_ != 0 && now < reply_begun_ns_ + reply_cells_ * cell_ns; }

    void start_speaking(std::int64_t due_ns)
    {
        const std::int64_t length_ns = ns_of(between(speech_s_min, speech_s_max));
        speaking_ = speech_begins_ = true;
        silent_at_ns_ = due_ns + length_ns;
        next_speech_ns_ = due_ns + cycle_in_speeches * length_ns;
        interrupted_frame_.reset();
        if (!is_playing(due_ns)) return;
        interrupted_frame_ = microphone_.sent();  // the frame that goes out now
        reply_.allow_cut();
        if (stats_.in_window(due_ns)) ++stats_.interruptions;
    }

    void stop_speaking(std::int64_t due_ns)
    {
        speaking_ = false;
        awaiting_reply_ = true;
        asked_at_ns_ = due_ns;
        will_interrupt_ = between(0, 1) < interrupting_part;
        if (stats_.in_window(asked_at_ns_)) ++stats_.turns;
    }

    void on_cell(const FrameTag& tag, std::int64_t now)
    {
        ++stats_.recent_frames;
        if (stats_.in_window(now)) ++stats_.frames_received;
        if (cell_of(tag.sequence) == 0) on_reply_begin(tag, now);
        ++cells_heard_;
        if (cells_heard_ == tag.cells && stats_.in_window(now)) ++stats_.replies_complete;
    }

    void on_reply_begin(const FrameTag& tag, std::int64_t now)
    {
        if (cells_heard_ > 0 && cells_heard_ < reply_cells_ && stats_.in_window(now)) ++stats_.replies_cut;
        awaiting_reply_ = false;
        reply_begun_ns_ = now;
        reply_cells_ = tag.cells;
        cells_heard_ = 0;
        add_latency(stats_.turn_to_audio, tag.cause, now);
        const std::int64_t length_ns = tag.cells * cell_ns;
        speak_at_ns_ = std::max(now + length_ns, next_speech_ns_);
        if (will_interrupt_) speak_at_ns_ = now + ns_of(between(interruption_from, interruption_to) * static_cast<double>(length_ns) / ns_per_s);
    }

    void on_speech_started(std::int64_t now)
    {
        add_latency(stats_.speech_to_started, first_speech_frame_, now);
        if (config_.dialect != Dialect::realtime || !interrupted_frame_ || item_id_.empty()) return;
        // Over the Realtime API it is the client that knows what was heard.
        const std::int64_t played_ms = std::min<std::int64_t>(now - reply_begun_ns_, cells_heard_ * cell_ns) / ns_per_ms;
        port_.send_event(fmt::format(R"({{"type":"conversation.item.truncate","item_id":"{}","content_index":0,"audio_end_ms":{}}})", item_id_,
                                     played_ms));
    }

    void add_latency(Histogram& histogram, std::uint32_t cause, std::int64_t now)
    {
        const std::int64_t due_ns = microphone_.due_at_ns(cause);
        if (stats_.in_window(due_ns)) histogram.add(now - due_ns);
        stats_.add_latency(due_ns, now);
    }

    void watch_reply(std::int64_t now)
    {
        if (awaiting_reply_ && now > asked_at_ns_ + reply_limit_ns) {
            stats_.count_error("a reply did not come within 10 s. Is the upstream's --mode talk?");
            awaiting_reply_ = false;
            speak_at_ns_ = now;
        }
        if (reply_.inside_reply() && !cleared_ && !interrupted_frame_ && now > heard_at_ns_ + reply_limit_ns) {
            stats_.count_error("a reply stopped in its middle for 10 s");
            heard_at_ns_ = now;
        }
    }

    const LoadConfig& config_;
    ClientPort& port_;
    LoadStats& stats_;
    Microphone microphone_;
    FrameChecker reply_;
    Integrity reported_;
    std::mt19937 random_;

    bool speaking_ = false, speech_begins_ = false, awaiting_reply_ = false, will_interrupt_ = false, cleared_ = false;
    std::int64_t speak_at_ns_ = 0, silent_at_ns_ = 0, next_speech_ns_ = 0, asked_at_ns_ = 0, heard_at_ns_ = 0;
    std::uint32_t first_speech_frame_ = 0;
    std::optional<std::uint32_t> interrupted_frame_;  ///< with which the person broke into the reply
    std::int64_t reply_begun_ns_ = 0;
    std::uint32_t reply_cells_ = 0, cells_heard_ = 0;
    std::string item_id_;
};

}  // namespace

std::unique_ptr<SessionWork> make_talk_work(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats)
{
    return std::make_unique<TalkWork>(config, session, port, stats);
}

}  // namespace repartee::bench
