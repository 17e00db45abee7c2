#include "repartee/characters/catalogue.hpp"

#include <catch2/catch.hpp>
#include <thread>

using namespace repartee::characters;

namespace {

Character named(const std::string& id, const std::string& name)
{
    Character character;
    character.id = id;
    character.name = name;
    return character;
}

}  // namespace

TEST_CASE("a snapshot is sorted by id and finds each character, and nothing else")
{
    const Snapshot snapshot({named("c", "3"), named("a", "1"), named("b", "2")});
    REQUIRE(snapshot.all().size() == 3);
    CHECK(snapshot.all().front().id == "a");
    CHECK(snapshot.all().back().id == "c");
    REQUIRE(snapshot.find("b"));
    CHECK(snapshot.find("b")->name == "2");
    for (const char* id : {"", "aa", "0", "d"}) CHECK(snapshot.find(id) == nullptr);
}

TEST_CASE("of two characters with one id the later stays")
{
    const Snapshot snapshot({named("a", "old"), named("b", "other"), named("a", "new")});
    REQUIRE(snapshot.all().size() == 2);
    CHECK(snapshot.find("a")->name == "new");
}

TEST_CASE("a new catalogue is empty, not absent")
{
    const Catalogue catalogue;
    REQUIRE(catalogue.snapshot());
    CHECK(catalogue.snapshot()->all().empty());
}

TEST_CASE("a reader keeps the snapshot it took while others publish")
{
    Catalogue catalogue;
    catalogue.publish({named("a", "0")});
    const auto mine = catalogue.snapshot();
    std::thread writer([&] {
        for (int i = 1; i <= 200; ++i) catalogue.publish({named("a", std::to_string(i))});
    });
    bool always_whole = true;
    for (int i = 0; i < 200; ++i) always_whole = always_whole && catalogue.snapshot()->find("a") != nullptr;
    writer.join();
    CHECK(always_whole);
    CHECK(mine->find("a")->name == "0");
    CHECK(catalogue.snapshot()->find("a")->name == "200");
}
