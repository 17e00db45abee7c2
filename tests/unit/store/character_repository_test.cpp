#include "repartee/store/character_repository.hpp"
#include "store/statement.hpp"
#include "../characters/sample.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::store;
using characters::Character;
using characters::full_character;

namespace {

struct Store {
    Database database = [] {
        auto opened = Database::open(":memory:");
        if (!opened) throw std::runtime_error(opened.error().message);
        return std::move(*opened);
    }();
    CharacterRepository repository{database};

    Result<void> tell(const char* sql)
    {
        return database.run([sql](sqlite3* db) { return execute(db, sql); });
    }

    std::string ask(const char* sql)
    {
        std::string answer;
        const auto asked = database.run([&](sqlite3* db) -> Result<void> {
            auto query = Statement::prepare(db, sql);
            if (!query) return query.error();
            if (const auto row = query->step(); !row) return row.error();
            answer = query->text(0);
            return {};
        });
        return asked ? answer : "error: " + asked.error().message;
    }

    Character only()
    {
        const auto all = repository.all();
        if (!all || all->size() != 1) throw std::runtime_error("not one character");
        return all->front();
    }
};

}  // namespace

TEST_CASE("a character with every field set comes back equal from the database")
{
    Store store;
    REQUIRE(store.repository.upsert({full_character("b"), full_character("a")}).has_value());
    const auto all = store.repository.all();
    REQUIRE(all.has_value());
    REQUIRE(all->size() == 2);
    CHECK((*all)[0] == full_character("a"));
    CHECK((*all)[1] == full_character("b"));
}

TEST_CASE("a character with nothing but an id comes back equal too")
{
    Store store;
    Character bare;
    bare.id = "bare";
    REQUIRE(store.repository.upsert({bare}).has_value());
    CHECK(store.only() == bare);
}

TEST_CASE("a second upsert changes the row instead of adding one")
{
    Store store;
    Character character = full_character("a");
    REQUIRE(store.repository.upsert({character}).has_value());
    character.name = "새 이름";
    character.likes = {"하나"};
    character.experience_years = 30;
    character.embedded_voice.pitch = 0.75;
    REQUIRE(store.repository.upsert({character}).has_value());
    CHECK(store.only() == character);
}

TEST_CASE("an upsert without an introduction's URL keeps the one that is there, and one with it replaces it")
{
    Store store;
    Character character = full_character("a");
    character.introduction_audio_url.clear();
    REQUIRE(store.repository.upsert({character}).has_value());
    CHECK(store.only().introduction_audio_url.empty());
    REQUIRE(store.repository.set_introduction_audio_url("a", "/static/audio/a_intro.mp3").has_value());
    REQUIRE(store.repository.upsert({character}).has_value());
    CHECK(store.only().introduction_audio_url == "/static/audio/a_intro.mp3");

    character.name = "changed";
    REQUIRE(store.repository.upsert({character}).has_value());
    CHECK(store.only().introduction_audio_url == "/static/audio/a_intro.mp3");
    CHECK(store.only().name == "changed");

    character.introduction_audio_url = "/other.mp3";
    REQUIRE(store.repository.upsert({character}).has_value());
    CHECK(store.only().introduction_audio_url == "/other.mp3");
}

TEST_CASE("updated_at moves when something changed, and created_at never")
{
    Store store;
    Character character = full_character("a");
    REQUIRE(store.repository.upsert({character}).has_value());
    REQUIRE(store.tell("UPDATE ai_characters SET created_at = 'then', updated_at = 'then'").has_value());
    character.introduction_audio_url.clear();  // kept, so not a change
    REQUIRE(store.repository.upsert({character}).has_value());
    CHECK(store.ask("SELECT updated_at FROM ai_characters") == "then");
    character.habits += "!";
    REQUIRE(store.repository.upsert({character}).has_value());
    CHECK(store.ask("SELECT updated_at FROM ai_characters") != "then");
    CHECK(store.ask("SELECT created_at FROM ai_characters") == "then");
}

TEST_CASE("times are UTC in ISO 8601")
{
    Store store;
    REQUIRE(store.repository.upsert({full_character("a")}).has_value());
    CHECK(store.ask("SELECT created_at "
                    "GLOB '20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9].[0-9][0-9][0-9]Z' FROM ai_characters") == "1");
}

TEST_CASE("an upsert that fails half-way leaves nothing of itself")
{
    Store store;
    REQUIRE(store.tell("CREATE TRIGGER no_b BEFORE INSERT ON ai_characters WHEN new.id = 'b' BEGIN SELECT raise(ABORT, 'no b'); END").has_value());
    const auto failed = store.repository.upsert({full_character("a"), full_character("b")});
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == Code::storage);
    CHECK_THAT(failed.error().message, Catch::Contains("no b"));
    CHECK(store.ask("SELECT count(*) FROM ai_characters") == "0");
    CHECK(store.repository.upsert({full_character("c")}).has_value());
}

TEST_CASE("a URL for a character that is not there is refused")
{
    Store store;
    const auto set = store.repository.set_introduction_audio_url("nobody", "/x.mp3");
    REQUIRE_FALSE(set.has_value());
    CHECK(set.error().code == Code::not_found);
}

TEST_CASE("a list column spoilt by hand is named")
{
    Store store;
    REQUIRE(store.repository.upsert({full_character("a")}).has_value());
    for (const char* spoil : {"UPDATE ai_characters SET likes = 'tea'", "UPDATE ai_characters SET likes = '{}'",
                              "UPDATE ai_characters SET likes = '[1]'"}) {
        REQUIRE(store.tell(spoil).has_value());
        const auto all = store.repository.all();
        REQUIRE_FALSE(all.has_value());
        CHECK(all.error().code == Code::storage);
        CHECK_THAT(all.error().message, Catch::Contains("\"a\"") && Catch::Contains("likes"));
    }
}

TEST_CASE("values are bound, not pasted")
{
    Store store;
    Character character = full_character("a");
    character.name = "'); DROP TABLE ai_characters; --";
    REQUIRE(store.repository.upsert({character}).has_value());
    CHECK(store.only() == character);
}
