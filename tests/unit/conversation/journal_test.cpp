#include "repartee/conversation/journal.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace repartee;
using conversation::Journal;

namespace {

constexpr Instant start{std::chrono::hours(1)};

std::string event(int number) { return R"({"type":"x","event_id":"e)" + std::to_string(number) + R"(","of":{"event_id":"e0"}})"; }

std::vector<std::string> texts(const Journal::Taken& taken)
{
    std::vector<std::string> out;
    for (const auto& entry : taken.entries) out.push_back(entry.text);
    return out;
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("a journal gives back what left behind an event, and forgets it")
{
    Journal journal(10, 10'000);
    for (int i = 1; i <= 5; ++i) CHECK(journal.add(event(i), start, 0) == event(i));
    CHECK(texts(journal.take_behind("e3")) == Strings{event(4), event(5)});
    CHECK(journal.size() == 3);
    CHECK(journal.take_behind("e3").entries.empty());
    const auto all = journal.take_behind("e0");  // quoted by others, but none of them
    CHECK(texts(all) == Strings{event(1), event(2), event(3)});
    CHECK(all.fallen_out == 0);
    CHECK(journal.size() == 0);
    CHECK(journal.bytes() == 0);
}

TEST_CASE("a journal is bounded by count, and counts what fell out when that may have been missed")
{
    Journal journal(3, 10'000);
    for (int i = 1; i <= 8; ++i) journal.add(event(i), start, 0);
    CHECK(journal.size() == 3);
    SECTION("the client has the newest that fell out, for all that is known")
    {
        const auto taken = journal.take_behind("e5");
        CHECK(texts(taken) == Strings{event(6), event(7), event(8)});
        CHECK(taken.fallen_out == 5);
        CHECK(journal.take_behind("e5").fallen_out == 0);
    }
    SECTION("what it has is still here: nothing is missing")
    {
        const auto taken = journal.take_behind("e7");
        CHECK(texts(taken) == Strings{event(8)});
        CHECK(taken.fallen_out == 0);
    }
}

TEST_CASE("a journal is bounded by bytes, but the newest event stays, however large")
{
    Journal journal(100, 200);
    for (int i = 1; i <= 9; ++i) journal.add(event(i), start, 0);
    CHECK(journal.bytes() <= 200);
    CHECK(journal.size() == 200 / event(1).size());
    const std::string large(1'000, 'x');
    CHECK(journal.add(large, start, 0) == large);
    CHECK(journal.size() == 1);
    journal.add(event(1), start, 0);
    CHECK(journal.size() == 1);
    CHECK(journal.bytes() == event(1).size());
}

TEST_CASE("a journal gives back what left lately")
{
    Journal journal(100, 10'000);
    for (int i = 1; i <= 9; ++i) journal.add(event(i), start + milliseconds(100 * i), 7);
    const auto taken = journal.take_since(start + milliseconds(800));
    CHECK(texts(taken) == Strings{event(8), event(9)});
    CHECK(taken.entries.front().item == 7);
    CHECK(journal.size() == 7);
}

TEST_CASE("what is no JSON is kept, and is nobody's event")
{
    Journal journal(100, 10'000);
    journal.add("e1 {", start, 0);
    CHECK(journal.take_behind("e1").entries.size() == 1);
    CHECK(journal.take_behind("").entries.empty());
}
