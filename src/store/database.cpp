#include "repartee/store/database.hpp"
#include "migrations.hpp"
#include "repartee/base/log.hpp"
#include "statement.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <future>
#include <mutex>
#include <sqlite3.h>
#include <thread>

namespace repartee::store {
namespace {

using Job = std::function<Result<void>(sqlite3*)>;

constexpr int busy_timeout_ms = 5000;

struct CloseDatabase {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Handle = std::unique_ptr<sqlite3, CloseDatabase>;

Result<void> create_parent(const std::string& file)
{
    const std::filesystem::path folder = std::filesystem::path(file).parent_path();
    if (folder.empty()) return {};
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        return Error{Code::storage, fmt::format("Cannot create the folder {} for the database: {}. Check the path and its permissions.",
                                                folder.string(), error.message())};
    return {};
}

Result<Handle> open_file(const std::string& file)
{
    sqlite3* opened = nullptr;
    // NOMUTEX: after this function only the database thread touches the handle.
    const int code = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    Handle db(opened);
    if (!db) return Error{Code::storage, "Cannot open the database: not enough memory."};
    if (code != SQLITE_OK) return storage_error(db.get());
    sqlite3_busy_timeout(db.get(), busy_timeout_ms);
    // SQLite falls back to reading only when it may not write; better said now than at the first write.
    if (sqlite3_db_readonly(db.get(), "main") == 1)
        return Error{Code::storage, fmt::format("Database {} is read-only. Give this user the right to write it, or name another.", file)};
    // Before the journal mode, which is written into the file: a file that is not ours stays as it is.
    if (const auto ours = check_schema(db.get()); !ours) return ours.error();
    const auto set = execute(db.get(), "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;");
    if (!set) return set.error();
    if (const auto migrated = migrate(db.get()); !migrated) return migrated.error();
    return db;
}

/// The last net: an exception is a programming error of one job, and must not take the thread with it.
Result<void> run_job(const Job& job, sqlite3* db)
try {
    auto done = job(db);
    if (sqlite3_get_autocommit(db)) return done;
    sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
    if (!done) return done;
    return Error{Code::internal, "A database job left its transaction open, so it was rolled back. A mistake in the program: please report it."};
} catch (const std::exception& thrown) {
    if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr);
    return Error{Code::internal, fmt::format("A database job threw: {}. A mistake in the program: please report it.", thrown.what())};
}

}  // namespace

struct Database::State {
    explicit State(Handle opened) : db(std::move(opened)), thread([this] { work(); }) {}

    ~State()
    {
        {
            const std::lock_guard lock(mutex);
            stopping = true;
        }
        wake.notify_one();
        thread.join();
    }

    void push(Job job)
    {
        {
            const std::lock_guard lock(mutex);
            jobs.push_back(std::move(job));
        }
        wake.notify_one();
    }

    void work()
    {
        for (;;) {
            std::unique_lock lock(mutex);
            wake.wait(lock, [this] { return stopping || !jobs.empty(); });
            if (jobs.empty()) return;
            Job job = std::move(jobs.front());
            jobs.pop_front();
            lock.unlock();
            const auto done = run_job(job, db.get());
            if (!done) log::error("store.job_failed", {{"code", name(done.error().code)}, {"message", done.error().message}});
        }
    }

    Handle db;
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Job> jobs;  ///< posted ones are bounded by queue_max; run() adds at most one a waiting thread
    bool stopping = false;
    std::atomic<std::uint64_t> dropped{0};
    std::thread thread;  ///< last: it uses all of the above
};

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::~Database() = default;
Database::Database(Database&&) noexcept = default;

Result<Database> Database::open(const std::string& file)
{
    if (file.empty()) return Error{Code::storage, "The database has no file name. Name one, or \":memory:\"."};
    if (file != ":memory:")
        if (const auto created = create_parent(file); !created) return created.error();
    auto db = open_file(file);
    if (!db) return db.error();
    return Database(std::make_unique<State>(std::move(*db)));
}

Result<void> Database::run(const Job& job)
{
    if (std::this_thread::get_id() == state_->thread.get_id())
        return Error{Code::internal, "A database job waited for another one, which never ends. A mistake in the program: please report it."};
    // Shared, since the waiter may be gone before set_value has returned.
    const auto outcome = std::make_shared<std::promise<Result<void>>>();
    auto finished = outcome->get_future();
    state_->push([outcome, &job](sqlite3* db) -> Result<void> {
        outcome->set_value(run_job(job, db));
        return {};  // the caller has the error; the log need not
    });
    return finished.get();
}

bool Database::post(Job job)
{
    {
        const std::lock_guard lock(state_->mutex);
        if (state_->jobs.size() >= queue_max) {
            ++state_->dropped;
            return false;
        }
        state_->jobs.push_back(std::move(job));
    }
    state_->wake.notify_one();
    return true;
}

std::uint64_t Database::dropped() const { return state_->dropped; }

Result<std::int64_t> Database::foreign_version()
{
    std::int64_t version = 0;
    const auto read = run([&version](sqlite3* db) -> Result<void> {
        const auto asked = ask_number(db, "PRAGMA data_version");
        if (!asked) return asked.error();
        version = *asked;
        return {};
    });
    if (!read) return read.error();
    return version;
}

}  // namespace repartee::store
