#include "repartee/store/memory_repository.hpp"
#include "repartee/store/character_repository.hpp"
#include "store/migrations.hpp"
#include "store/statement.hpp"
#include "temporary_file.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <stdexcept>

using namespace repartee;
using namespace repartee::store;

namespace {

struct Store {
    explicit Store(MemoryLimits limits = {}, const std::string& file = ":memory:") : database(open(file)), memory(database, limits, &dropped) {}

    static Database open(const std::string& file)
    {
        auto opened = Database::open(file);
        if (!opened) throw std::runtime_error(opened.error().message);
        return std::move(*opened);
    }

    std::optional<StoredSession> load(const std::string& id)
    {
        std::promise<std::optional<StoredSession>> loaded;
        const bool queued = memory.load(id, [&](Result<std::optional<StoredSession>> session) {
            if (session) loaded.set_value(std::move(*session));
            else loaded.set_exception(std::make_exception_ptr(std::runtime_error(session.error().message)));
        });
        if (!queued) throw std::runtime_error("queue full");
        return loaded.get_future().get();
    }

    std::vector<StoredRecording> recordings(const std::string& id)
    {
        std::promise<std::vector<StoredRecording>> loaded;
        const bool queued = memory.load_recordings(id, [&](Result<std::vector<StoredRecording>> found) {
            if (found) loaded.set_value(std::move(*found));
            else loaded.set_exception(std::make_exception_ptr(std::runtime_error(found.error().message)));
        });
        if (!queued) throw std::runtime_error("queue full");
        return loaded.get_future().get();
    }

    bool remove(const std::string& id, const std::string& kind = "voice_chat")
    {
        std::promise<bool> removed;
        if (!memory.remove(id, kind, [&](Result<bool> done) { removed.set_value(done && *done); })) throw std::runtime_error("queue full");
        return removed.get_future().get();
    }

    void tell(const std::string& sql)
    {
        const auto told = database.run([&](sqlite3* db) { return execute(db, sql.c_str()); });
        if (!told) throw std::runtime_error(told.error().message);
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

    Counter dropped;
    Database database;
    MemoryRepository memory;
};

StoredTurn said(std::string role, std::string text, std::string label = {}, std::int64_t unix_ms = 7)
{
    return {std::move(role), std::move(text), std::move(label), unix_ms};
}

}  // namespace

TEST_CASE("what was appended is loaded, in order")
{
    Store store;
    CHECK_FALSE(store.load("a").has_value());
    REQUIRE(store.memory.append("a", "voice_chat", {said("user", "안녕", "question"), said("assistant", "네")}));
    REQUIRE(store.memory.append("a", "voice_chat", {said("user", "또 왔어요", "", 9)}));
    REQUIRE(store.memory.set_state("a", "voice_chat", "{\"n\":1}"));
    REQUIRE(store.memory.append("b", "interview", {}));

    const auto session = store.load("a");
    REQUIRE(session.has_value());
    CHECK(session->id == "a");
    CHECK(session->kind == "voice_chat");
    CHECK(session->state == "{\"n\":1}");
    CHECK(session->created_unix_ms > 1'700'000'000'000);
    CHECK(session->used_unix_ms >= session->created_unix_ms);
    REQUIRE(session->turns.size() == 3);
    CHECK(session->turns[0].text == "안녕");
    CHECK(session->turns[0].label == "question");
    CHECK(session->turns[1].role == "assistant");
    CHECK(session->turns[2].unix_ms == 9);
    CHECK(store.load("b")->kind == "interview");
    CHECK(store.load("b")->turns.empty());
}

TEST_CASE("a session keeps its newest turns, the memory its last used sessions")
{
    Store store({.sessions_max = 3, .turns_max = 4});
    for (int i = 0; i < 10; ++i) REQUIRE(store.memory.append("a", "voice_chat", {said("user", std::to_string(i))}));
    const auto session = store.load("a");
    REQUIRE(session->turns.size() == 4);
    CHECK(session->turns.front().text == "6");
    CHECK(session->turns.back().text == "9");

    for (const char* id : {"b", "c"}) REQUIRE(store.memory.append(id, "voice_chat", {said("user", "x")}));
    store.tell("UPDATE voice_sessions SET used_ms = CASE id WHEN 'a' THEN 1 WHEN 'b' THEN 2 ELSE 3 END");
    REQUIRE(store.memory.append("a", "voice_chat", {}));  // used again
    REQUIRE(store.memory.append("d", "voice_chat", {said("user", "x")}));
    CHECK(store.load("a").has_value());
    CHECK_FALSE(store.load("b").has_value());
    CHECK(store.load("c").has_value());
    CHECK(store.load("d").has_value());
    CHECK(store.ask("SELECT count(*) FROM voice_turns WHERE session_id = 'b'") == 0);
}

TEST_CASE("recordings come back byte for byte, in order, and go when they are transcribed")
{
    Store store;
    REQUIRE(store.memory.set_state("a", "interview", "{}"));
    std::string large(25 << 20, '\0');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 >> 3);
    REQUIRE(store.memory.keep_recording({"a", 2, 0, "webm", large}));
    REQUIRE(store.memory.keep_recording({"a", 1, 1, "pcm16@16000", std::string("\0\x01\0", 3)}));
    REQUIRE(store.memory.keep_recording({"a", 1, 0, "ogg", ""}));
    auto found = store.recordings("a");
    REQUIRE(found.size() == 3);
    CHECK(found[0].question == 1);
    CHECK(found[0].part == 0);
    CHECK(found[0].bytes.empty());
    CHECK(found[1].bytes == std::string("\0\x01\0", 3));
    CHECK(found[1].format == "pcm16@16000");
    CHECK((found[2].bytes == large));

