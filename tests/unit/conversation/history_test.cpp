#include "history_script.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <set>

using namespace test;
using conversation::HistorySettings;

namespace {

using Script = std::vector<std::string>;

std::string in_short(const Line& line)
{
    std::string text = std::to_string(line.number) + (line.changed_again ? "* " : " ") + line.item_id + " " + line.role + ": " + line.text;
    if (line.heard != line.text) text += " | " + line.heard;
    if (line.cut) text += " | cut at " + std::to_string(line.heard_ms) + " of " + std::to_string(line.audio_ms);
    return text;
}

std::vector<std::string> taken(History& history, bool all = false)
{
    std::vector<std::string> lines;
    for (const Line& line : history.take_changed_lines(all)) lines.push_back(in_short(line));
    return lines;
}

}  // namespace

TEST_CASE("a history has the conversation's order, whatever the order of the events")
{
    struct Row {
        std::string name;
        Script script;
        std::vector<std::string> expected;
    };
    const Script two_turns = {"U1 user: hi", "A1 assistant: hello", "U2 user: and you?", "A2 assistant: fine"};
    const std::vector<Row> rows = {
        {"transcripts before the replies",
         {"said U1", "words U1 hi", "reply A1 < U1", "whole A1 hello", "said U2 < A1", "words U2 and you?", "reply A2 < U2",
          "whole A2 fine"}, two_turns},
        {"transcripts after the replies",
         {"said U1", "reply A1 < U1", "whole A1 hello", "words U1 hi", "said U2 < A1", "reply A2 < U2", "whole A2 fine",
          "words U2 and you?"}, two_turns},
        {"both transcripts at the very end",
         {"said U1", "reply A1 < U1", "whole A1 hello", "said U2 < A1", "reply A2 < U2", "whole A2 fine", "words U2 and you?",
          "words U1 hi"}, two_turns},
        {"a transcript before its item",
         {"words U1 hi", "said U1", "reply A1 < U1", "whole A1 hello", "words U2 and you?", "said U2 < A1", "reply A2 < U2",
          "whole A2 fine"}, two_turns},
        {"a reply's item before that of the user",
         {"reply A1 < U1", "delta A1 hello", "said U1", "words U1 hi", "reply A2 < U2", "said U2 < A1", "words U2 and you?",
          "whole A2 fine"}, two_turns},
        {"a reply's place becomes known after its words",
         {"said U1", "words U1 hi", "said U2", "words U2 and you?", "delta A1 hello", "reply A1 < U1", "reply A2 < U2", "whole A2 fine"}, two_turns},
        {"committed only, no item",
         {"committed U1", "words U1 hi", "reply A1 < U1", "whole A1 hello", "committed U2 < A1", "words U2 and you?", "reply A2 < U2",
          "whole A2 fine"}, two_turns},
        {"no item events at all", {"words U1 hi", "delta A1 hel", "delta A1 lo", "words U2 and you?", "delta A2 fine"}, two_turns},
        {"everything twice",
         {"committed U1", "committed U1", "said U1", "said U1", "words U1 hi", "words U1 hi", "reply A1 < U1", "reply A1 < U1", "delta A1 hello",
          "delta A1 hello",
          "whole A1 hello", "whole A1 hello", "delta A1 hello", "item A1 completed : hello", "item A1 completed : hello", "said U2 < A1",
           "said U2 < A1",
          "words U2 and you?", "reply A2 < U2", "item A2 completed : fine", "reply A2 < U2"},
         two_turns},
        {"the client's own messages, one at the front and one in between",
         {"said U1", "words U1 hi", "reply A1 < U1", "whole A1 hello", "system S1 < root : be brief", "typed T1 < U1 : (waves)"},
         {"S1 system: be brief", "U1 user: hi", "T1 user: (waves)", "A1 assistant: hello"}},
        {"behind an item that nobody knows", {"typed T1 : one", "typed T2 < gone : two"}, {"T1 user: one", "T2 user: two"}},
        {"behind itself", {"typed T1 : one", "typed T2 < T2 : two"}, {"T1 user: one", "T2 user: two"}},
        {"deleted", {"typed T1 : one", "typed T2 : two", "delete T1", "delete T1", "delete nobody"}, {"T2 user: two"}},
        {"what comes late for a deleted item", {"said U1", "reply A1 < U1", "delta A1 hel", "delete A1", "delta A1 lo", "whole A1 hello",
         "item A1 completed : hello",
                                                "delete U1", "words U1 hi", "no-words U1"}, {}},
        {"a client that uses a deleted id again", {"typed T1 : one", "delete T1", "typed T1 : new"}, {"T1 user: new"}},
        {"wordless items are not told", {"said U1", "said U2", "words U2 ", "reply A1 < U2", "no-words U1"}, {}},
        {"a whole that differs from its deltas", {"delta A1 one two", "whole A1 one, two."}, {"A1 assistant: one, two."}},
        {"a service that forgets what was cut", {"whole A1 one two three", "item A1 incomplete : one"}, {"A1 assistant: one two three"}},
        {"the note is not part of it", {"system item_repartee_note : the conversation goes on", "delta item_repartee_note x"}, {}},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        History history({});
        play(history, row.script);
        CHECK(told(history) == row.expected);
    }
}

