#include "repartee/audio/pcm.hpp"
#include "repartee/conversation/user_turns.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using conversation::UserTurns;

namespace {

using Items = std::vector<std::string>;
constexpr std::size_t idle_bytes = audio::bytes_of_ms(300, audio::realtime_hz);

constexpr std::uint64_t at_ms(std::int64_t ms) { return audio::bytes_of_ms(ms, audio::realtime_hz); }

/// Turns that are heard by silence, with times for places.
struct Turns {
    explicit Turns(bool transcribes = true) : turns({.idle_bytes = idle_bytes, .transcribes = transcribes}) {}

    void say(const std::string& item, std::int64_t from_ms, std::int64_t to_ms)
    {
        CHECK(turns.on_started(item, at_ms(from_ms), from_ms));
        CHECK(turns.on_stopped(item, at_ms(to_ms)));
        CHECK(turns.on_committed(item, {0, at_ms(to_ms)}, false));
    }
    void answer(const std::string& response)
    {
        turns.on_response(response);
        turns.on_answered(response);
    }
    UserTurns::Again lose(std::int64_t sent_ms) { return turns.on_upstream_lost({0, at_ms(sent_ms)}); }

    UserTurns turns;
};

}  // namespace

TEST_CASE("a turn whose words are known is not said again")
{
    Turns t;
    t.say("a", 1'000, 2'000);
    CHECK(t.turns.keep_from() == at_ms(1'000));
    t.turns.on_words_known("a");
    CHECK_FALSE(t.turns.keep_from());
    const auto again = t.lose(2'100);
    CHECK(again.items == Items{});
    CHECK(again.from == at_ms(2'000));  // not into the turn, though 300 ms are kept anyhow
}

TEST_CASE("what nobody spoke in is sent again as far as it is kept anyhow")
{
    Turns t;
    CHECK(t.lose(5'000).from == at_ms(4'700));
    CHECK(t.lose(100).from == 0);
}

TEST_CASE("a turn without words and without an answer is said again whole, once, and stands there no more")
{
    Turns t;
    t.say("a", 1'000, 2'000);
    auto again = t.lose(2'500);
    CHECK(again.from == at_ms(1'000));
    CHECK(again.items == Items{"a"});

    SECTION("also when the next service is lost before it has heard it")
    {
        CHECK(t.turns.keep_from() == at_ms(1'000));
        again = t.lose(2'600);
        CHECK(again.from == at_ms(1'000));
        CHECK(again.items == Items{});
    }
    SECTION("or while it hears it")
    {
        CHECK(t.turns.on_started("b", at_ms(1'000), 0));
        again = t.lose(2'600);
        CHECK(again.from == at_ms(1'000));
        CHECK(again.items == Items{});
    }
    SECTION("no more when the next one has understood")
    {
        t.say("b", 1'000, 2'000);
        t.turns.on_words_known("b");
        // What came behind it may still hold a voice; not for ever.
        CHECK(t.turns.keep_from() == at_ms(2'000));
        Instant now{std::chrono::hours(1)};
        CHECK_FALSE(t.turns.on_leaving(at_ms(2'500), at_ms(20), now));
        CHECK(t.turns.on_leaving(at_ms(2'520), at_ms(20), now + milliseconds(5'020)));
        CHECK_FALSE(t.turns.keep_from());
        const auto last = t.lose(8'000);
        CHECK(last.from == at_ms(7'700));
        CHECK(last.items == Items{});
    }
}

TEST_CASE("what is said while a turn waits for its words is said again behind it")
{
    Turns t;
    t.say("a", 1'000, 2'000);
    t.turns.on_started("b", at_ms(2'500), 2'500);
    CHECK(t.turns.is_speaking());

    SECTION("without an answer: both")
    {
        const auto again = t.lose(3'000);
        CHECK(again.from == at_ms(1'000));
        CHECK(again.items == Items{"a"});
        // The next one hears the first of them, and is lost.
        t.say("c", 1'000, 2'000);
        t.turns.on_words_known("c");
        CHECK(t.lose(3'100).from == at_ms(2'000));
    }
    SECTION("answered: the first is told as sound, the second is said again")
    {
        t.answer("r");
        const auto again = t.lose(3'000);
        CHECK(again.from == at_ms(2'500));
        CHECK(again.items == Items{});
        REQUIRE(t.turns.place_of("a"));
        CHECK(t.turns.place_of("a")->from == at_ms(1'000));
        CHECK(t.turns.place_of("a")->to == at_ms(2'000));
    }
    SECTION("its words come meanwhile: only the second")
    {
        t.turns.on_words_known("a");
        CHECK(t.lose(3'000).from == at_ms(2'500));
        CHECK_FALSE(t.turns.place_of("a"));
    }
}

TEST_CASE("words that come in another order settle in order")
{
    Turns t;
    t.say("a", 1'000, 2'000);
    t.say("b", 3'000, 4'000);
    t.turns.on_words_known("b");
    CHECK(t.turns.keep_from() == at_ms(1'000));
    SECTION("both known")
    {
        t.turns.on_words_known("a");
        CHECK_FALSE(t.turns.keep_from());
    }
    SECTION("the older one is said again: the newer one comes behind it")
    {
        CHECK(t.lose(4'100).items == Items{"a", "b"});
    }
}

TEST_CASE("an answer of which nothing counts leaves its turn unanswered, another's does not")
{
    Turns t;
    t.say("a", 1'000, 2'000);
    t.answer("r1");
    t.turns.on_response("r2");
    SECTION("its own")
    {
        t.turns.on_answer_dropped("r1");
        CHECK(t.lose(2'100).items == Items{"a"});
    }
    SECTION("another's")
    {
        t.turns.on_answer_dropped("r2");
        CHECK(t.lose(2'100).items == Items{});
    }
}

TEST_CASE("without transcription an answer settles a turn, and nothing is kept of it")
{
    Turns t(false);
    t.say("a", 1'000, 2'000);
    CHECK(t.turns.keep_from());
    t.answer("r");
    CHECK_FALSE(t.turns.keep_from());
}

TEST_CASE("an event that comes again changes nothing")
{
    Turns t;
    t.say("a", 1'000, 2'000);
    CHECK_FALSE(t.turns.on_started("a", at_ms(1'000), 1'000));
    CHECK_FALSE(t.turns.on_stopped("a", at_ms(2'000)));
    CHECK_FALSE(t.turns.on_committed("a", {0, at_ms(2'500)}, false));
    CHECK(t.turns.was_committed("a"));
    CHECK(t.lose(2'100).items == Items{"a"});
}

TEST_CASE("a turn's padding does not reach into the one before")
{
    Turns t;
    t.say("a", 1'000, 2'000);
    t.turns.on_words_known("a");
    t.turns.on_started("b", at_ms(1'800), 1'800);
    CHECK(t.lose(2'200).from == at_ms(2'000));
}

TEST_CASE("push-to-talk: commits leave again with their turns, until the words are known")
{
    Turns t;
    t.turns.ends_by_commits(true);
    CHECK(t.turns.keep_from() == 0u);
    t.turns.on_committed("a", {0, at_ms(2'000)}, true);
    t.turns.on_committed("b", {0, at_ms(4'000)}, true);
    CHECK(t.turns.open_commits() == 2);
    CHECK(t.turns.keep_from() == 0u);

    SECTION("known")
    {
        t.turns.on_words_known("a");
        CHECK(t.turns.take_settled_commits() == 1);
        CHECK(t.turns.take_settled_commits() == 0);
        CHECK(t.turns.keep_from() == at_ms(2'000));
        const auto again = t.lose(5'000);
        CHECK(again.from == at_ms(2'000));
        CHECK(again.items == Items{"b"});
        CHECK(t.turns.take_settled_commits() == 0);
    }
    SECTION("answered: told as sound, so its commit leaves no more")
    {
        t.turns.on_response("r");
        t.turns.on_answered("r");
        CHECK(t.turns.take_settled_commits() == 0);
        const auto again = t.lose(5'000);
        CHECK(again.items == Items{});
        CHECK(again.from == at_ms(4'000));  // what was said since the last commit belongs to the next one
        CHECK(t.turns.take_settled_commits() == 2);
        REQUIRE(t.turns.place_of("b"));
        CHECK(t.turns.place_of("b")->from == at_ms(2'000));
    }
}

TEST_CASE("what leaves faster than it is spoken is kept for a while, a steady stream is not")
{
    Turns t;
    Instant now{std::chrono::hours(1)};
    std::uint64_t position = 0;
    for (int frame = 0; frame < 200; ++frame) {
        CHECK_FALSE(t.turns.on_leaving(position, at_ms(20), now));
        position += at_ms(20);
        now += milliseconds(20);
    }
    CHECK_FALSE(t.turns.keep_from());
    CHECK(t.turns.on_leaving(position, at_ms(700), now));
    REQUIRE(t.turns.keep_from());
    CHECK(*t.turns.keep_from() <= position);
    CHECK(t.lose(static_cast<std::int64_t>(200 * 20 + 700)).from <= position);
    CHECK_FALSE(t.turns.keep_from());
}

TEST_CASE("turns that nobody ever understands are bounded")
{
    Turns t;
    for (int turn = 0; turn < 100; ++turn) t.say("item_" + std::to_string(turn), turn * 1'000, turn * 1'000 + 500);
    CHECK(t.lose(100'000).items.size() == 8);
}
