#pragma once
#include "repartee/net/awaitable.hpp"
#include "repartee/store/memory_repository.hpp"

#include <memory>
#include <string>
#include <vector>

namespace repartee::voice {

struct MemorySettings {
    std::size_t sessions_cached_max = 1'000;  ///< the longest unused leave the cache (not the database)
    std::size_t turns_max = 40;               ///< handed to the model; the newest
};

/// What the sessions of voice chat said: a bounded cache in memory in front of the database, written behind it. One a process, thread-safe.
class Memory {
public:
    Memory(store::MemoryRepository& repository, MemorySettings settings);
    ~Memory();

    /// The newest turns, oldest first; empty for a new session. Waits for the database only when the cache does not know the session (at most
    /// `limit`: then empty).
    Task<std::vector<store::StoredTurn>> recall(std::string session_id, std::chrono::milliseconds limit);
    void remember(const std::string& session_id, std::vector<store::StoredTurn> turns);
    Task<bool> forget(std::string session_id, std::chrono::milliseconds limit);

    /// No answer of the database is handed to an event loop any more. To be called before the loops are destroyed.
    void stop();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace repartee::voice
