#pragma once
#include "repartee/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

struct sqlite3;

namespace repartee::store {

/// The embedded SQLite file (WAL, foreign keys on, busy time limit) behind one door: its own thread runs everything that touches it, in the
/// order asked for. Nothing on the audio path waits for it.
class Database {
public:
    static constexpr std::size_t queue_max = 1000;

    /// Opens or creates `file` (":memory:" for tests), migrates it to the newest schema. Code::storage names file and cause; a schema newer than
    /// this binary is refused, never changed.
    static Result<Database> open(const std::string& file);
    ~Database();  ///< runs what is queued, then closes
    Database(Database&&) noexcept;

    /// Runs `job` on the database thread and waits: for start-up, verbs and tests, never on a network thread.
    Result<void> run(const std::function<Result<void>(sqlite3*)>& job);
    /// Write-behind: queued, at most `queue_max` jobs (then dropped: returns false, and counted).
    bool post(std::function<Result<void>(sqlite3*)> job);
    std::uint64_t dropped() const;  ///< posts refused since the start
    /// Another number after every commit of another process, the same after ours. Waits, as run().
    Result<std::int64_t> foreign_version();

private:
    struct State;
    explicit Database(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace repartee::store
