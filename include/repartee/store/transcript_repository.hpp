#pragma once
#include "repartee/conversation/history.hpp"
#include "repartee/store/database.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace repartee::store {

struct TranscriptLimits {
    std::int64_t sessions_max = 10'000;       ///< ended ones go first, then the longest begun
    std::int64_t lines_max = 2'000;           ///< of a conversation; the oldest go first
    std::int64_t age_days_max = 30;           ///< lines of what began longer ago: gone. 0: no limit
    std::int64_t kept_days_max = 30;          ///< and what is known of the conversation itself. 0: no limit
    std::size_t queued_bytes_max = 16 << 20;  ///< not written yet, of all conversations
};

struct StoredLine {
    conversation::Line line;
    std::int64_t unix_ms = 0;  ///< when it was first told
};

struct StoredConversation {
    std::string id, user, character_id;
    std::int64_t started_unix_ms = 0, ended_unix_ms = 0;  ///< ended 0: it still runs
    std::vector<StoredLine> lines;  ///< in the order of the conversation
};

/// Tables conversations and lines. Thread-safe; nobody waits: what comes is collected, and the database thread writes all that has come in one
/// transaction. False: queued_bytes_max is reached or the queue is full, and the call was dropped (`done` is not called). A `done` is called on the
/// database thread and sees what was told before. A conversation that was removed, or never begun, takes no lines.
class TranscriptRepository {
public:
    /// `on_dropped`: called on the database thread for each conversation that goes because of a limit.
    TranscriptRepository(Database& database, TranscriptLimits limits, std::function<void(const std::string& id)> on_dropped = {});
    ~TranscriptRepository();
    TranscriptRepository(const TranscriptRepository&) = delete;
    TranscriptRepository& operator=(const TranscriptRepository&) = delete;

    bool begin(const std::string& id, std::string user, std::string character_id);
    /// New ones are added, those whose number is known are replaced. How many were taken: all, or those in front.
    std::size_t write(const std::string& id, std::span<const conversation::Line> lines);
    bool end(const std::string& id);

    bool load(std::string id, std::function<void(Result<std::optional<StoredConversation>>)> done);
    /// True when there was such a conversation.
    bool remove(std::string id, std::function<void(Result<bool>)> done);
    /// Every conversation of that user; their ids.
    bool remove_user(std::string user, std::function<void(Result<std::vector<std::string>>)> done);
    /// Drops what is over the limits. At start, and then hourly.
    bool prune();
    /// At start: conversations that a crash left open have ended with their last line.
    bool close_left_open();

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace repartee::store