    REQUIRE(store.memory.keep_recording({"a", 1, 1, "webm", "longer"}));
    CHECK(store.recordings("a")[1].bytes == "longer");
    REQUIRE(store.memory.drop_recordings("a", 1));
    found = store.recordings("a");
    REQUIRE(found.size() == 1);
    CHECK(found[0].question == 2);
    CHECK(store.recordings("b").empty());
    CHECK(store.load("a")->kind == "interview");
}

TEST_CASE("recordings of all sessions stay within their bytes, the oldest go first")
{
    Store store({.recording_bytes_max = 1'000});
    for (int i = 0; i < 5; ++i) {
        REQUIRE(store.memory.keep_recording({"a", i, 0, "webm", std::string(400, 'x')}));
        REQUIRE(store.recordings("a").size() <= 2);  // and so the queue is empty again
    }
    const auto found = store.recordings("a");
    REQUIRE(found.size() == 2);
    CHECK(found[0].question == 3);
    CHECK(found[1].question == 4);
    CHECK_FALSE(store.memory.keep_recording({"a", 9, 0, "webm", std::string(1'001, 'x')}));
}

TEST_CASE("recordings that wait to be written are bounded too")
{
    Store store({.recording_bytes_max = 1'000});
    std::promise<void> go;
    auto held = go.get_future().share();
    REQUIRE(store.database.post([held](sqlite3*) -> Result<void> {
        held.wait();
        return {};
    }));
    CHECK(store.memory.keep_recording({"a", 0, 0, "webm", std::string(600, 'x')}));
    CHECK_FALSE(store.memory.keep_recording({"a", 1, 0, "webm", std::string(600, 'x')}));
    CHECK(store.memory.keep_recording({"a", 2, 0, "webm", std::string(400, 'x')}));
    go.set_value();
    CHECK(store.recordings("a").size() == 2);
    CHECK(store.memory.keep_recording({"a", 3, 0, "webm", std::string(600, 'x')}));
}

TEST_CASE("a session stays of its kind, whoever names its id")
{
    Store store;
    REQUIRE(store.memory.set_state("a", "interview", "{}"));
    REQUIRE(store.memory.append("a", "voice_chat", {said("user", "mine now?")}));
    const auto session = store.load("a");
    REQUIRE(session.has_value());
    CHECK(session->kind == "interview");
    CHECK(session->turns.empty());
}

TEST_CASE("a removed session takes its turns and recordings with it")
{
    Store store;
    REQUIRE(store.memory.append("a", "interview", {said("question", "?")}));
    REQUIRE(store.memory.keep_recording({"a", 0, 0, "webm", "x"}));
    CHECK_FALSE(store.remove("a", "voice_chat"));  // somebody else's id
    CHECK(store.remove("a", "interview"));
    CHECK_FALSE(store.remove("a", "interview"));
    CHECK_FALSE(store.load("a").has_value());
    CHECK(store.ask("SELECT count(*) FROM voice_turns") == 0);
    CHECK(store.ask("SELECT count(*) FROM voice_recordings") == 0);
}

TEST_CASE("prune drops what was not used for long, and keeps all when there is no limit")
{
    for (const std::int64_t days : {30, 0}) {
        Store store({.age_days_max = days});
        for (const char* id : {"old", "new"}) REQUIRE(store.memory.append(id, "voice_chat", {said("user", "x")}));
        store.tell("UPDATE voice_sessions SET used_ms = used_ms - 31 * 86400000 WHERE id = 'old'");
        REQUIRE(store.memory.prune());
        CHECK(store.load("old").has_value() == (days == 0));
        CHECK(store.load("new").has_value());
    }
}

TEST_CASE("a full queue drops the call and says so")
{
    Store store;
    std::promise<void> go;
    auto held = go.get_future().share();
    REQUIRE(store.database.post([held](sqlite3*) -> Result<void> {
        held.wait();
        return {};
    }));
    std::size_t queued = 0;
    while (queued < 2'000 && store.memory.append("a", "voice_chat", {said("user", "x")})) ++queued;
    CHECK(queued >= Database::queue_max - 1);
    CHECK(queued <= Database::queue_max);
    CHECK(store.dropped.value() == 1);
    bool called = false;
    CHECK_FALSE(store.memory.load("a", [&](const auto&) { called = true; }));
    CHECK_FALSE(store.memory.remove("a", "voice_chat", [&](const auto&) { called = true; }));
    CHECK_FALSE(store.memory.keep_recording({"a", 0, 0, "webm", "x"}));
    CHECK_FALSE(store.memory.prune());
    go.set_value();
    CHECK(store.ask("SELECT count(*) FROM voice_turns") == 200);
    CHECK_FALSE(called);
}

TEST_CASE("the queue is written when the program ends, also when the repository has gone before")
{
    const TemporaryFile files;
    {
        Database database = Store::open(files.path());
        MemoryRepository(database, {}).append("a", "voice_chat", {said("user", "last words")});
        MemoryRepository(database, {}).keep_recording({"a", 0, 0, "webm", "x"});
    }
    Store again({}, files.path());
    REQUIRE(again.load("a").has_value());
    CHECK(again.load("a")->turns.front().text == "last words");
    CHECK(again.recordings("a").size() == 1);
}

TEST_CASE("a database of the first schema keeps its characters and learns the rest")
{
    const TemporaryFile files;
    {
        Store store({}, files.path());
        characters::Character character;
        character.id = "kept";
        character.name = "Kept";
        REQUIRE(CharacterRepository(store.database).upsert({character}).has_value());
        // As the first schema was.
        store.tell("DROP TABLE lines; DROP TABLE conversations; DROP TABLE voice_recordings; DROP TABLE voice_turns; DROP TABLE voice_sessions");
        for (const char* column : {"stt_provider", "stt_model", "llm_provider", "llm_model", "tts_provider", "tts_model"})
            store.tell(std::string("ALTER TABLE ai_characters DROP COLUMN ") + column);
        store.tell("PRAGMA user_version = 1");
    }
    Store store({}, files.path());
    CHECK(store.ask("PRAGMA user_version") == newest_schema());
    const auto all = CharacterRepository(store.database).all();
    REQUIRE(all.has_value());
    REQUIRE(all->size() == 1);
    CHECK(all->front().name == "Kept");
    CHECK(all->front().llm_provider.empty());
    REQUIRE(store.memory.append("a", "voice_chat", {said("user", "x")}));
    CHECK(store.load("a").has_value());
}
