#include "repartee/store/transcript_repository.hpp"
#include "store/migrations.hpp"
#include "store/statement.hpp"
#include "temporary_file.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>

using namespace repartee;
using namespace repartee::store;
using conversation::Line;

namespace {

template <class T>
void hand(std::promise<T>& to, Result<T> result)
{
    if (result) to.set_value(std::move(*result));
    else to.set_exception(std::make_exception_ptr(std::runtime_error(result.error().message)));
}

struct Store {
    explicit Store(TranscriptLimits limits = {}, const std::string& file = ":memory:")
        : database(open(file)), transcripts(database, limits, [this](const std::string& id) { dropped.push_back(id); })
    {
    }

    static Database open(const std::string& file)
    {
        auto opened = Database::open(file);
        if (!opened) throw std::runtime_error(opened.error().message);
        return std::move(*opened);
    }

    std::optional<StoredConversation> load(const std::string& id)
    {
        std::promise<std::optional<StoredConversation>> loaded;
        if (!transcripts.load(id, [&](auto found) { hand(loaded, std::move(found)); })) throw std::runtime_error("queue full");
        return loaded.get_future().get();
    }

    bool remove(const std::string& id)
    {
        std::promise<bool> removed;
        if (!transcripts.remove(id, [&](auto done) { hand(removed, std::move(done)); })) throw std::runtime_error("queue full");
        return removed.get_future().get();
    }

    std::vector<std::string> remove_user(const std::string& user)
    {
        std::promise<std::vector<std::string>> removed;
        if (!transcripts.remove_user(user, [&](auto done) { hand(removed, std::move(done)); })) throw std::runtime_error("queue full");
        return removed.get_future().get();
    }

    Result<void> tell(const std::string& sql)
    {
        return database.run([&](sqlite3* db) { return execute(db, sql.c_str()); });
    }

    std::int64_t ask(const std::string& sql)
    {
        Result<std::int64_t> answer = -1;
        const auto ran = database.run([&](sqlite3* db) -> Result<void> {
            answer = ask_number(db, sql);
            return {};
        });
        if (!ran || !answer) throw std::runtime_error(ran ? answer.error().message : ran.error().message);
        return *answer;
    }

    void write(const std::string& id, std::vector<Line> lines) { REQUIRE(transcripts.write(id, lines) == lines.size()); }

    std::vector<std::string> dropped;  ///< to be looked at behind a load()
    Database database;
    TranscriptRepository transcripts;
};

Line line(std::uint64_t number, std::string role, std::string text)
{
    Line made;
    made.number = number;
    made.item_id = "item_" + std::to_string(number);
    made.role = std::move(role);
    made.text = made.heard = std::move(text);
    return made;
}

/// Keeps the database thread busy until it goes, so that what is told meanwhile is collected.
class Blocker {
public:
    explicit Blocker(Database& database)
    {
        std::promise<void> started;
        REQUIRE(database.post([&started, release = release_.get_future().share()](sqlite3*) -> Result<void> {
            started.set_value();
            release.wait();
            return {};
        }));
        started.get_future().wait();
    }
    ~Blocker() { release_.set_value(); }

private:
    std::promise<void> release_;
};

}  // namespace