TEST_CASE("a history reads what other servers write")
{
    History history({});
    // Beta names of parts, a user's transcript inside the item, several parts, MCP, and nonsense.
    for (const char* item : {
             R"({"id":"U1","object":"realtime.item","type":"message","role":"user","content":[{"type":"input_audio","transcript":"안녕"}]})",
             R"({"id":"A1","type":"message","role":"assistant","status":null,"content":[{"type":"audio","transcript":"안녕하세요"}]})",
             R"({"id":"U2","type":"message","role":"user","content":[{"type":"input_text","text":"look"},)"
             R"({"type":"input_image","image_url":"data:image/png;base64,AA","detail":"low"}]})",
             R"({"id":"A2","type":"message","role":"assistant","content":[{"type":"text","text":"I see."},null,7]})",
             R"({"id":"M1","type":"mcp_list_tools","server_label":"x","tools":[]})",
             R"({"type":"message","role":"user","content":[{"type":"input_text","text":"no id"}]})",
             R"({"id":"X1","type":"message","role":"narrator","content":[]})",
             R"({"id":"X2","type":"message","role":"user","content":{"text":"no array"}})",
             R"({"id":5,"type":[]})",
         }) {
        const auto parsed = json::parse_object(item);
        REQUIRE(parsed);
        history.on_item(*parsed);
    }
    CHECK(told(history) == std::vector<std::string>{"U1 user: 안녕", "A1 assistant: 안녕하세요", "U2 user: look data:image/png;base64,AA",
     "A2 assistant: I see."});
    CHECK(history.knows("X2"));
    CHECK_FALSE(history.knows("M1"));
    CHECK_FALSE(history.needs_audio_of_last_turn());
}

TEST_CASE("lines come once when they are known and again when they change")
{
    History history({});
    play(history, {"committed U1", "reply A1 < U1", "delta A1 Good"});
    CHECK(taken(history).empty());
    play(history, {"delta A1  morning", "whole A1 Good morning"});
    CHECK(taken(history) == Script{"2 A1 assistant: Good morning"});
    CHECK(taken(history).empty());
    play(history, {"whole A1 Good morning", "item A1 completed : Good morning", "words U1 hello"});
    CHECK(taken(history) == Script{"1 U1 user: hello"});
    play(history, {"cut A1 500 1000", "cut A1 500 1000"});
    CHECK(taken(history) == Script{"2* A1 assistant: Good morning | Good | cut at 500 of 1000"});
    play(history, {"heard A1 1000 1000"});
    CHECK(taken(history) == Script{"2* A1 assistant: Good morning"});
    play(history, {"call C1 call_1 look {\"at\":1}", "output O1 call_1 a door", "system S1 : night falls"});
    CHECK(taken(history) == Script{"3 C1 tool: look({\"at\":1})", "4 O1 tool: a door", "5 S1 system: night falls"});
    play(history, {"said U2", "no-words U2", "said U3", "words U3 "});
    CHECK(taken(history) == Script{"6 U2 user: "});
    CHECK(taken(history).empty());
}

TEST_CASE("no line is lost with its item, and none is left at the end")
{
    History history({});
    play(history, {"said U1", "reply A1 < U1", "delta A1 Never heard", "cut A1 0 800", "delete A1"});
    CHECK_FALSE(history.knows("A1"));
    CHECK(taken(history) == Script{"2 A1 assistant: Never heard |  | cut at 0 of 800"});
    play(history, {"said U3", "no-words U3", "delete U3"});
    CHECK(taken(history).empty());
    play(history, {"delta A2 Not yet", "committed U2"});
    CHECK(taken(history).empty());
    CHECK(taken(history, true) == Script{"4 A2 assistant: Not yet", "5 U2 user: "});
    CHECK(taken(history, true).empty());
    CHECK(told(history) == Script{"A2 assistant: Not yet"});
}

