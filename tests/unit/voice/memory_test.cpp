#include "repartee/voice/memory.hpp"

#include "../../support/run_coroutine.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::voice;
using namespace std::chrono_literals;
using testing::run_coroutine;

namespace {

std::vector<std::string> texts(Memory& memory, const std::string& id)
{
    std::vector<std::string> list;
    run_coroutine([&]() -> awaitable<void> {
        const auto turns = co_await memory.recall(id, 2s);
        for (const store::StoredTurn& turn : turns.value()) list.push_back(turn.text);
    }());
    return list;
}

std::vector<store::StoredTurn> exchange(int n)
{
    return {{"user", "q" + std::to_string(n), "other", n}, {"assistant", "a" + std::to_string(n), "", n}};
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("a session is remembered in the cache and behind it")
{
    store::Database database = store::Database::open(":memory:").value();
    store::MemoryRepository repository(database, {});
    {
        Memory memory(repository, {.sessions_cached_max = 10, .turns_max = 3});
        REQUIRE(texts(memory, "s1").empty());
        memory.remember("s1", exchange(1));
        REQUIRE(texts(memory, "s1") == List{"q1", "a1"});
        memory.remember("s1", exchange(2));
        REQUIRE(texts(memory, "s1") == List{"a1", "q2", "a2"});
        memory.remember("s2", exchange(7));  // without having asked before
        REQUIRE(texts(memory, "s2") == List{"q7", "a7"});
    }
    Memory again(repository, {.sessions_cached_max = 10, .turns_max = 40});
    REQUIRE(texts(again, "s1") == List{"q1", "a1", "q2", "a2"});
}

TEST_CASE("the cache holds no more sessions than it may, and the database has the rest")
{
    store::Database database = store::Database::open(":memory:").value();
    store::MemoryRepository repository(database, {});
    Memory memory(repository, {.sessions_cached_max = 2, .turns_max = 40});
    for (int i = 0; i < 6; ++i) {
        const std::string id = "s" + std::to_string(i);
        texts(memory, id);
        memory.remember(id, exchange(i));
    }
    for (int i = 0; i < 6; ++i) REQUIRE(texts(memory, "s" + std::to_string(i)) == List{"q" + std::to_string(i), "a" + std::to_string(i)});
}

TEST_CASE("what is forgotten is gone, and was there only once")
{
    store::Database database = store::Database::open(":memory:").value();
    store::MemoryRepository repository(database, {});
    Memory memory(repository, {});
    memory.remember("s1", exchange(1));
    bool first = false, second = true;
    run_coroutine([&]() -> awaitable<void> {
        auto once = co_await memory.forget("s1", 2s);
        first = once.value();
        auto twice = co_await memory.forget("s1", 2s);
        second = twice.value();
    }());
    REQUIRE(first);
    REQUIRE_FALSE(second);
    REQUIRE(texts(memory, "s1").empty());
}

TEST_CASE("another kind of session is none of voice chat")
{
    store::Database database = store::Database::open(":memory:").value();
    store::MemoryRepository repository(database, {});
    repository.append("intv_1", "interview", exchange(1));
    Memory memory(repository, {});
    REQUIRE(texts(memory, "intv_1").empty());
}

TEST_CASE("a memory that was stopped hands nothing over any more, and who waits goes on without")
{
    store::Database database = store::Database::open(":memory:").value();
    store::MemoryRepository repository(database, {});
    Memory memory(repository, {});
    memory.stop();
    bool empty = false;
    run_coroutine([&]() -> awaitable<void> {
        const auto turns = co_await memory.recall("s1", 30ms);
        empty = turns.value().empty();
    }());
    REQUIRE(empty);
}
