#pragma once
#include "repartee/base/metrics.hpp"
#include "repartee/store/database.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace repartee::store {

struct MemoryLimits {
    std::int64_t sessions_max = 10'000;             ///< of all kinds; the longest unused go first
    std::int64_t turns_max = 200;                   ///< of a session; the oldest go first
    std::int64_t age_days_max = 30;                 ///< unused for longer: gone. 0: no limit
    std::int64_t recording_bytes_max = 256 << 20;   ///< of all unfinished answers; the oldest go first
};

struct StoredTurn {
    std::string role;  ///< user, assistant; question, answer
    std::string text;
    std::string label{};  ///< class of request, or the question's number
    std::int64_t unix_ms = 0;
};

struct StoredSession {
    std::string id, kind;       ///< voice_chat, interview
    std::string state;          ///< JSON text of its owner; may be empty
    std::int64_t created_unix_ms = 0, used_unix_ms = 0;
    std::vector<StoredTurn> turns;  ///< oldest first
};

/// A part of an answer that was not transcribed yet when its connection broke.
struct StoredRecording {
    std::string session_id;
    std::int64_t question = 0, part = 0;
    std::string format;  ///< webm, ogg, mp3, m4a, wav, or pcm16@RATE
    std::string bytes;
};

/// Tables voice_sessions, voice_turns, voice_recordings. Thread-safe: everything is queued for the database thread and nobody waits. False: the
/// queue is full, or holds recording_bytes_max of recordings; the call was dropped (and `done` is not called). A `done` is called on the database
/// thread, in the order of the calls: whoever loads sees what was written before.
class MemoryRepository {
public:
    /// `dropped` (may be null) counts the writes that the full queue refused.
    MemoryRepository(Database& database, MemoryLimits limits, Counter* dropped = nullptr);

    /// Makes the session when it is new, and keeps within turns_max and sessions_max.
    bool append(std::string session_id, std::string kind, std::vector<StoredTurn> turns);
    bool set_state(std::string session_id, std::string kind, std::string state);
    /// In place of one with the same numbers, and keeps within recording_bytes_max.
    bool keep_recording(StoredRecording recording);
    bool drop_recordings(std::string session_id, std::int64_t question);

    bool load(std::string session_id, std::function<void(Result<std::optional<StoredSession>>)> done);
    bool load_recordings(std::string session_id, std::function<void(Result<std::vector<StoredRecording>>)> done);
    /// With turns and recordings; true when there was such a session.
    bool remove(std::string session_id, std::string kind, std::function<void(Result<bool>)> done);
    /// Drops what is over the limits. At start, and then hourly.
    bool prune();

private:
    bool write(std::function<Result<void>(sqlite3*)> job);

    Database& database_;
    MemoryLimits limits_;
    Counter* dropped_;
    std::shared_ptr<std::atomic<std::int64_t>> queued_bytes_;  ///< of recordings that are not written yet; the queue may outlive this
};

}  // namespace repartee::store
