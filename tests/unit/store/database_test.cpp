#include "repartee/store/database.hpp"
#include "store/migrations.hpp"
#include "store/statement.hpp"
#include "temporary_file.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <future>
#include <sqlite3.h>
#include <stdexcept>
#include <thread>

using namespace repartee;
using namespace repartee::store;
using Catch::Matchers::Contains;

namespace {

Database open_here(const std::string& file)
{
    auto database = Database::open(file);
    if (!database) throw std::runtime_error(database.error().message);
    return std::move(*database);
}

std::string ask(Database& database, const std::string& sql)
{
    std::string answer;
    const auto asked = database.run([&](sqlite3* db) -> Result<void> {
        auto query = Statement::prepare(db, sql);
        if (!query) return query.error();
        const auto row = query->step();
        if (!row) return row.error();
        if (*row) answer = query->text(0);
        return {};
    });
    return asked ? answer : "error: " + asked.error().message;
}

Result<void> tell(Database& database, const char* sql)
{
    return database.run([sql](sqlite3* db) { return execute(db, sql); });
}

/// Makes a database as another program would have left it.
void make_file(const std::string& file, const char* sql)
{
    sqlite3* db = nullptr;
    const bool made = sqlite3_open(file.c_str(), &db) == SQLITE_OK && sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
    sqlite3_close(db);
    if (!made) throw std::runtime_error("make_file");
}

void check_storage_error(const Result<void>& result, const std::string& words)
{
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Code::storage);
    CHECK_THAT(result.error().message, Contains(words));
}

void check_not_opened(const std::string& file, const std::string& words)
{
    const auto database = Database::open(file);
    REQUIRE_FALSE(database.has_value());
    CHECK(database.error().code == Code::storage);
    CHECK_THAT(database.error().message, Contains(words));
}

/// Keeps the database thread busy until released, so that what is posted meanwhile stays queued.
class Blocker {
public:
    explicit Blocker(Database& database)
    {
        auto released = release_.get_future().share();
        const bool posted = database.post([this, released](sqlite3*) -> Result<void> {
            started_.set_value();
            released.wait();
            return {};
        });
        if (!posted) throw std::runtime_error("Blocker");
        started_.get_future().wait();
    }
    void release() { release_.set_value(); }

private:
    std::promise<void> started_, release_;
};

}  // namespace

TEST_CASE("a new database gets the newest schema, in a folder made for it")
{
    const TemporaryFile files;
    Database database = open_here(files.path("new/folder/test.db"));
    CHECK(ask(database, "PRAGMA user_version") == std::to_string(newest_schema()));
    CHECK(ask(database, "SELECT count(*) FROM ai_characters") == "0");
    CHECK(std::filesystem::exists(files.path("new/folder/test.db")));
}

TEST_CASE("the connection is set up as promised")
{
    const TemporaryFile files;
    Database database = open_here(files.path());
    CHECK(ask(database, "PRAGMA journal_mode") == "wal");
    CHECK(ask(database, "PRAGMA foreign_keys") == "1");
    CHECK(ask(database, "PRAGMA synchronous") == "1");
    CHECK(ask(database, "PRAGMA busy_timeout") == "5000");
}

TEST_CASE("a database in memory works, and each is its own")
{
    Database one = open_here(":memory:");
    Database two = open_here(":memory:");
    REQUIRE(tell(one, "CREATE TABLE only_here (x)").has_value());
    CHECK(ask(one, "SELECT count(*) FROM sqlite_master WHERE name = 'only_here'") == "1");
    CHECK(ask(two, "SELECT count(*) FROM sqlite_master WHERE name = 'only_here'") == "0");
}

TEST_CASE("opening again keeps the rows and changes no schema")
{
    const TemporaryFile files;
    std::string schema;
    {
        Database database = open_here(files.path());
        REQUIRE(tell(database, "INSERT INTO ai_characters (id, name, openai_voice) VALUES ('a', 'A', 'sage')").has_value());
        schema = ask(database, "SELECT group_concat(sql) FROM sqlite_master");
    }
    Database again = open_here(files.path());
    CHECK(ask(again, "SELECT name FROM ai_characters") == "A");
    CHECK(ask(again, "SELECT group_concat(sql) FROM sqlite_master") == schema);
}

