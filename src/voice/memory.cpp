#include "repartee/voice/memory.hpp"

#include "repartee/base/clock.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/door.hpp"

#include <boost/asio/this_coro.hpp>

#include <list>
#include <mutex>
#include <unordered_map>

namespace repartee::voice {
namespace {

using store::StoredSession;
using store::StoredTurn;
using Turns = std::vector<StoredTurn>;

constexpr std::string_view kind = "voice_chat";

void keep_newest(Turns& turns, std::size_t count)
{
    if (turns.size() > count) turns.erase(turns.begin(), turns.end() - static_cast<std::ptrdiff_t>(count));
}

}  // namespace

struct Memory::State {
    struct Entry {
        std::string id;
        Turns turns;
        bool loading = false;  ///< `turns` are only those of late; the database's come in front of them
    };

    State(store::MemoryRepository& in, MemorySettings set) : repository(in), settings(set) {}

    /// Under the mutex. The found one becomes the newest.
    Entry* find(const std::string& id)
    {
        const auto found = by_id.find(id);
        if (found == by_id.end()) return nullptr;
        entries.splice(entries.end(), entries, found->second);
        return &*found->second;
    }

    void add(Entry entry)
    {
        const std::string id = entry.id;
        by_id[id] = entries.insert(entries.end(), std::move(entry));
        while (entries.size() > settings.sessions_cached_max) erase(entries.front().id);
    }

    void erase(const std::string& id)
    {
        const auto found = by_id.find(id);
        if (found == by_id.end()) return;
        const auto place = found->second;
        by_id.erase(found);  // first: `id` may be the entry's own
        entries.erase(place);
    }

    /// On the database thread. Answers what the session now holds.
    Turns on_loaded(const std::string& id, Result<std::optional<StoredSession>> loaded)
    {
        Turns turns;
        if (!loaded)
            log::warn("memory.load_failed", {{"session", id}, {"message", loaded.error().message}});
        else if (*loaded && (*loaded)->kind == kind)
            turns = std::move((*loaded)->turns);
        const std::lock_guard lock(mutex);
        const auto found = by_id.find(id);
        if (found != by_id.end()) {
            Entry& entry = *found->second;
            if (!entry.loading) return entry.turns;
            if (!loaded) {
                erase(id);
                return {};
            }
            turns.insert(turns.end(), entry.turns.begin(), entry.turns.end());
            keep_newest(turns, settings.turns_max);
            entry.turns = turns;
            entry.loading = false;
            return turns;
        }
        keep_newest(turns, settings.turns_max);
        return turns;
    }

    store::MemoryRepository& repository;
    const MemorySettings settings;
    net::Door door;
    std::mutex mutex;
    std::list<Entry> entries;  ///< the longest unused first
    std::unordered_map<std::string, std::list<Entry>::iterator> by_id;
};

Memory::Memory(store::MemoryRepository& repository, MemorySettings settings) : state_(std::make_shared<State>(repository, settings)) {}
Memory::~Memory() { stop(); }

Task<std::vector<StoredTurn>> Memory::recall(std::string session_id, std::chrono::milliseconds limit)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto state = state_;
    const auto awaited = std::make_shared<net::Awaited<Turns>>(executor);
    {
        // Asked for under the mutex, so that what is remembered from here on is in the entry and not in the answer.
        const std::lock_guard lock(state->mutex);
        State::Entry* entry = state->find(session_id);
        if (entry && !entry->loading) co_return entry->turns;
        if (!entry) state->add({session_id, {}, true});
        auto done = [state, executor, session_id, to = std::weak_ptr(awaited)](Result<std::optional<StoredSession>> loaded) {
            net::bring(state->door, executor, to, state->on_loaded(session_id, std::move(loaded)));
        };
        if (!state->repository.load(session_id, std::move(done))) {
            if (!entry) state->erase(session_id);
            log::warn("memory.load_dropped", {{"session", session_id}});
            co_return Turns();
        }
    }
    const Instant deadline = std::chrono::steady_clock::now() + limit;
    const bool came = co_await awaited->came.wait_until(deadline);
    if (came && awaited->value) co_return std::move(*awaited->value);
    log::warn("memory.load_late", {{"session", session_id}, {"limit_ms", limit.count()}});
    co_return Turns();
}

void Memory::remember(const std::string& session_id, std::vector<StoredTurn> turns)
{
    const std::lock_guard lock(state_->mutex);
    if (State::Entry* entry = state_->find(session_id)) {
        entry->turns.insert(entry->turns.end(), turns.begin(), turns.end());
        keep_newest(entry->turns, state_->settings.turns_max);
    }
    if (!state_->repository.append(session_id, std::string(kind), std::move(turns))) log::warn("memory.write_dropped", {{"session", session_id}});
}

Task<bool> Memory::forget(std::string session_id, std::chrono::milliseconds limit)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto state = state_;
    const auto awaited = std::make_shared<net::Awaited<Result<bool>>>(executor);
    bool queued = false;
    {
        const std::lock_guard lock(state->mutex);
        state->erase(session_id);
        auto done = [state, executor, to = std::weak_ptr(awaited)](Result<bool> removed) {
            net::bring(state->door, executor, to, std::move(removed));
        };
        queued = state->repository.remove(session_id, std::string(kind), std::move(done));
    }
    if (!queued) co_return Error{Code::busy, "The database has too much to write just now. Try again in a moment."};
    const Instant deadline = std::chrono::steady_clock::now() + limit;
    const bool came = co_await awaited->came.wait_until(deadline);
    if (!came || !awaited->value) co_return Error{Code::timeout, "The database did not answer in time; the session will be gone in a moment."};
    co_return std::move(*awaited->value);
}

void Memory::stop() { state_->door.close(); }

}  // namespace repartee::voice