TEST_CASE("a history is bounded, and its newest and first system item stay")
{
    const auto id_of = [](const char* prefix, int i) { return prefix + std::to_string(i); };
    SECTION("items")
    {
        History history(HistorySettings{.items_max = 10});
        play_line(history, "system S1 : a rainy harbour");
        for (int i = 0; i < 100; ++i) play_line(history, "typed " + id_of("T", i) + " : " + std::to_string(i));
        const auto all = told(history);
        REQUIRE(all.size() == 10);
        CHECK(all.front() == "S1 system: a rainy harbour");
        CHECK(all.back() == "T99 user: 99");
        CHECK(history.replay().items_left_out == 91);
        CHECK_FALSE(history.knows("T0"));
    }
    SECTION("bytes")
    {
        History history(HistorySettings{.bytes_max = 8 << 10, .replay_tokens_max = 1'000'000});
        for (int i = 0; i < 100; ++i) {
            play_line(history, "typed " + id_of("T", i) + " : hello");
            for (int k = 0; k < 20; ++k) history.on_reply_text(id_of("A", i), std::string(100, 'x'));
        }
        std::size_t bytes = 0;
        for (const std::string& event : history.replay().events) bytes += event.size();
        CHECK(bytes < 12 << 10);
        CHECK(history.knows("A99"));
        CHECK_FALSE(history.knows("A50"));
    }
    SECTION("one item")
    {
        History history(HistorySettings{.bytes_max = 8 << 10, .replay_tokens_max = 1'000'000});
        for (int i = 0; i < 10'000; ++i) history.on_reply_text("A1", "가나다라", static_cast<std::size_t>(i));
        CHECK(history.heard_text("A1").size() <= 8 << 10);
        history.on_reply_text_done("A2", std::string(1 << 20, 'x'));
        CHECK(history.heard_text("A2").size() == 4 << 10);
        play_line(history, "call C1 call_1 look \"" + std::string(9'000, 'x') + "\"");
        play_line(history, "output O1 call_1 done");
        const auto all = told(history);
        CHECK(std::none_of(all.begin(), all.end(), [](const std::string& text) { return text.starts_with("C1") || text.starts_with("O1"); }));
    }
}

TEST_CASE("neighbours among the events may change places")
{
    const Script script = {"system S1 : be brief",
                           "said U1 < S1", "reply A1 < U1", "delta A1 hello", "whole A1 hello", "words U1 hi", "heard A1 900 900",
                           "said U2 < A1", "reply A2 < U2", "whole A2 fine", "words U2 and you?",
                           "said U3 < A2", "reply A3 < U3", "whole A3 bye", "words U3 bye now"};
    History straight({});
    play(straight, script);
    const auto expected = told(straight);
    REQUIRE(expected.size() == 7);
    for (unsigned seed = 0; seed < 300; ++seed) {
        std::mt19937 random(seed);
        Script shuffled = script;
        for (std::size_t i = 1; i + 1 < shuffled.size(); i += 1 + random() % 3)
            if (shuffled[i].substr(0, 5) != "delta" && shuffled[i + 1].substr(0, 5) != "delta") std::swap(shuffled[i], shuffled[i + 1]);
        INFO("seed " << seed);
        History history({});
        play(history, shuffled);
        CHECK(told(history) == expected);
    }
}

TEST_CASE("whatever comes, ids are told once, outputs behind their calls, and the bounds hold")
{
    const std::vector<std::string> verbs = {"said", "committed", "words", "no-words", "typed", "system", "reply", "delta", "whole", "item",
     "call", "calling",
                                            "arguments", "output", "heard", "cut", "delete"};
    for (unsigned seed = 0; seed < 200; ++seed) {
        INFO("seed " << seed);
        std::mt19937 random(seed);
        const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        History history(HistorySettings{.items_max = 12, .bytes_max = 6'000, .replay_tokens_max = 150});
        std::map<std::uint64_t, std::string> line_of_number;
        for (int step = 0; step < 300; ++step) {
            const std::string verb = verbs[pick(static_cast<unsigned>(verbs.size()))], id = "I" + std::to_string(pick(20));
            const std::string before = pick(2) ? " < I" + std::to_string(pick(20)) : pick(8) ? "" : " < root";
            std::string line = verb + " " + id;
            if (verb == "said" || verb == "committed" || verb == "reply") line += before;
            else if (verb == "typed" || verb == "system") line += before + " : some words";
            else if (verb == "item") line += (pick(2) ? " completed : a few more words" : " incomplete : few");
            else if (verb == "call" || verb == "calling") line += " call_" + std::to_string(pick(4)) + " look {}";
            else if (verb == "output") line += " call_" + std::to_string(pick(4)) + " seen";
            else if (verb == "heard" || verb == "cut") line += " " + std::to_string(pick(2'000)) + " " + std::to_string(pick(2'000));
            else line += " 말 조금";
            play_line(history, line);
            if (pick(4) == 0)
                for (const Line& given : history.take_changed_lines()) {
                    const bool again = !line_of_number.emplace(given.number, given.item_id).second;
                    CHECK(again == given.changed_again);
                    CHECK(line_of_number[given.number] == given.item_id);
                    CHECK(given.text.starts_with(given.heard));
                }
        }
        const auto replay = history.replay();
        REQUIRE(replay.events.size() == replay.item_ids.size());
        CHECK(replay.events.size() <= 13);
        std::set<std::string> ids(replay.item_ids.begin(), replay.item_ids.end()), open;
        CHECK(ids.size() == replay.item_ids.size());
        for (const std::string& event : replay.events) {
            const auto parsed = json::parse_object(event);
            REQUIRE(parsed);
            const std::string type(json::find_string(*parsed, "item.type").value_or("")),
             call(json::find_string(*parsed, "item.call_id").value_or(""));
            if (type == "function_call") open.insert(call);
            if (type == "function_call_output") CHECK(open.count(call) == 1);
        }
        if (replay.audio_at) CHECK(*replay.audio_at <= replay.events.size());
        CHECK(replay.audio_at.has_value() == history.needs_audio_of_last_turn());
    }
}
