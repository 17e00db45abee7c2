#include "repartee/conversation/turn_taking.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <ostream>
#include <random>
#include <string>
#include <vector>

using namespace repartee;
using conversation::TurnTaking;
using conversation::TurnTakingSettings;
using conversation::VoiceService;
using Step = TurnTaking::Step;
using Reply = TurnTaking::Reply;

namespace {

const Instant start{std::chrono::hours(1)};
Instant at(std::int64_t ms) { return start + milliseconds(ms); }

/// What happens, and when. `reply` says what the character does from then on.
struct Event {
    std::int64_t ms;
    enum class Kind { begins, stops, says, failed, reply, tick, lost, cancelled, next_reply } kind;
    std::string item{};
    std::string text{};      ///< says
    std::int64_t speech_ms = 0;
    Reply reply = Reply::speaking;
};
using Kind = Event::Kind;

Event begins(std::int64_t ms, std::string item) { return {ms, Kind::begins, std::move(item)}; }
Event stops(std::int64_t ms, std::string item, std::int64_t speech_ms) { return {ms, Kind::stops, std::move(item), "", speech_ms}; }
Event says(std::int64_t ms, std::string item, std::string text) { return {ms, Kind::says, std::move(item), std::move(text)}; }
Event becomes(std::int64_t ms, Reply reply) { return {ms, Kind::reply, "", "", 0, reply}; }

struct Expected {
    std::int64_t ms;
    Step step;
    std::string item{};
    bool operator==(const Expected&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Expected& e) { return out << e.ms << " ms: step " << static_cast<int>(e.step) << " " << e.item; }

/// Runs a table to its end and beyond, waking up when it is asked for. The reply's first sound is at 0.
std::vector<Expected> run(TurnTaking& turns, const std::vector<Event>& events, std::int64_t end_ms = 20'000, bool quiet = false)
{
    std::vector<Expected> seen;
    Reply reply = Reply::speaking;
    const auto note = [&](std::int64_t ms, const TurnTaking::Decision& d) {
        if (d.step != Step::nothing) seen.push_back({ms, d.step, d.item_id});
        if (d.step == Step::cut) reply = Reply::none;
        return d.step != Step::nothing;
    };
    std::int64_t now = 0;
    const auto wake_until = [&](std::int64_t until) {
        for (int i = 0; i < 1'000; ++i) {
            const auto wake = turns.wake_at();
            if (!wake || *wake > at(until)) break;
            now = std::max(now, std::chrono::duration_cast<milliseconds>(*wake - start).count());
            while (note(now, turns.on_tick(at(now), reply, quiet))) {}
        }
        now = until;
    };
    for (const Event& e : events) {
        wake_until(e.ms);
        switch (e.kind) {
            case Kind::begins: note(now, turns.on_speech_started(e.item, at(now), reply, at(0))); break;
            case Kind::stops: note(now, turns.on_speech_stopped(e.item, e.speech_ms, at(now), reply)); break;
            case Kind::says: note(now, turns.on_transcript(e.item, e.text, at(now), reply)); break;
            case Kind::failed: note(now, turns.on_transcript_failed(e.item, at(now), reply)); break;
            case Kind::reply: reply = e.reply; break;
            case Kind::lost: turns.on_upstream_lost(at(now)); break;
            case Kind::cancelled: turns.on_reply_ended(); break;
            case Kind::next_reply: turns.on_next_reply(); break;
            case Kind::tick: break;
        }
        while (note(now, turns.on_tick(at(now), reply, quiet))) {}
    }
    wake_until(end_ms);
    while (note(now, turns.on_tick(at(now), reply, quiet))) {}
    return seen;
}

struct Row {
    const char* what;
    std::vector<Event> events;
    std::vector<Expected> expected;
    VoiceService service{};
};

void check(const TurnTakingSettings& settings, const std::vector<Row>& rows)
{
    for (const Row& row : rows) {
        INFO(row.what);
        TurnTaking turns(settings);
        turns.set_service(row.service);
        CHECK(run(turns, row.events) == row.expected);
        CHECK_FALSE(turns.is_suspended());
    }
}

const VoiceService silent{.transcribes = false};

}  // namespace

TEST_CASE("with nothing switched on a voice cuts at once, as the service does")
{
    TurnTaking turns{{}};
    CHECK_FALSE(turns.decides());
    CHECK(run(turns, {begins(3'000, "u"), stops(3'500, "u", 200)}) == std::vector<Expected>{{3'000, Step::cut, "u"}});
    TurnTaking obedient{{.backchannel_max = milliseconds(600)}};
    CHECK(obedient.decides());
    obedient.set_service({.interrupts = false});
    CHECK_FALSE(obedient.decides());
    CHECK(run(obedient, {begins(3'000, "u"), stops(6'000, "u", 2'500)}).empty());
}

TEST_CASE("backchannels do not stop a character")
{
    check({.backchannel_max = milliseconds(600)},
          {
              {"응", {begins(3'000, "u"), stops(3'800, "u", 250), says(4'200, "u", "응.")}, {{4'200, Step::drop_turn, "u"}}},
              {"a cough", {begins(3'000, "u"), stops(3'800, "u", 250), says(4'200, "u", "")}, {{4'200, Step::drop_turn, "u"}}},
              {"a short stop", {begins(3'000, "u"), stops(3'800, "u", 300), says(4'100, "u", "그만!")}, {{4'100, Step::cut, "u"}}},
              {"a short question", {begins(3'000, "u"), stops(3'800, "u", 300), says(4'100, "u", "왜?")}, {{4'100, Step::cut, "u"}}},
              {"a sentence: cut as soon as it cannot be a backchannel", {begins(3'000, "u"), stops(6'500, "u", 3'000)}, {{4'100, Step::cut, "u"}}},
              {"its length alone says so", {begins(3'000, "u"), stops(4'050, "u", 600)}, {{4'050, Step::cut, "u"}}},
              {"the transcript never comes", {begins(3'000, "u"), stops(3'800, "u", 250)}, {{5'300, Step::drop_turn, "u"}}},
              {"the transcript fails", {begins(3'000, "u"), stops(3'800, "u", 250), {3'900, Kind::failed, "u"}}, {{3'900, Step::drop_turn, "u"}}},
              {"nobody transcribes", {begins(3'000, "u"), stops(3'800, "u", 250)}, {{3'800, Step::drop_turn, "u"}}, silent},
              {"the transcript comes first", {begins(3'000, "u"), says(3'300, "u", "네네"), stops(3'800, "u", 250)}, {{3'800, Step::drop_turn, "u"}}},
              {"and is a stop", {begins(3'000, "u"), says(3'300, "u", "잠깐만"), stops(3'800, "u", 250)}, {{3'300, Step::cut, "u"}}},
              {"ids that come late", {begins(3'000, ""), stops(3'800, "u", 250), says(4'000, "u", "응")}, {{4'000, Step::drop_turn, "u"}}},
              {"or never", {begins(3'000, ""), stops(3'800, "", 250), says(4'000, "", "응")}, {{4'000, Step::drop_turn, ""}}},
              {"a late transcript of an earlier turn says nothing about this one",
               {begins(3'000, "u"), says(3'200, "t", "그만 이야기하고 가자"), stops(3'800, "u", 250), says(4'000, "u", "네")},
               {{4'000, Step::drop_turn, "u"}}},
              {"two in a row",
               {begins(3'000, "u"), stops(3'800, "u", 250), begins(4'000, "v"), says(4'300, "u", "응"), stops(4'700, "v", 200),
                says(5'000, "v", "네")},
               {{4'300, Step::drop_turn, "u"}, {5'000, Step::drop_turn, "v"}}},
              {"a backchannel, then a sentence",
               {begins(3'000, "u"), stops(3'800, "u", 250), begins(4'000, "v"), says(4'300, "u", "응"), stops(7'000, "v", 2'500)},
               {{4'300, Step::drop_turn, "u"}, {5'100, Step::cut, "v"}}},
              {"yes to the end of a reply is an answer",
               {begins(3'000, "u"), becomes(3'300, Reply::none), stops(3'800, "u", 250), says(4'200, "u", "네")},
               {}},
              {"even when its own answer is heard already",
               {begins(3'000, "u"), becomes(3'300, Reply::none), stops(3'800, "u", 250), becomes(3'900, Reply::speaking),
                says(4'200, "u", "왜?")},
               {}},
              {"without a silence between",
               {begins(3'000, "u"), stops(3'800, "u", 250), {3'900, Kind::next_reply}, says(4'200, "u", "네")},
               {}},
              {"a reply that stops for breath goes on",
               {begins(3'000, "u"), stops(3'800, "u", 250), becomes(3'900, Reply::thinking), says(4'200, "u", "네")},
               {{4'200, Step::drop_turn, "u"}}},
              {"a cough to the end of a reply is none",
               {begins(3'000, "u"), becomes(3'300, Reply::none), stops(3'800, "u", 250), says(4'200, "u", "[cough]")},
               {{4'200, Step::drop_turn, "u"}}},
              {"while the character thinks every voice cuts",
               {becomes(2'000, Reply::thinking), begins(3'000, "u"), stops(3'800, "u", 250), says(4'200, "u", "음")},
               {{3'000, Step::cut, "u"}}},
              {"nobody spoke", {becomes(2'000, Reply::none), begins(3'000, "u"), stops(3'800, "u", 250), says(4'200, "u", "네")}, {}},
              {"the client cancels meanwhile", {begins(3'000, "u"), {3'400, Kind::cancelled}, stops(3'800, "u", 250), says(4'200, "u", "응")}, {}},
              {"told twice", {begins(3'000, "u"), begins(3'010, "u"), stops(3'800, "u", 250), stops(3'810, "u", 250), says(4'200, "u", "응"),
                              says(4'210, "u", "응")},
               {{4'200, Step::drop_turn, "u"}}},
              {"lost while speaking", {begins(3'000, "u"), {3'200, Kind::lost}}, {}},
          });
}

TEST_CASE("an echo in a reply's first moments does not stop it")
{
    check({.echo_guard = milliseconds(700)},
          {
              {"an echo", {begins(200, "u"), stops(1'000, "u", 300), says(1'300, "u", "안녕하세요 저는")}, {{1'300, Step::drop_turn, "u"}}},
              {"a real stop", {begins(200, "u"), stops(1'000, "u", 300), says(1'300, "u", "Stop!")}, {{1'300, Step::cut, "u"}}},
              {"it lasts", {begins(200, "u"), stops(3'000, "u", 2'300)}, {{1'400, Step::cut, "u"}}},
              {"its length says so", {begins(200, "u"), stops(1'390, "u", 700)}, {{1'390, Step::cut, "u"}}},
              {"the first one later", {begins(700, "u"), stops(1'500, "u", 300)}, {{700, Step::cut, "u"}}},
              {"an echo of a reply so short that it is over", {begins(200, "u"), becomes(600, Reply::none), stops(1'000, "u", 300)},
               {{1'000, Step::drop_turn, "u"}}, silent},
          });
}

TEST_CASE("after a false interruption the character goes on")
{
    check({.go_on_after_false_interruption = true},
          {
              {"a cough", {begins(3'000, "u"), stops(3'800, "u", 250), says(4'200, "u", " ")}, {{3'000, Step::suspend}, {4'200, Step::go_on, "u"}}},
              {"a backchannel", {begins(3'000, "u"), stops(3'800, "u", 250), says(4'200, "u", "음음")},
               {{3'000, Step::suspend}, {4'200, Step::go_on, "u"}}},
              {"words", {begins(3'000, "u"), stops(3'800, "u", 250), says(4'200, "u", "왜?")}, {{3'000, Step::suspend}, {4'200, Step::cut, "u"}}},
              {"a sentence", {begins(3'000, "u"), stops(6'500, "u", 3'000)}, {{3'000, Step::suspend}, {4'100, Step::cut, "u"}}},
              {"no transcript", {begins(3'000, "u"), stops(3'800, "u", 250)}, {{3'000, Step::suspend}, {5'300, Step::go_on, "u"}}},
              {"nobody transcribes", {begins(3'000, "u"), stops(3'800, "u", 250)}, {{3'000, Step::suspend}, {3'800, Step::go_on, "u"}}, silent},
              {"two coughs", {begins(3'000, "u"), stops(3'800, "u", 250), begins(4'000, "v"), says(4'300, "u", ""), stops(4'800, "v", 250),
                              says(5'000, "v", "")},
               {{3'000, Step::suspend}, {4'300, Step::drop_turn, "u"}, {5'000, Step::go_on, "v"}}},
              {"lost in between", {begins(3'000, "u"), {3'200, Kind::lost}}, {{3'000, Step::suspend}, {4'700, Step::go_on, ""}}},
              {"lost, and the new service hears the rest", {begins(3'000, "u"), {3'200, Kind::lost}, begins(3'400, "v"), stops(6'000, "v", 2'500)},
               {{3'000, Step::suspend}, {4'500, Step::cut, "v"}}},
              {"lost in the middle of a sentence", {begins(3'000, "u"), {3'900, Kind::lost}}, {{3'000, Step::suspend}, {5'400, Step::cut, ""}}},
          });
    check({.echo_guard = milliseconds(700), .go_on_after_false_interruption = true},
          {
              {"an echo that ends within the guard", {begins(100, "u"), stops(650, "u", 50), says(900, "u", "안녕")}, {{900, Step::drop_turn, "u"}}},
              {"one whose end is known later", {begins(100, "u"), stops(900, "u", 200), says(1'000, "u", "")},
               {{700, Step::suspend}, {1'000, Step::go_on, "u"}}},
          });
}

TEST_CASE("the longest turn: a warning, then its end, and again if the voice goes on")
{
    TurnTaking turns{{.turn_max = milliseconds(5'000), .warning = milliseconds(1'000)}};
    CHECK(run(turns, {becomes(0, Reply::none), begins(1'000, "u"), stops(12'500, "u", 11'000)}) ==
          std::vector<Expected>{{5'000, Step::warn_turn}, {6'000, Step::end_turn}, {10'000, Step::warn_turn}, {11'000, Step::end_turn}});
    CHECK(run(turns, {becomes(1'000, Reply::none), begins(1'000, "v"), stops(4'900, "v", 3'000)}).empty());
    turns.on_speech_started("w", at(0), Reply::none);
    CHECK(turns.turn_left(at(4'000)) == milliseconds(1'000));
    CHECK(turns.turn_left(at(9'000)) == milliseconds(0));
}

TEST_CASE("a silence is broken so many times in a row")
{
    const TurnTakingSettings settings{.idle_prompt = milliseconds(4'000), .idle_prompts_max = 2};
    TurnTaking turns{settings};
    CHECK(run(turns, {becomes(0, Reply::none), {1'000, Kind::tick}}, 60'000, true) ==
          std::vector<Expected>{{4'000, Step::prompt_idle}, {8'000, Step::prompt_idle}});
    CHECK_FALSE(turns.wake_at());
    // A noise is no word; a word is.
    turns.on_speech_started("u", at(60'000), Reply::none);
    turns.on_speech_stopped("u", 200, at(60'800), Reply::none);
    turns.on_transcript("u", "[noise]", at(61'000), Reply::none);
    CHECK(turns.on_tick(at(61'000), Reply::none, true).step == Step::nothing);
    CHECK(turns.on_tick(at(70'000), Reply::none, true).step == Step::nothing);
    turns.on_transcript("u", "안녕", at(70'000), Reply::none);
    CHECK(turns.on_tick(at(70'000), Reply::none, true).step == Step::prompt_idle);
    turns.on_user_active(at(71'000));
    CHECK(turns.on_tick(at(74'900), Reply::none, true).step == Step::nothing);
    CHECK(turns.on_tick(at(74'950), Reply::none, false).step == Step::nothing);
    CHECK(turns.on_tick(at(75'000), Reply::none, true).step == Step::nothing);
    CHECK(turns.wake_at() == at(79'000));
    CHECK(turns.on_tick(at(79'000), Reply::none, true).step == Step::prompt_idle);
}

TEST_CASE("whatever the order, a suspended reply is soon cut or goes on, and no turn is dropped twice")
{
    std::mt19937 random(7);
    const auto any = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    const std::vector<std::string> texts{"", "응", "그만", "내일 뭐 해?", "mm-hm", "[cough]"};
    for (int round = 0; round < 3'000; ++round) {
        TurnTakingSettings settings{.echo_guard = milliseconds(any(2) * 600), .backchannel_max = milliseconds(any(2) * 700),
            .go_on_after_false_interruption = any(2) == 1,
                                    .idle_prompt = milliseconds(any(2) * 5'000)};
        TurnTaking turns(settings);
        turns.set_service({.transcribes = any(3) != 0, .interrupts = any(5) != 0});
        INFO("round " << round);
        std::int64_t now = 0;
        std::optional<std::int64_t> suspended_at;
        std::vector<std::string> dropped;
        Reply reply = Reply::speaking;
        const auto note = [&](const TurnTaking::Decision& d) {
            if (d.step == Step::suspend) {
                REQUIRE_FALSE(suspended_at);
                suspended_at = now;
            }
            if (d.step == Step::cut || d.step == Step::go_on) {
                REQUIRE((suspended_at || d.step == Step::cut));
                suspended_at.reset();
                if (d.step == Step::cut) reply = Reply::none;
            }
            if ((d.step == Step::drop_turn || d.step == Step::go_on) && !d.item_id.empty()) {
                REQUIRE(std::find(dropped.begin(), dropped.end(), d.item_id) == dropped.end());
                dropped.push_back(d.item_id);
            }
            REQUIRE(turns.is_suspended() == suspended_at.has_value());
            return d.step != Step::nothing;
        };
        int item = 0;
        for (int i = 0; i < 60; ++i) {
            now += any(500);
            const std::string id = any(10) == 0 ? "" : "u" + std::to_string(std::max(0, item - any(2)));
            switch (any(8)) {
                case 0: note(turns.on_speech_started("u" + std::to_string(++item), at(now), reply, at(0))); break;
                case 1: note(turns.on_speech_stopped(id, any(900), at(now), reply)); break;
                case 2: note(turns.on_transcript(id, texts[static_cast<std::size_t>(any(6))], at(now), reply)); break;
                case 3: note(turns.on_transcript_failed(id, at(now), reply)); break;
                case 4:
                    if (!suspended_at) reply = static_cast<Reply>(any(3));
                    break;
                case 5:
                    if (any(10) == 0) turns.on_upstream_lost(at(now));
                    break;
                default: break;
            }
            while (note(turns.on_tick(at(now), reply, reply == Reply::none))) {}
            if (const auto wake = turns.wake_at()) REQUIRE(*wake > at(now));
        }
        now += 10'000;
        while (note(turns.on_tick(at(now), reply, false))) {}
        CHECK_FALSE(turns.is_suspended());
    }
}
