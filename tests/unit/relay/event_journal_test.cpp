#include "relay/event_journal.hpp"

#include <catch2/catch.hpp>

#include <utility>

using namespace repartee;
using namespace std::chrono_literals;
using relay::EventJournal;

namespace {

std::string event(int number, std::size_t padding = 0)
{
    const std::string id = "event_" + std::to_string(number);
    return R"({"type":"response.output_audio.delta","event_id":")" + id + R"(","delta":")" + std::string(padding, 'A') + "\"}";
}

std::string numbers(const EventJournal::Again& again)
{
    std::string text;
    for (const std::string_view each : again.events) {
        const auto at = each.find(":\"event_") + 8;
        text += std::string(each.substr(at, each.find('"', at) - at)) + " ";
    }
    return text;
}

const Instant start = Instant(1'000s);

}  // namespace

TEST_CASE("a client that tells what it saw last gets what lies behind it")
{
    EventJournal journal(100'000);
    for (int i = 1; i <= 5; ++i) journal.add(event(i), i <= 3, start + 1s * i);
    const auto again = journal.again("event_2", start + 4s, start + 9s);
    REQUIRE(numbers(again) == "3 4 5 ");
    REQUIRE(again.lost == 0);

    // It was lost again at once: the same is still there.
    REQUIRE(numbers(journal.again("event_3", start + 9s, start + 10s)) == "4 5 ");
    REQUIRE(numbers(journal.again("event_5", start + 9s, start + 10s)).empty());
    REQUIRE(journal.empty());
}

TEST_CASE("an id that is a part of another, or stands elsewhere in an event, is not taken for it")
{
    EventJournal journal(100'000);
    journal.add(event(1), true, start);
    journal.add(R"({"type":"error","event_id":"event_2","error":{"event_id":"event_1"}})", true, start);
    journal.add(event(12), true, start);
    REQUIRE(numbers(journal.again("event_1", start, start)) == "2 12 ");
}

TEST_CASE("a client that tells nothing gets the last moments and what came since")
{
    EventJournal journal(100'000);
    journal.add(event(1), true, start);
    journal.add(event(2), true, start + 9s);
    journal.add(event(3), false, start + 11s);
    const auto again = journal.again(std::nullopt, start + 10s, start + 20s);
    REQUIRE(numbers(again) == "2 3 ");
    REQUIRE(again.lost == 0);
}

TEST_CASE("sent events give way to the bound, unsent ones do not, and what is lost is counted")
{
    const std::size_t padding = 1'000;
    EventJournal journal(4 * (event(1, padding).size() + 96));
    for (int i = 1; i <= 6; ++i) journal.add(event(i, padding), true, start);
    for (int i = 7; i <= 9; ++i) journal.add(event(i, padding), false, start);
    REQUIRE_FALSE(journal.is_full());
    journal.add(event(0, padding), false, start);
    REQUIRE(journal.is_full());
    using Case = std::pair<const char*, std::size_t>;
    const auto [last_event_id, lost] = GENERATE(Case("event_unknown", 6), Case("event_6", 0), Case("event_4", 2));
    const auto again = journal.again(last_event_id, start, start + 1s);
    REQUIRE(numbers(again) == "7 8 9 0 ");
    REQUIRE(again.lost == lost);
    REQUIRE_FALSE(journal.is_full());
}

TEST_CASE("what has arrived is let go after a moment")
{
    EventJournal journal(100'000);
    journal.add(event(1, 1'000), true, start);
    journal.add(event(2, 1'000), true, start);
    journal.add(event(3, 1'000), true, start + 3s);
    SECTION("all of it")
    {
        journal.on_acknowledged_but(0, start + 1s);
        journal.on_acknowledged_but(0, start + 3s);
        REQUIRE(numbers(journal.again("event_unknown", start + 3s, start + 3s)) == "3 ");
        journal.on_acknowledged_but(0, start + 6s);
        REQUIRE(journal.empty());
    }
    SECTION("not what is on the way")
    {
        journal.on_acknowledged_but(1'500, start + 9s);
        REQUIRE(numbers(journal.again("event_unknown", start + 9s, start + 9s)) == "2 3 ");
    }
    SECTION("never what was not sent")
    {
        journal.add(event(4), false, start + 3s);
        journal.on_acknowledged_but(0, start + 60s);
        REQUIRE(numbers(journal.again("event_unknown", start + 60s, start + 60s)) == "4 ");
    }
}
