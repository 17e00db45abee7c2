#include "repartee/relay/archive.hpp"

#include "repartee/base/log.hpp"
#include "repartee/conversation/stereo_mix.hpp"
#include "repartee/net/door.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace repartee::relay {
namespace {

using conversation::Line;
using store::StoredConversation;
using Clock = std::chrono::steady_clock;

constexpr milliseconds answer_limit{5'000};

Error busy_database() { return {Code::busy, "The database did not answer in time. Try again in a moment."}; }
Error busy_disk() { return {Code::busy, "The disk is behind with recordings. Try again in a moment."}; }

}  // namespace

struct Archive::State {
    State(store::Database& database, ArchiveSettings set, Metrics& counters)
        : settings(std::move(set)), metrics(counters), recordings(open_recordings()), transcripts(database, limits(), on_dropped())
    {
    }

    std::shared_ptr<store::RecordingFiles> open_recordings() const
    {
        if (!settings.recordings_folder) return nullptr;
        return std::make_shared<store::RecordingFiles>(*settings.recordings_folder, settings.recordings, metrics.recording_dropped_bytes);
    }

    /// Whose a recording is must be known as long as it is there: or it could not be deleted with all of its user.
    store::TranscriptLimits limits() const
    {
        store::TranscriptLimits wanted = settings.transcripts;
        wanted.kept_days_max = wanted.age_days_max;
        const std::int64_t recording_days = settings.recordings.age_days_max;
        if (recordings) wanted.kept_days_max = wanted.age_days_max == 0 || recording_days == 0 ? 0 : std::max(wanted.age_days_max, recording_days);
        return wanted;
    }

    std::function<void(const std::string&)> on_dropped() const
    {
        if (!recordings) return {};
        return [files = recordings](const std::string& id) { files->remove(id, {}); };
    }

    const ArchiveSettings settings;
    Metrics& metrics;
    // Shared with answers under way on other threads; those never hold the State, which must not end there.
    const std::shared_ptr<net::Door> door = std::make_shared<net::Door>();
    const std::shared_ptr<store::RecordingFiles> recordings;  ///< null: none are kept
    store::TranscriptRepository transcripts;
};

/// One conversation's way into the archive.
class Archive::Entry final : public conversation::Record {
public:
    explicit Entry(std::shared_ptr<State> state) : state_(std::move(state)) {}

    ~Entry() override { finish(Clock::now()); }

    void began(std::string_view session_id, std::string_view user, std::string_view character_id, Instant now) override
    {
        id_ = session_id;
        user_ = user;
        character_id_ = character_id;
        running_ = true;
        begin_lines();
        if (!state_->recordings) return;
        if (state_->recordings->begin(id_)) mix_.emplace(conversation::StereoMixSettings{}, now);
        else tell_once(told_of_sound_, "recording.dropped", "Too much sound waits for the disk: this conversation is not recorded.");
    }

    void lines(std::span<const Line> lines) override
    {
        if (!running_ || !state_->settings.lines || lines.empty()) return;
        begin_lines();
        const std::size_t taken = begun_ ? state_->transcripts.write(id_, lines) : 0;
        if (taken == lines.size()) return;
        state_->metrics.transcript_lines_dropped_total.add(lines.size() - taken);
        tell_once(told_of_lines_, "transcripts.dropped", "Too many lines wait for the database: some are not kept.");
    }

    bool wants_audio() const override { return state_->recordings != nullptr; }

    void on_user_audio(std::span<const std::byte> pcm, Instant arrived) override
    {
        if (!mix_) return;
        mix_->on_user(pcm, arrived);
        hand_over(arrived);
    }

    void on_character_audio(std::span<const std::byte> pcm, Instant plays_at) override
    {
        if (!mix_) return;
        const Instant now = Clock::now();
        mix_->on_character(pcm, plays_at, now);
        hand_over(now);
    }

    void on_cut(Instant at) override
    {
        if (mix_) mix_->on_cut(at);
    }

    void ended(Instant now) override { finish(now); }

private:
    /// Once; again when the queue was full. The row is made also for a recording alone, so that it can be deleted by its user.
    void begin_lines()
    {
        if (!begun_) begun_ = state_->transcripts.begin(id_, user_, character_id_);
    }

    void hand_over(Instant now)
    {
        while (auto block = mix_->take(now))
            if (!state_->recordings->write(id_, block->frame, std::move(block->samples)))
                tell_once(told_of_sound_, "recording.dropped", "Too much sound waits for the disk: parts of this recording are silent.");
        if (const std::uint64_t dropped = mix_->dropped_bytes() - dropped_bytes_; dropped > 0) {
            dropped_bytes_ += dropped;
            state_->metrics.recording_dropped_bytes.add(dropped);
            tell_once(told_of_sound_, "recording.dropped", "More sound came ahead of its time than is kept: the recording lacks some.");
        }
    }