TEST_CASE("what was said is loaded, with its marks")
{
    Store store;
    CHECK_FALSE(store.load("sess_a").has_value());
    REQUIRE(store.transcripts.begin("sess_a", "Kim", "oh_kyungmi"));
    Line cut = line(2, "assistant", "안녕하세요, 반가워요");
    cut.heard = "안녕하세요,";
    cut.cut = true;
    cut.heard_ms = 480;
    cut.audio_ms = 2'000;
    store.write("sess_a", {line(1, "user", "안녕")});
    store.write("sess_a", {cut});

    auto found = store.load("sess_a");
    REQUIRE(found.has_value());
    CHECK(found->id == "sess_a");
    CHECK(found->user == "Kim");
    CHECK(found->character_id == "oh_kyungmi");
    CHECK(found->started_unix_ms > 1'700'000'000'000);
    CHECK(found->ended_unix_ms == 0);
    REQUIRE(found->lines.size() == 2);
    CHECK(found->lines[0].line.text == "안녕");
    CHECK(found->lines[0].unix_ms >= found->started_unix_ms);
    CHECK(found->lines[1].line.item_id == "item_2");
    CHECK(found->lines[1].line.role == "assistant");
    CHECK(found->lines[1].line.text == "안녕하세요, 반가워요");
    CHECK(found->lines[1].line.heard == "안녕하세요,");
    CHECK(found->lines[1].line.cut);
    CHECK(found->lines[1].line.heard_ms == 480);
    CHECK(found->lines[1].line.audio_ms == 2'000);

    REQUIRE(store.transcripts.end("sess_a"));
    CHECK(store.load("sess_a")->ended_unix_ms >= found->started_unix_ms);
}

TEST_CASE("a line that is told again is the same line, in its place")
{
    Store store;
    REQUIRE(store.transcripts.begin("sess_a", "", "x"));
    store.write("sess_a", {line(1, "user", ""), line(2, "assistant", "네")});
    const auto first = store.load("sess_a");
    SECTION("after it was written") {}
    SECTION("before it was written")
    {
        const Blocker blocker(store.database);
        store.write("sess_a", {line(1, "user", "처")});
    }
    store.write("sess_a", {line(3, "user", "둘"), line(1, "user", "처음")});
    const auto found = store.load("sess_a");
    REQUIRE(found->lines.size() == 3);
    CHECK(found->lines[0].line.text == "처음");
    CHECK(found->lines[0].unix_ms == first->lines[0].unix_ms);
    CHECK(found->lines[1].line.text == "네");
    CHECK(found->lines[2].line.text == "둘");
}

TEST_CASE("what comes while the database is busy is written in one go")
{
    Store store;
    {
        const Blocker blocker(store.database);
        for (int i = 0; i < 3'000; ++i) {  // more than the database's queue holds
            const std::string id = "sess_" + std::to_string(i);
            REQUIRE(store.transcripts.begin(id, "u", "c"));
            store.write(id, {line(1, "user", "x"), line(2, "assistant", "y")});
            REQUIRE(store.transcripts.end(id));
        }
    }
    CHECK(store.load("sess_2999")->lines.size() == 2);
    CHECK(store.ask("SELECT count(*) FROM conversations WHERE ended_ms > 0") == 3'000);
    CHECK(store.ask("SELECT count(*) FROM lines") == 6'000);
    CHECK(store.database.dropped() == 0);
}

TEST_CASE("what is not written yet is bounded in bytes, and what was refused is told")
{
    Store store({.queued_bytes_max = 4'000});
    const std::string word(500, 'x');
    {
        const Blocker blocker(store.database);
        REQUIRE(store.transcripts.begin("sess_a", "", ""));
        std::vector<Line> lines;
        for (std::uint64_t i = 1; i <= 10; ++i) lines.push_back(line(i, "user", word));
        CHECK(store.transcripts.write("sess_a", lines) == 2);
        // A line told again takes the room of the old one.
        for (int i = 0; i < 50; ++i) CHECK(store.transcripts.write("sess_a", std::vector{line(2, "user", word)}) == 1);
        CHECK(store.transcripts.write("sess_a", std::vector{line(3, "user", word)}) == 0);
        CHECK_FALSE(store.transcripts.begin("sess_b", std::string(4'000, 'y'), ""));
    }
    CHECK(store.load("sess_a")->lines.size() == 2);
    CHECK(store.transcripts.write("sess_a", std::vector{line(3, "user", word)}) == 1);
    CHECK(store.load("sess_a")->lines.size() == 3);
}

TEST_CASE("a conversation that was deleted takes no more lines")
{
    Store store;
    REQUIRE(store.transcripts.begin("sess_a", "Kim", "x"));
    store.write("sess_a", {line(1, "user", "secret")});
    CHECK(store.remove("sess_a"));
    CHECK_FALSE(store.remove("sess_a"));
    store.write("sess_a", {line(1, "user", "secret again"), line(2, "assistant", "more")});
    REQUIRE(store.transcripts.end("sess_a"));
    CHECK_FALSE(store.load("sess_a").has_value());
    CHECK(store.ask("SELECT count(*) FROM lines") == 0);
    store.write("sess_never_begun", {line(1, "user", "x")});
    CHECK_FALSE(store.load("sess_never_begun").has_value());
}

TEST_CASE("all of a user goes at once, and nobody else's")
{
    Store store;
    for (const char* id : {"sess_a", "sess_b"}) REQUIRE(store.transcripts.begin(id, "Kim", "x"));
    REQUIRE(store.transcripts.begin("sess_c", "Lee", "x"));
    REQUIRE(store.transcripts.begin("sess_d", "", "x"));
    for (const char* id : {"sess_a", "sess_b", "sess_c", "sess_d"}) store.write(id, {line(1, "user", "x")});
    auto removed = store.remove_user("Kim");
    std::sort(removed.begin(), removed.end());
    CHECK(removed == std::vector<std::string>{"sess_a", "sess_b"});
    CHECK(store.remove_user("Kim").empty());
    CHECK_FALSE(store.load("sess_a").has_value());
    CHECK(store.load("sess_c").has_value());
    CHECK(store.load("sess_d").has_value());
    CHECK(store.ask("SELECT count(*) FROM lines") == 2);
    CHECK(store.remove_user("' OR 1=1 --").empty());
    CHECK(store.ask("SELECT count(*) FROM conversations") == 2);
}

TEST_CASE("conversations, lines and age are bounded")
{
    Store store({.sessions_max = 3, .lines_max = 4, .age_days_max = 30});
    REQUIRE(store.transcripts.begin("sess_runs", "", ""));
    for (std::uint64_t i = 1; i <= 10; ++i) store.write("sess_runs", {line(i, "user", std::to_string(i))});
    const auto running = store.load("sess_runs");
    REQUIRE(running->lines.size() == 4);
    CHECK(running->lines.front().line.text == "7");

    for (const char* id : {"sess_1", "sess_2", "sess_3"}) {
        REQUIRE(store.transcripts.begin(id, "", ""));
        REQUIRE(store.transcripts.end(id));
        REQUIRE(store.load(id).has_value());
    }
    CHECK(store.ask("SELECT count(*) FROM conversations") == 3);
    CHECK(store.load("sess_runs").has_value());  // begun first, but it still runs
    CHECK(store.dropped == std::vector<std::string>{"sess_1"});

    REQUIRE(store.tell("UPDATE conversations SET started_ms = started_ms - 31 * 86400000 WHERE id = 'sess_2'").has_value());
    REQUIRE(store.transcripts.prune());
    CHECK_FALSE(store.load("sess_2").has_value());
    CHECK(store.load("sess_3").has_value());
    CHECK(store.dropped == std::vector<std::string>{"sess_1", "sess_2"});
}

TEST_CASE("a conversation may be known for longer than its lines are")
{
    Store store({.age_days_max = 7, .kept_days_max = 30});
    for (const char* id : {"sess_8", "sess_31", "sess_new"}) {
        REQUIRE(store.transcripts.begin(id, "Kim", ""));
        store.write(id, {line(1, "user", "x")});
        REQUIRE(store.load(id).has_value());
    }
    for (const int days : {8, 31}) {
        const std::string number = std::to_string(days);
        REQUIRE(store.tell("UPDATE conversations SET started_ms = started_ms - " + number + " * 86400000 WHERE id = 'sess_" + number + "'").has_value());
    }
    REQUIRE(store.transcripts.prune());
    CHECK(store.load("sess_new")->lines.size() == 1);
    CHECK(store.load("sess_8")->lines.empty());
    CHECK_FALSE(store.load("sess_31").has_value());
    CHECK(store.dropped == std::vector<std::string>{"sess_31"});
    CHECK(store.remove_user("Kim").size() == 2);
}

TEST_CASE("a failed write is tried again with what comes next")
{
    Store store;
    REQUIRE(store.transcripts.begin("sess_a", "Kim", "x"));
    REQUIRE(store.load("sess_a").has_value());
    REQUIRE(store.tell("PRAGMA query_only = 1").has_value());
    store.write("sess_a", {line(1, "user", "old"), line(2, "assistant", "kept")});
    CHECK(store.load("sess_a")->lines.empty());
    SECTION("and what was told meanwhile is newer")
    {
        store.write("sess_a", {line(1, "user", "new")});
        REQUIRE(store.tell("PRAGMA query_only = 0").has_value());
        const auto found = store.load("sess_a");
        REQUIRE(found->lines.size() == 2);
        CHECK(found->lines[0].line.text == "new");
        CHECK(found->lines[1].line.text == "kept");
    }
    SECTION("but not what was deleted meanwhile")
    {
        REQUIRE(store.transcripts.begin("sess_b", "Kim", "x"));
        CHECK_THROWS(store.remove("sess_a"));  // told as a failure, not as done
        REQUIRE(store.tell("PRAGMA query_only = 0").has_value());
        CHECK(store.remove("sess_a"));
        CHECK(store.remove_user("Kim") == std::vector<std::string>{"sess_b"});
        CHECK(store.ask("SELECT count(*) FROM lines") == 0);
    }
}

TEST_CASE("transcripts survive a restart; what a crash left open has ended")
{
    const TemporaryFile files;
    {
        Store store({}, files.path());
        REQUIRE(store.transcripts.begin("sess_a", "", "x"));
        store.write("sess_a", {line(1, "user", "x")});
        REQUIRE(store.transcripts.begin("sess_b", "", "x"));
    }  // without end()
    Store store({}, files.path());
    CHECK(store.load("sess_a")->ended_unix_ms == 0);
    REQUIRE(store.transcripts.close_left_open());
    const auto found = store.load("sess_a");
    REQUIRE(found->lines.size() == 1);
    CHECK(found->ended_unix_ms == found->lines[0].unix_ms);
    const auto empty = store.load("sess_b");
    CHECK(empty->ended_unix_ms == empty->started_unix_ms);
}

TEST_CASE("a database of the schema before gets the tables, and keeps what it had")
{
    const TemporaryFile files;
    {
        Store store({}, files.path());
        REQUIRE(store.tell("INSERT INTO voice_sessions (id, kind, created_ms, used_ms) VALUES ('kept', 'interview', 1, 1)").has_value());
        // As schema 3 was.
        REQUIRE(store.tell("DROP TABLE lines; DROP TABLE conversations; PRAGMA user_version = 3").has_value());
    }
    Store store({}, files.path());
    CHECK(store.ask("PRAGMA user_version") == newest_schema());
    CHECK(store.ask("SELECT count(*) FROM voice_sessions WHERE id = 'kept'") == 1);
    REQUIRE(store.transcripts.begin("sess_a", "", "x"));
    store.write("sess_a", {line(1, "user", "x")});
    CHECK(store.load("sess_a")->lines.size() == 1);
}
