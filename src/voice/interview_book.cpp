#include "repartee/base/clock.hpp"
#include "repartee/base/ids.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/door.hpp"
#include "repartee/voice/interview.hpp"

#include <boost/asio/this_coro.hpp>

#include <map>
#include <mutex>

namespace repartee::voice {
namespace {

using Clock = std::chrono::steady_clock;
using store::StoredRecording;
using store::StoredSession;
using Parts = std::vector<StoredRecording>;

constexpr std::string_view kind = "interview";
constexpr std::chrono::milliseconds leave_limit{2'000};
constexpr std::chrono::milliseconds database_limit{5'000};

}  // namespace

struct InterviewBook::State {
    struct Waiter {
        asio::any_io_executor executor;
        std::weak_ptr<net::Awaited<bool>> awaited;
    };

    struct Entry {
        InterviewRecord record;
        Parts parts;                ///< of the open answer, when the database would not take them
        bool parts_stored = false;  ///< in the database
        bool held = false;
        std::stop_source leave;
        asio::any_io_executor holder;
        std::vector<Waiter> waiters;
        Instant used = Clock::now();
    };

    State(store::MemoryRepository& in, std::size_t at_most) : repository(in), sessions_max(at_most) {}

    // --- all of these under the mutex

    Entry* find(const std::string& id)
    {
        const auto found = entries.find(id);
        return found == entries.end() ? nullptr : &found->second;
    }

    void write(const std::string& id, const Entry& entry)
    {
        if (!repository.set_state(id, std::string(kind), to_text(entry.record))) log::warn("interview.write_dropped", {{"session", id}});
    }

    static std::int64_t open_question(const InterviewState& state) { return static_cast<std::int64_t>(state.exchanges.size()); }

    void drop_stored_parts(const std::string& id, Entry& entry, std::int64_t question)
    {
        if (!std::exchange(entry.parts_stored, false)) return;
        if (!repository.drop_recordings(id, question)) log::warn("interview.write_dropped", {{"session", id}});
    }

    /// To the database, where they survive a restart and cost no memory; what it will not take stays here.
    void store_parts(const std::string& id, Entry& entry, Parts parts)
    {
        const std::int64_t question = open_question(entry.record.state);
        drop_stored_parts(id, entry, question);
        entry.parts.clear();
        if (parts.empty()) return;
        for (const StoredRecording& part : parts) {
            if (repository.keep_recording(part)) continue;
            log::warn("interview.recording_in_memory", {{"session", id}, {"bytes", part.bytes.size()}});
            repository.drop_recordings(id, question);
            entry.parts = std::move(parts);
            return;
        }
        entry.parts_stored = true;
    }

    void wake_waiters(Entry& entry)
    {
        for (Waiter& waiter : std::exchange(entry.waiters, {})) net::bring(door, waiter.executor, std::move(waiter.awaited), true);
    }

    /// The database has what leaves here.
    void make_room(std::size_t coming)
    {
        const Instant now = Clock::now();
        for (auto it = entries.begin(); it != entries.end();) {
            const Entry& entry = it->second;
            const bool old = !entry.held && now - entry.used > entry.record.settings.resume_limit;
            it = old ? entries.erase(it) : std::next(it);
        }
        while (entries.size() + coming > sessions_max) {
            auto oldest = entries.end();
            for (auto it = entries.begin(); it != entries.end(); ++it)
                if (!it->second.held && (oldest == entries.end() || it->second.used < oldest->second.used)) oldest = it;
            if (oldest == entries.end()) return;
            entries.erase(oldest);
        }
    }

    /// From the database, unless somebody else brought it meanwhile. False: there is none.
    static Task<bool> restore(std::shared_ptr<State> state, std::string id)
    {
        auto loaded = co_await load(state, id);
        if (!loaded) co_return loaded.error();
        if (!*loaded) co_return false;
        const std::lock_guard lock(state->mutex);
        if (state->find(id)) co_return true;
        Entry entry;
        entry.record = std::move(**loaded);
        entry.parts_stored = true;  // perhaps: asking for none costs little
        state->make_room(1);
        state->entries.emplace(id, std::move(entry));
        co_return true;
    }

    static Task<std::optional<InterviewRecord>> load(std::shared_ptr<State> state, std::string id)
    {
        using Loaded = Result<std::optional<StoredSession>>;
        const auto executor = co_await asio::this_coro::executor;
        const auto awaited = std::make_shared<net::Awaited<Loaded>>(executor);
        auto done = [state, executor, to = std::weak_ptr(awaited)](Loaded loaded) { net::bring(state->door, executor, to, std::move(loaded)); };
        if (!state->repository.load(id, std::move(done))) co_return busy_database();
        const Instant deadline = Clock::now() + database_limit;
        const bool came = co_await awaited->came.wait_until(deadline);
        if (!came || !awaited->value) co_return busy_database();
        Loaded loaded = std::move(*awaited->value);
        if (!loaded) co_return loaded.error();
        if (!*loaded || (*loaded)->kind != kind) co_return std::nullopt;
        auto record = parse_interview_record((*loaded)->state);
        if (!record) co_return record.error();
        co_return std::move(*record);
    }

    static Task<Parts> load_parts(std::shared_ptr<State> state, std::string id)
    {
        const auto executor = co_await asio::this_coro::executor;
        const auto awaited = std::make_shared<net::Awaited<Result<Parts>>>(executor);
        auto done = [state, executor, to = std::weak_ptr(awaited)](Result<Parts> loaded) {
            net::bring(state->door, executor, to, std::move(loaded));
        };
        if (!state->repository.load_recordings(id, std::move(done))) co_return busy_database();
        const Instant deadline = Clock::now() + database_limit;
        const bool came = co_await awaited->came.wait_until(deadline);
        if (!came || !awaited->value) co_return busy_database();
        co_return std::move(*awaited->value);
    }

    static Error busy_database() { return {Code::busy, "The database did not answer in time. Try again in a moment."}; }

    store::MemoryRepository& repository;
    const std::size_t sessions_max;
    net::Door door;
    std::mutex mutex;
    std::map<std::string, Entry> entries;
};

InterviewBook::InterviewBook(store::MemoryRepository& repository, std::size_t sessions_max)
    : state_(std::make_shared<State>(repository, sessions_max))
{
}

InterviewBook::~InterviewBook() { stop(); }

std::string InterviewBook::prepare(InterviewSettings settings)
{
    const std::string id = make_id("intv_");
    State::Entry entry;
    entry.record.state.questions = settings.questions;
    entry.record.settings = std::move(settings);
    const std::lock_guard lock(state_->mutex);
    state_->write(id, entry);
    state_->make_room(1);
    state_->entries.emplace(id, std::move(entry));
    return id;
}

Task<InterviewBook::Held> InterviewBook::take(std::string session_id)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto state = state_;
    const Instant deadline = Clock::now() + leave_limit;
    Held held;
    held.session_id = session_id;
    bool parts_stored = false;
    for (;;) {
        const auto awaited = std::make_shared<net::Awaited<bool>>(executor);
        bool known = false, taken = false;
        {
            const std::lock_guard lock(state->mutex);
            if (State::Entry* entry = state->find(session_id)) {
                known = true;
                if (entry->held) {
                    // On the holder's own loop: what it does then belongs there.
                    auto ask = [leave = entry->leave]() mutable { leave.request_stop(); };
                    state->door.post(entry->holder, std::move(ask));
                    entry->waiters.push_back({executor, awaited});
                } else {
                    taken = entry->held = true;
                    entry->leave = std::stop_source();
                    entry->holder = executor;
                    entry->used = Clock::now();
                    held.settings = entry->record.settings;
                    held.state = entry->record.state;
                    held.parts = std::exchange(entry->parts, {});
                    held.leave = entry->leave.get_token();
                    parts_stored = entry->parts_stored;
                }
            }
        }
        if (taken) break;
        if (known) {
            const bool came = co_await awaited->came.wait_until(deadline);
            if (!came) co_return Error{Code::busy, "This interview is held by another connection that does not let go. Try again in a moment."};
            continue;
        }
        const auto found = co_await State::restore(state, session_id);
        if (!found) co_return found.error();
        if (!*found) co_return Error{Code::not_found, "There is no interview of this session id, or it was forgotten."};
    }
    if (!parts_stored) co_return std::move(held);
    auto parts = co_await State::load_parts(state, session_id);
    if (parts) {
        // A recording of an answer that is complete may still be on its way out.
        const std::int64_t open = held.state.answered ? -1 : State::open_question(held.state);
        std::erase_if(*parts, [open](const StoredRecording& part) { return part.question != open; });
        held.parts = std::move(*parts);
        co_return std::move(held);
    }
    const std::lock_guard lock(state->mutex);
    if (State::Entry* entry = state->find(session_id)) {
        entry->held = false;
        state->wake_waiters(*entry);
    }
    co_return parts.error();
}

void InterviewBook::save(const std::string& session_id, const InterviewState& now)
{
    const std::lock_guard lock(state_->mutex);
    State::Entry* entry = state_->find(session_id);
    if (!entry) return;
    state_->drop_stored_parts(session_id, *entry, State::open_question(entry->record.state));
    entry->record.state = now;
    state_->write(session_id, *entry);
}

void InterviewBook::put_back(Held held)
{
    const std::lock_guard lock(state_->mutex);
    State::Entry* entry = state_->find(held.session_id);
    if (!entry) return;  // forgotten meanwhile
    entry->record.state = std::move(held.state);
    entry->held = false;
    entry->used = Clock::now();
    state_->write(held.session_id, *entry);
    state_->store_parts(held.session_id, *entry, std::move(held.parts));
    state_->wake_waiters(*entry);
    state_->make_room(0);
}

Task<std::optional<InterviewState>> InterviewBook::look(std::string session_id)
{
    const auto state = state_;
    {
        const std::lock_guard lock(state->mutex);
        if (const State::Entry* entry = state->find(session_id)) co_return entry->record.state;
    }
    auto loaded = co_await State::load(state, session_id);
    if (!loaded) co_return loaded.error();
    if (!*loaded) co_return std::nullopt;
    co_return std::move((**loaded).state);
}

Task<bool> InterviewBook::forget(std::string session_id)
{
    const auto state = state_;
    const auto held = co_await take(session_id);
    if (!held && held.error().code == Code::not_found) co_return false;
    if (!held) co_return held.error();
    const std::lock_guard lock(state->mutex);
    if (State::Entry* entry = state->find(session_id)) {
        state->wake_waiters(*entry);
        state->entries.erase(session_id);
    }
    const auto ignore = [](const Result<bool>&) {};
    if (!state->repository.remove(session_id, std::string(kind), ignore)) co_return State::busy_database();
    co_return true;
}

void InterviewBook::stop() { state_->door.close(); }

}  // namespace repartee::voice