    void finish(Instant now)
    {
        if (!std::exchange(running_, false)) return;
        if (mix_) {
            const std::uint64_t frames = mix_->end(now);
            hand_over(now);
            state_->recordings->end(id_, frames);
            mix_.reset();
        }
        begin_lines();
        if (begun_) state_->transcripts.end(id_);
    }

    void tell_once(bool& told, std::string_view event, std::string_view message)
    {
        if (!std::exchange(told, true)) log::warn(event, {{"session", id_}, {"message", message}});
    }

    std::shared_ptr<State> state_;
    std::string id_, user_, character_id_;
    bool running_ = false, begun_ = false, told_of_lines_ = false, told_of_sound_ = false;
    std::optional<conversation::StereoMix> mix_;
    std::uint64_t dropped_bytes_ = 0;
};

Archive::Archive(store::Database& database, ArchiveSettings settings, Metrics& metrics)
    : state_(std::make_shared<State>(database, std::move(settings), metrics))
{
    state_->transcripts.close_left_open();
    prune();
}

Archive::~Archive() { stop(); }

std::shared_ptr<conversation::Record> Archive::make_record() { return std::make_shared<Entry>(state_); }

Task<std::optional<StoredConversation>> Archive::look(std::string session_id)
{
    using Loaded = Result<std::optional<StoredConversation>>;
    const auto executor = co_await asio::this_coro::executor;
    const auto state = state_;
    const auto awaited = std::make_shared<net::Awaited<Loaded>>(executor);
    auto done = [door = state->door, executor, to = std::weak_ptr(awaited)](Loaded loaded) { net::bring(*door, executor, to, std::move(loaded)); };
    if (!state->transcripts.load(std::move(session_id), std::move(done))) co_return busy_database();
    const Instant deadline = Clock::now() + answer_limit;
    const bool came = co_await awaited->came.wait_until(deadline);
    if (!came || !awaited->value) co_return busy_database();
    co_return std::move(*awaited->value);
}

Task<bool> Archive::forget(std::string session_id)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto state = state_;
    const Instant deadline = Clock::now() + answer_limit;
    bool had_recording = false;
    // The sound first: when the rest fails, asking again finds the lines still there.
    if (state->recordings) {
        const auto removed = std::make_shared<net::Awaited<bool>>(executor);
        auto done = [door = state->door, executor, to = std::weak_ptr(removed)](bool was_there) { net::bring(*door, executor, to, was_there); };
        if (!state->recordings->remove(session_id, std::move(done))) co_return busy_disk();
        const bool came = co_await removed->came.wait_until(deadline);
        if (!came || !removed->value) co_return busy_disk();
        had_recording = *removed->value;
    }
    using Removed = Result<bool>;
    const auto awaited = std::make_shared<net::Awaited<Removed>>(executor);
    auto done = [door = state->door, executor, to = std::weak_ptr(awaited)](Removed removed) { net::bring(*door, executor, to, std::move(removed)); };
    if (!state->transcripts.remove(std::move(session_id), std::move(done))) co_return busy_database();
    const bool came = co_await awaited->came.wait_until(deadline);
    if (!came || !awaited->value) co_return busy_database();
    const Removed removed = std::move(*awaited->value);
    if (!removed) co_return removed.error();
    co_return had_recording || *removed;
}

Task<std::size_t> Archive::forget_user(std::string user)
{
    using Removed = Result<std::vector<std::string>>;
    const auto executor = co_await asio::this_coro::executor;
    const auto state = state_;
    const auto awaited = std::make_shared<net::Awaited<Result<std::size_t>>>(executor);
    // Also when nobody waits for the answer any more: who the recordings belong to is known only now.
    auto done = [door = state->door, recordings = state->recordings, executor, to = std::weak_ptr(awaited)](Removed removed) {
        Result<std::size_t> answer = std::size_t{0};
        if (!removed) answer = removed.error();
        else answer = removed->size();
        if (removed && recordings)
            for (const std::string& id : *removed)
                if (!recordings->remove(id, {})) {
                    log::warn("recording.not_removed", {{"session", id}, {"message", "The disk is behind. Delete this session once more."}});
                    answer = busy_disk();
                }
        net::bring(*door, executor, to, std::move(answer));
    };
    if (!state->transcripts.remove_user(std::move(user), std::move(done))) co_return busy_database();
    const Instant deadline = Clock::now() + answer_limit;
    const bool came = co_await awaited->came.wait_until(deadline);
    if (!came || !awaited->value) co_return busy_database();
    co_return std::move(*awaited->value);
}

std::string Archive::recording_path(std::string_view session_id) const
{
    return state_->recordings ? state_->recordings->path(session_id) : std::string();
}

void Archive::prune()
{
    state_->transcripts.prune();
    if (state_->recordings) state_->recordings->prune();
}

void Archive::stop() { state_->door->close(); }

}  // namespace repartee::relay
