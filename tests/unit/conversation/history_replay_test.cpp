#include "conversation/history_text.hpp"
#include "history_script.hpp"
#include "repartee/realtime/client_event.hpp"
#include "repartee/realtime/item.hpp"

#include <algorithm>

using namespace test;
using conversation::HistorySettings;
using conversation::leading_words;

namespace {

using Script = std::vector<std::string>;

std::string note_of(const History& history)
{
    const auto replay = history.replay();
    if (replay.item_ids.empty() || replay.item_ids.front() != "item_repartee_note") return {};
    const auto event = json::parse_object(replay.events.front());
    return realtime::item_text(*json::find_object(*event, "item"));
}

}  // namespace

TEST_CASE("leading words are whole words within their share of the time")
{
    struct Row {
        std::string_view text;
        double share;
        std::string_view expected;
    };
    const std::vector<Row> rows = {
        {"one two three four", 0, ""},
        {"one two three four", 0.16, ""},
        {"one two three four", 0.17, "one"},
        {"one two three four", 0.5, "one two"},
        {"one two three four", 0.99, "one two three"},
        {"one two three four", 1, "one two three four"},
        {"one two three four", 7, "one two three four"},
        {"one two three four", -1, ""},
        {"  one\n two", 0.75, "  one"},
        {"오늘은 날씨가 좋네요.", 0.34, "오늘은"},
        {"오늘은 날씨가 좋네요.", 0.29, ""},
        {"오늘은 날씨가 좋네요.", 0.66, "오늘은 날씨가"},
        {"今日はいい天気ですね", 0.5, "今日はいい"},
        {"今日は good day", 0.5, "今日は"},
        {"สวัสดี", 0.5, "สวั"},
        {"안녕 😀 친구", 0.5, "안녕 😀"},
        {"café à la crème", 0.5, "café à"},
        {"Ja.", 0.9, ""},
        {"", 0.5, ""},
        {"   ", 0.5, ""},
        {"😀😀", 0.5, ""},
    };
    for (const Row& row : rows) {
        INFO(row.text << " " << row.share);
        CHECK(leading_words(row.text, row.share) == row.expected);
    }
}

TEST_CASE("of a reply that was cut off only what was heard is told")
{
    // 18 letters; at 16 letters a second they take 1125 ms.
    struct Row {
        std::string name;
        Script script;
        std::string heard;
        bool told = true;
    };
    const std::vector<Row> rows = {
        {"not reported", {"item A1 completed : one two three four"}, "one two three four"},
        {"heard whole", {"item A1 completed : one two three four", "heard A1 2000 2000"}, "one two three four"},
        {"heard whole, faster than any guess", {"delta A1 one two three four", "heard A1 300 300"}, "one two three four"},
        {"cut in the middle", {"item A1 completed : one two three four", "cut A1 1000 2000"}, "one two"},
        {"cut at the end", {"item A1 completed : one two three four", "cut A1 2000 2000"}, "one two three four"},
        {"cut, and more than came", {"item A1 completed : one two three four", "cut A1 9000 2000"}, "one two three four"},
        {"cut before the first word", {"item A1 completed : one two three four", "cut A1 100 2000"}, "", false},
        {"never heard", {"item A1 completed : one two three four", "cut A1 0 2000"}, "", false},
        {"never heard, without audio", {"item A1 completed : one two three four", "cut A1 0 0"}, "", false},
        {"the newest report counts", {"item A1 completed : one two three four", "cut A1 1000 2000", "heard A1 2000 2000"}, "one two three four"},
        // The text was ahead: 600 ms are about half of what it takes, although all the audio there was.
        {"cut while its text ran ahead", {"delta A1 one two three four", "cut A1 600 600"}, "one two"},
        {"cut while its audio ran ahead", {"delta A1 one two three four", "cut A1 600 4000"}, "", false},
        {"cut, then the service ends it", {"delta A1 one two three four", "cut A1 600 600", "whole A1 one two three four",
         "item A1 incomplete : one two three four"}, "one two"},
        {"cut, then its text goes on", {"delta A1 one two", "cut A1 600 600", "delta A1  three four five six seven"}, "one two"},
        {"broken off, then played as far as it came", {"delta A1 one two three four", "cut A1 600 600", "heard A1 601 601"}, "one two"},
        {"broken off, then cut before its end", {"delta A1 one two three four", "cut A1 600 600", "cut A1 300 600"}, "one"},
        {"held back, then gone on with", {"delta A1 one two three four", "cut A1 600 600", "heard A1 900 900"}, "one two three four"},
        {"cut, then told again and echoed", {"delta A1 one two three four", "cut A1 600 600", "item A1 completed : one two"}, "one two"},
        {"how far it got so far", {"item A1 completed : one two three four", "heard A1 1000 2000"}, "one two"},
        {"truncated by a client, its audio's length unknown", {"item A1 completed : one two three four", "cut A1 600 0"}, "one two"},
        {"말을 끊음", {"item A1 completed : 오늘은 날씨가 좋네요. 산책을 갈까요?", "cut A1 1500 3000"}, "오늘은 날씨가"},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        History history({});
        play(history, row.script);
        CHECK(history.heard_text("A1") == row.heard);
        CHECK(told(history) == (row.told ? Script{"A1 assistant: " + row.heard} : Script{}));
    }
}