TEST_CASE("two programs may have the database open")
{
    const TemporaryFile files;
    Database one = open_here(files.path());
    Database two = open_here(files.path());
    REQUIRE(tell(one, "INSERT INTO ai_characters (id, name, openai_voice) VALUES ('a', 'A', 'sage')").has_value());
    CHECK(ask(two, "SELECT name FROM ai_characters") == "A");
}

TEST_CASE("a newer schema is refused and left as it is")
{
    const TemporaryFile files;
    make_file(files.path(), "CREATE TABLE future (x); PRAGMA user_version = 9999");
    const auto read = [&] {
        std::ifstream in(files.path(), std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    const std::string before = read();
    check_not_opened(files.path(), "schema 9999");
    check_not_opened(files.path(), files.path());
    CHECK(read() == before);
}

TEST_CASE("another program's database is refused")
{
    const TemporaryFile files;
    make_file(files.path(), "CREATE TABLE bookmarks (x)");
    check_not_opened(files.path(), "another program");
}

TEST_CASE("what is not a database is refused with clear words")
{
    const TemporaryFile files;
    std::ofstream(files.path()) << std::string(8192, 'x');
    check_not_opened(files.path(), "damaged or not a SQLite database");
}

TEST_CASE("a path that cannot be a file is refused with clear words")
{
    const TemporaryFile files;
    std::ofstream(files.path("plain")) << "x";
    check_not_opened(files.path("plain/test.db"), "Cannot create the folder");
    std::filesystem::create_directory(files.path("folder"));
    check_not_opened(files.path("folder"), "cannot be opened");
    check_not_opened("", "no file name");
}

TEST_CASE("a full disk, a read-only file, a lock and a broken rule each have their own words")
{
    const TemporaryFile files;
    Database database = open_here(files.path());
    REQUIRE(tell(database, "CREATE TABLE blobs (x UNIQUE)").has_value());

    REQUIRE(tell(database, "PRAGMA max_page_count = 1").has_value());  // SQLite takes the present size as the least
    check_storage_error(tell(database, "INSERT INTO blobs VALUES (zeroblob(1000000))"), "disk is full");
    REQUIRE(tell(database, "PRAGMA max_page_count = 1000000").has_value());

    REQUIRE(tell(database, "PRAGMA query_only = 1").has_value());
    check_storage_error(tell(database, "INSERT INTO blobs VALUES (1)"), "read-only");
    REQUIRE(tell(database, "PRAGMA query_only = 0; PRAGMA busy_timeout = 0").has_value());

    sqlite3* other = nullptr;
    REQUIRE(sqlite3_open(files.path().c_str(), &other) == SQLITE_OK);
    CHECK(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
    check_storage_error(tell(database, "INSERT INTO blobs VALUES (2)"), "Another program keeps it locked");
    sqlite3_close(other);

    REQUIRE(tell(database, "INSERT INTO blobs VALUES (3)").has_value());
    check_storage_error(tell(database, "INSERT INTO blobs VALUES (3)"), "breaks a rule");
}

TEST_CASE("jobs run on one thread that is not the caller's, in the order asked for")
{
    Database database = open_here(":memory:");
    std::vector<int> order;
    std::thread::id first, second;
    CHECK(database.post([&](sqlite3*) -> Result<void> {
        order.push_back(1);
        first = std::this_thread::get_id();
        return {};
    }));
    REQUIRE(database.run([&](sqlite3*) -> Result<void> {
        order.push_back(2);
        second = std::this_thread::get_id();
        return {};
    }).has_value());
    CHECK(order == std::vector<int>{1, 2});
    CHECK(first == second);
    CHECK(first != std::this_thread::get_id());
}

TEST_CASE("two threads posting lose nothing")
{
    Database database = open_here(":memory:");
    REQUIRE(tell(database, "CREATE TABLE posts (writer INTEGER, number INTEGER)").has_value());
    const auto write = [&](int writer) {
        for (int i = 0; i < 300; ++i) {
            const std::string sql = "INSERT INTO posts VALUES (" + std::to_string(writer) + ", " + std::to_string(i) + ")";
            // A full queue is told to the poster; here it tries again, since nothing may be missing.
            while (!database.post([sql](sqlite3* db) { return execute(db, sql.c_str()); })) std::this_thread::yield();
        }
    };
    std::thread one(write, 1), two(write, 2);
    one.join();
    two.join();
    CHECK(ask(database, "SELECT count(*) FROM posts") == "600");
    CHECK(ask(database, "SELECT count(DISTINCT number) FROM posts WHERE writer = 1") == "300");
    // Each writer's rows stand in the order it posted them.
    CHECK(ask(database, "SELECT count(*) FROM posts a JOIN posts b ON a.writer = b.writer AND a.rowid < b.rowid AND a.number > b.number") == "0");
}

TEST_CASE("beyond its bound the queue drops, says so and counts")
{
    Database database = open_here(":memory:");
    Blocker blocker(database);
    std::atomic<int> ran{0};
    const auto count = [&](sqlite3*) -> Result<void> {
        ++ran;
        return {};
    };
    std::size_t taken = 0;
    while (taken <= Database::queue_max && database.post(count)) ++taken;
    CHECK(taken == Database::queue_max);
    CHECK_FALSE(database.post(count));
    CHECK(database.dropped() == 2);
    blocker.release();
    REQUIRE(database.run([](sqlite3*) -> Result<void> { return {}; }).has_value());
    CHECK(ran == static_cast<int>(Database::queue_max));
    CHECK(database.post(count));
}

TEST_CASE("closing runs what is queued")
{
    const TemporaryFile files;
    {
        Database database = open_here(files.path());
        Blocker blocker(database);
        for (int i = 0; i < 10; ++i)
            CHECK(database.post([](sqlite3* db) {
                return execute(db, "INSERT INTO ai_characters (id, name, openai_voice) VALUES (hex(randomblob(8)), 'A', 'sage')");
            }));
        blocker.release();
    }
    Database again = open_here(files.path());
    CHECK(ask(again, "SELECT count(*) FROM ai_characters") == "10");
}

TEST_CASE("a moved database goes on working")
{
    Database first = open_here(":memory:");
    Database second = std::move(first);
    CHECK(ask(second, "SELECT 1") == "1");
}

TEST_CASE("a job that fails, throws or forgets its transaction harms no later one")
{
    Database database = open_here(":memory:");
    CHECK_FALSE(tell(database, "SELEC 1").has_value());
    CHECK(database.post([](sqlite3*) -> Result<void> { return Error{Code::storage, "A failure that a test wants."}; }));

    const auto thrown = database.run([](sqlite3* db) -> Result<void> {
        const auto begun = execute(db, "BEGIN");
        if (!begun) return begun.error();
        throw std::runtime_error("oops");
    });
    REQUIRE_FALSE(thrown.has_value());
    CHECK(thrown.error().code == Code::internal);
    CHECK_THAT(thrown.error().message, Contains("oops"));

    const auto forgot = tell(database, "BEGIN; INSERT INTO ai_characters (id, name, openai_voice) VALUES ('a', 'A', 'sage')");
    REQUIRE_FALSE(forgot.has_value());
    CHECK(forgot.error().code == Code::internal);
    CHECK(ask(database, "SELECT count(*) FROM ai_characters") == "0");
    CHECK(tell(database, "BEGIN; COMMIT").has_value());
}

TEST_CASE("waiting for a job inside of a job is refused, not a deadlock")
{
    Database database = open_here(":memory:");
    const auto nested = database.run([&](sqlite3*) { return database.run([](sqlite3*) -> Result<void> { return {}; }); });
    REQUIRE_FALSE(nested.has_value());
    CHECK(nested.error().code == Code::internal);
}

TEST_CASE("a transaction that is not committed leaves nothing")
{
    Database database = open_here(":memory:");
    const auto left = database.run([](sqlite3* db) -> Result<void> {
        auto transaction = Transaction::begin(db);
        if (!transaction) return transaction.error();
        return execute(db, "INSERT INTO ai_characters (id, name, openai_voice) VALUES ('a', 'A', 'sage')");
    });
    CHECK(left.has_value());
    CHECK(ask(database, "SELECT count(*) FROM ai_characters") == "0");
}

TEST_CASE("what another process has committed is told from what we have")
{
    const TemporaryFile file;
    Database ours = open_here(file.path());
    const auto version = [&ours] { return ours.foreign_version().value(); };
    const auto before = version();
    REQUIRE(tell(ours, "CREATE TABLE t (x)").has_value());
    REQUIRE(tell(ours, "INSERT INTO t VALUES (1)").has_value());
    CHECK(version() == before);
    // A connection of its own is as good as a process of its own.
    make_file(file.path(), "INSERT INTO t VALUES (2)");
    const auto after = version();
    CHECK(after != before);
    REQUIRE(tell(ours, "INSERT INTO t VALUES (3)").has_value());
    CHECK(version() == after);
}
