#include "repartee/store/memory_repository.hpp"
#include "repartee/base/clock.hpp"
#include "statement.hpp"

#include <utility>

namespace repartee::store {
namespace {

constexpr std::int64_t ms_of_day = 24 * 60 * 60 * 1'000;

Result<void> drop_longest_unused(sqlite3* db, std::int64_t sessions_max)
{
    const auto dropped = change(db, "DELETE FROM voice_sessions WHERE id IN (SELECT id FROM voice_sessions ORDER BY used_ms "
                                    "LIMIT max(0, (SELECT count(*) FROM voice_sessions) - ?))",
                                sessions_max);
    if (!dropped) return dropped.error();
    return {};
}

/// Makes the session when it is new. An empty `kind` leaves the one that is there.
Result<void> use_session(sqlite3* db, const std::string& id, const std::string& kind, std::int64_t now_ms, std::int64_t sessions_max)
{
    // A session of another kind is left alone: the insertion then fails, and the log tells.
    const auto known = change(db, "UPDATE voice_sessions SET used_ms = ?, kind = iif(? = '', kind, ?) WHERE id = ? AND (? = '' OR kind IN ('', ?))",
                              now_ms, kind, kind, id, kind, kind);
    if (!known) return known.error();
    if (*known > 0) return {};
    const auto made = change(db, "INSERT INTO voice_sessions (id, kind, created_ms, used_ms) VALUES (?, ?, ?, ?)", id, kind, now_ms, now_ms);
    if (!made) return made.error();
    return drop_longest_unused(db, sessions_max);
}

Result<void> append_turns(sqlite3* db, const std::string& id, const std::vector<StoredTurn>& turns, std::int64_t turns_max)
{
    for (const StoredTurn& turn : turns) {
        const auto added = change(db,
                                  "INSERT INTO voice_turns (session_id, number, role, text, label, unix_ms) "
                                  "VALUES (?, 1 + (SELECT ifnull(max(number), 0) FROM voice_turns WHERE session_id = ?), ?, ?, ?, ?)",
                                  id, id, turn.role, turn.text, turn.label, turn.unix_ms);
        if (!added) return added.error();
    }
    const auto dropped = change(db, "DELETE FROM voice_turns WHERE session_id = ? AND number <= "
                                    "(SELECT max(number) FROM voice_turns WHERE session_id = ?) - ?",
                                id, id, turns_max);
    if (!dropped) return dropped.error();
    return {};
}

Result<void> drop_oldest_recordings(sqlite3* db, std::int64_t bytes_max)
{
    for (;;) {
        const auto bytes = ask_number(db, "SELECT ifnull(sum(length(bytes)), 0) FROM voice_recordings");
        if (!bytes) return bytes.error();
        if (*bytes <= bytes_max) return {};
        const auto dropped = change(db, "DELETE FROM voice_recordings WHERE rowid = "
                                        "(SELECT rowid FROM voice_recordings ORDER BY written_ms, rowid LIMIT 1)");
        if (!dropped) return dropped.error();
        if (*dropped == 0) return {};
    }
}

Result<void> write_recording(sqlite3* db, const StoredRecording& recording, std::int64_t now_ms)
{
    auto statement = Statement::prepare(db, "INSERT OR REPLACE INTO voice_recordings (session_id, question, part, format, written_ms, bytes) "
                                            "VALUES (?, ?, ?, ?, ?, ?)");
    if (!statement) return statement.error();
    const auto bound = statement->bind_all(recording.session_id, recording.question, recording.part, recording.format, now_ms);
    if (!bound) return bound.error();
    if (const auto with_bytes = statement->bind_blob(6, recording.bytes); !with_bytes) return with_bytes.error();
    return statement->run();
}

Result<std::vector<StoredTurn>> read_turns(sqlite3* db, const std::string& id)
{
    const auto read = [](const Statement& row) { return StoredTurn{row.text(0), row.text(1), row.text(2), row.integer(3)}; };
    return rows_of(db, "SELECT role, text, label, unix_ms FROM voice_turns WHERE session_id = ? ORDER BY number", read, id);
}

Result<std::optional<StoredSession>> read_session(sqlite3* db, const std::string& id)
{
    auto query = Statement::prepare(db, "SELECT kind, state, created_ms, used_ms FROM voice_sessions WHERE id = ?");
    if (!query) return query.error();
    if (const auto bound = query->bind(1, id); !bound) return bound.error();
    const auto row = query->step();
    if (!row) return row.error();
    if (!*row) return std::optional<StoredSession>();
    StoredSession session;
    session.id = id;
    session.kind = query->text(0);
    session.state = query->text(1);
    session.created_unix_ms = query->integer(2);
    session.used_unix_ms = query->integer(3);
    auto turns = read_turns(db, id);
    if (!turns) return turns.error();
    session.turns = std::move(*turns);
    return std::optional<StoredSession>(std::move(session));
}

Result<std::vector<StoredRecording>> read_recordings(sqlite3* db, const std::string& id)
{
    const auto read = [&](const Statement& row) { return StoredRecording{id, row.integer(0), row.integer(1), row.text(2), row.blob(3)}; };
    return rows_of(db, "SELECT question, part, format, bytes FROM voice_recordings WHERE session_id = ? ORDER BY question, part", read, id);
}

/// All of `work`, or nothing.
template <class Work>
Result<void> in_transaction(sqlite3* db, const Work& work)
{
    auto transaction = Transaction::begin(db);
    if (!transaction) return transaction.error();
    if (const auto done = work(); !done) return done.error();
    return transaction->commit();
}

/// Counts a recording as long as it waits, also when its job is dropped.
class Queued {
public:
    Queued(std::shared_ptr<std::atomic<std::int64_t>> total, std::int64_t bytes) : total_(std::move(total)), bytes_(bytes) { *total_ += bytes_; }
    ~Queued() { *total_ -= bytes_; }
    Queued(const Queued&) = delete;
    Queued& operator=(const Queued&) = delete;
    std::int64_t total() const { return *total_; }

private:
    std::shared_ptr<std::atomic<std::int64_t>> total_;
    std::int64_t bytes_;
};

}  // namespace

MemoryRepository::MemoryRepository(Database& database, MemoryLimits limits, Counter* dropped)
    : database_(database), limits_(limits), dropped_(dropped), queued_bytes_(std::make_shared<std::atomic<std::int64_t>>(0))
{
}

bool MemoryRepository::write(std::function<Result<void>(sqlite3*)> job)
{
    const bool queued = database_.post(std::move(job));
    if (!queued && dropped_) dropped_->add();
    return queued;
}

bool MemoryRepository::append(std::string session_id, std::string kind, std::vector<StoredTurn> turns)
{
    return write([id = std::move(session_id), kind = std::move(kind), turns = std::move(turns), limits = limits_, now = unix_ms_now()](sqlite3* db) {
        return in_transaction(db, [&]() -> Result<void> {
            if (const auto used = use_session(db, id, kind, now, limits.sessions_max); !used) return used.error();
            return append_turns(db, id, turns, limits.turns_max);
        });
    });
}

bool MemoryRepository::set_state(std::string session_id, std::string kind, std::string state)
{
    return write([id = std::move(session_id), kind = std::move(kind), state = std::move(state), limits = limits_, now = unix_ms_now()](sqlite3* db) {
        return in_transaction(db, [&]() -> Result<void> {
            if (const auto used = use_session(db, id, kind, now, limits.sessions_max); !used) return used.error();
            const auto set = change(db, "UPDATE voice_sessions SET state = ? WHERE id = ?", state, id);
            if (!set) return set.error();
            return {};
        });
    });
}

bool MemoryRepository::keep_recording(StoredRecording recording)
{
    const auto bytes = static_cast<std::int64_t>(recording.bytes.size());
    const auto queued = std::make_shared<Queued>(queued_bytes_, bytes);
    if (queued->total() > limits_.recording_bytes_max) return false;
    // Shared: jobs are copyable, and a recording is large.
    const auto shared = std::make_shared<const StoredRecording>(std::move(recording));
    return write([shared, queued, limits = limits_, now = unix_ms_now()](sqlite3* db) {
        return in_transaction(db, [&]() -> Result<void> {
            if (const auto used = use_session(db, shared->session_id, "", now, limits.sessions_max); !used) return used.error();
            if (const auto written = write_recording(db, *shared, now); !written) return written.error();
            return drop_oldest_recordings(db, limits.recording_bytes_max);
        });
    });
}

bool MemoryRepository::drop_recordings(std::string session_id, std::int64_t question)
{
    return write([id = std::move(session_id), question](sqlite3* db) -> Result<void> {
        const auto dropped = change(db, "DELETE FROM voice_recordings WHERE session_id = ? AND question = ?", id, question);
        if (!dropped) return dropped.error();
        return {};
    });
}

bool MemoryRepository::load(std::string session_id, std::function<void(Result<std::optional<StoredSession>>)> done)
{
    return database_.post([id = std::move(session_id), done = std::move(done)](sqlite3* db) -> Result<void> {
        done(read_session(db, id));
        return {};
    });
}

bool MemoryRepository::load_recordings(std::string session_id, std::function<void(Result<std::vector<StoredRecording>>)> done)
{
    return database_.post([id = std::move(session_id), done = std::move(done)](sqlite3* db) -> Result<void> {
        done(read_recordings(db, id));
        return {};
    });
}

bool MemoryRepository::remove(std::string session_id, std::string kind, std::function<void(Result<bool>)> done)
{
    return database_.post([id = std::move(session_id), kind = std::move(kind), done = std::move(done)](sqlite3* db) -> Result<void> {
        const auto removed = change(db, "DELETE FROM voice_sessions WHERE id = ? AND kind IN ('', ?)", id, kind);
        if (removed) done(*removed > 0);
        else done(removed.error());
        return {};
    });
}

bool MemoryRepository::prune()
{
    return database_.post([limits = limits_, now = unix_ms_now()](sqlite3* db) {
        return in_transaction(db, [&]() -> Result<void> {
            if (limits.age_days_max > 0)
                if (const auto aged = change(db, "DELETE FROM voice_sessions WHERE used_ms < ?", now - limits.age_days_max * ms_of_day); !aged)
                    return aged.error();
            if (const auto dropped = drop_longest_unused(db, limits.sessions_max); !dropped) return dropped.error();
            return drop_oldest_recordings(db, limits.recording_bytes_max);
        });
    });
}

}  // namespace repartee::store