TEST_CASE("how fast a voice speaks is learned from what was heard whole")
{
    const std::string eight_words = "one two six ten one two six ten";  // 31 letters: 1.9 s at the rate that is supposed, 5 s with this voice
    History history({});
    play(history, {"delta A0 " + eight_words, "cut A0 1000 1000"});
    CHECK(history.heard_text("A0") == "one two six ten");
    for (int i = 1; i <= 8; ++i) {
        const std::string id = "A" + std::to_string(i);
        play(history, {"item " + id + " completed : " + eight_words, "heard " + id + " 5000 5000"});
    }
    play(history, {"delta B1 " + eight_words, "cut B1 1000 1000"});
    CHECK(history.heard_text("B1") == "one");
}

TEST_CASE("function calls are told with their outputs")
{
    struct Row {
        std::string name;
        Script script;
        std::vector<std::string> expected;
    };
    const std::vector<Row> rows = {
        {"a pair", {"call C1 call_1 look {\"at\":\"door\"}", "output O1 call_1 open"}, {"C1 call_1 look({\"at\":\"door\"})", "O1 call_1 -> open"}},
        {"begun, then done by an event that lacks the name", {"calling C1 call_1 look", "arguments C1 {\"a\":1}", "output O1 call_1 x"},
         {"C1 call_1 look({\"a\":1})", "O1 call_1 -> x"}},
        {"without arguments", {"call C1 call_1 look", "output O1 call_1"}, {"C1 call_1 look({})", "O1 call_1 -> "}},
        {"still being written", {"typed T1 : hi", "calling C1 call_1 look {\"a\""}, {"T1 user: hi"}},
        {"its output may still come", {"typed T1 : hi", "call C1 call_1 look {}"}, {"T1 user: hi", "C1 call_1 look({})"}},
        {"its output may still come, though the user spoke", {"typed T1 : hi", "call C1 call_1 look {}", "typed T2 : and?"}, {"T1 user: hi",
         "C1 call_1 look({})", "T2 user: and?"}},
        {"its output will not come any more",
         {"typed T1 : hi", "call C1 call_1 look {}", "item A1 completed : a", "typed T2 : b", "item A2 completed : c", "typed T3 : d"},
         {"T1 user: hi", "A1 assistant: a", "T2 user: b", "A2 assistant: c", "T3 user: d"}},
        {"an output without its call", {"output O1 call_1 x", "typed T1 : hi"}, {"T1 user: hi"}},
        {"its call was deleted", {"call C1 call_1 look {}", "output O1 call_1 x", "delete C1"}, {}},
        {"two at once, answered in another order",
         {"call C1 call_1 look {}", "call C2 call_2 smell {}", "output O2 call_2 fish", "output O1 call_1 sea"},
         {"C1 call_1 look({})", "C2 call_2 smell({})", "O2 call_2 -> fish", "O1 call_1 -> sea"}},
        {"answered twice", {"call C1 call_1 look {}", "output O1 call_1 sea", "output O2 call_1 land"}, {"C1 call_1 look({})", "O1 call_1 -> sea"}},
        {"an id that was used before",
         {"call C1 call_1 look {}", "output O1 call_1 sea", "call C2 call_1 look {}", "output O2 call_1 land"},
         {"C1 call_1 look({})", "O1 call_1 -> sea", "C2 call_1 look({})", "O2 call_1 -> land"}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        History history({});
        play(history, row.script);
        CHECK(told(history) == row.expected);
    }
}

TEST_CASE("the oldest turns go until the rest fits")
{
    const std::string ten_tokens = "40 letters: 40 letters: 40 letters: ####";
    const auto turns = [&](History& history, int from, int to) {
        for (int i = from; i <= to; ++i) {
            const std::string n = std::to_string(i);
            play(history, {"typed T" + n + " : " + ten_tokens, "item A" + n + " completed : " + ten_tokens});
        }
    };
    SECTION("whole turns, with a note that counts them")
    {
        History history(HistorySettings{.replay_tokens_max = 200});
        play_line(history, "system S1 : a harbour");
        turns(history, 1, 20);
        const auto replay = history.replay();
        CHECK(replay.tokens <= 200);
        CHECK(replay.tokens > 150);
        const auto all = told(history);
        REQUIRE(all.size() % 2 == 1);
        CHECK(all[0] == "S1 system: a harbour");
        CHECK(all[1].starts_with("T"));
        CHECK(all.back().starts_with("A20 "));
        CHECK(replay.items_left_out == 41 - all.size());
        CHECK(note_of(history).ends_with(std::to_string(replay.items_left_out / 2) + " earlier turns are left out here."));
    }
    SECTION("what fits stays")
    {
        History history({});
        turns(history, 1, 20);
        CHECK(told(history).size() == 40);
        CHECK(history.replay().items_left_out == 0);
        CHECK(note_of(history).find("left out") == std::string::npos);
    }
    SECTION("the greeting is the first turn")
    {
        History history(HistorySettings{.replay_tokens_max = 120});
        play_line(history, "item A0 completed : " + ten_tokens);
        turns(history, 1, 2);
        CHECK(told(history).front().starts_with("T1"));
        CHECK(note_of(history).ends_with(" 1 earlier turn is left out here."));
    }
    SECTION("a function's call stays with its output, over the turns between")
    {
        History history(HistorySettings{.replay_tokens_max = 190});
        turns(history, 1, 4);
        play_line(history, "call C1 call_1 look {}");
        turns(history, 5, 5);
        play_line(history, "output O1 call_1 open");
        const auto all = told(history);
        CHECK(std::count(all.begin(), all.end(), "C1 call_1 look({})") == 1);
        CHECK(all.back() == "O1 call_1 -> open");
    }
    SECTION("of a last turn that is too long the user's words and the newest item stay")
    {
        History history(HistorySettings{.replay_tokens_max = 100});
        turns(history, 1, 1);
        play(history, {"typed T2 : " + ten_tokens + ten_tokens, "item A2 completed : " + ten_tokens + ten_tokens, "call C1 call_1 look {}",
         "output O1 call_1 open"});
        const auto all = told(history);
        REQUIRE(all.size() == 3);
        CHECK(all[0].starts_with("T2"));
        CHECK(all[1].starts_with("C1"));
        CHECK(all[2].starts_with("O1"));
    }
    SECTION("what was forgotten before counts")
    {
        History history(HistorySettings{.items_max = 10});
        turns(history, 1, 20);
        CHECK(history.replay().items_left_out == 30);
        CHECK(note_of(history).ends_with(" 15 earlier turns are left out here."));
    }
    SECTION("no room at all")
    {
        History history(HistorySettings{.replay_tokens_max = 0});
        turns(history, 1, 3);
        const auto all = told(history);
        REQUIRE(all.size() == 2);
        CHECK(all[0].starts_with("T3"));
        CHECK(all[1].starts_with("A3"));
    }
}

TEST_CASE("a note says that the conversation is under way, in its language, once the character has spoken")
{
    struct Row {
        Script script;
        std::string_view begins;
    };
    const std::vector<Row> rows = {
        {{}, ""},
        {{"typed T1 : hello"}, ""},
        {{"typed T1 : hello", "reply A1", "delta A1 Hi", "cut A1 0 500"}, ""},
        {{"typed T1 : hello", "item A1 completed : Hi"}, "The conversation below"},
        {{"typed T1 : hello", "item A1 completed : 안녕하세요"}, "아래 대화는"},
        {{"item A1 completed : 안녕하세요", "typed T1 : hello"}, "아래 대화는"},
        {{"typed T1 : 안녕", "item A1 completed : Hello"}, "The conversation below"},
    };
    for (const Row& row : rows) {
        History history({});
        play(history, row.script);
        const std::string note = note_of(history);
        INFO(note);
        CHECK(note.starts_with(row.begins));
        CHECK(note.empty() == row.begins.empty());
    }
}

TEST_CASE("the last turn is needed as audio while its words are not known")
{
    struct Row {
        std::string name;
        Script script;
        bool needed;
        std::optional<std::size_t> at;  ///< among the events, the note with them
        std::string last;
    };
    const std::vector<Row> rows = {
        {"nothing was said", {}, false, {}, ""},
        {"committed", {"committed U1"}, true, 0, "U1"},
        {"an item without words", {"said U1"}, true, 0, "U1"},
        {"transcribed", {"said U1", "words U1 hi"}, false, {}, "U1"},
        {"transcribed, as silence", {"said U1", "words U1 "}, false, {}, "U1"},
        {"not transcribed", {"said U1", "no-words U1"}, true, 0, "U1"},
        {"typed", {"typed T1 : hi"}, false, {}, "T1"},
        {"an earlier one has no words", {"said U1", "said U2", "words U2 hi"}, false, {}, "U2"},
        {"behind two turns", {"typed T1 : hi", "item A1 completed : hello", "said U2 < A1"}, true, 3, "U2"},
        {"before the reply that was partly heard", {"typed T1 : hi", "item A1 completed : hello", "said U2 < A1", "item A2 completed : one two",
         "cut A2 500 1000"}, true, 3, "U2"},
        {"deleted", {"said U1", "delete U1"}, false, {}, ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        History history({});
        play(history, row.script);
        CHECK(history.needs_audio_of_last_turn() == row.needed);
        CHECK(history.replay().audio_at == row.at);
        CHECK(history.last_user_item() == row.last);
    }
}

TEST_CASE("what is told is what a service accepts, under the ids it had")
{
    History history(HistorySettings{.replay_tokens_max = 2'000});
    play(history, {"system S1 : \"quoted\" \\ and\tmore", "said U1", "words U1 안녕, 누구세요?", "item A1 completed : 저는 문지기입니다. 어서 오세요.",
     "cut A1 1500 3000",
                   "call C1 call_1 open_door {\"door\":\"east\"}", "output O1 call_1 {\"ok\":true}", "typed T1 : thanks"});
    const auto image = json::parse_object(R"({"id":"T2","type":"message","role":"user",)"
                                          R"("content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]})");
    history.on_item(*image);
    const auto replay = history.replay();
    CHECK(replay.item_ids == Script{"item_repartee_note", "S1", "U1", "A1", "C1", "O1", "T1", "T2"});
    REQUIRE(replay.events.size() == replay.item_ids.size());
    for (std::size_t i = 0; i < replay.events.size(); ++i) {
        INFO(replay.events[i]);
        const auto event = realtime::parse_client_event(replay.events[i]);
        REQUIRE(event.has_value());
        CHECK(event->type == "conversation.item.create");
        CHECK(event->event_id == "repartee_replay_" + std::to_string(i + 1));
        const auto item = realtime::normalise_item(*json::find_object(event->body, "item"));
        REQUIRE(item.has_value());
        CHECK(json::find_string(*item, "id") == replay.item_ids[i]);
    }
}
