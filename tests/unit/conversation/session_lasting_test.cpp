#include "talk.hpp"

#include <malloc.h>

#include <random>

using namespace test;

namespace {

constexpr milliseconds rotate_age = std::chrono::minutes(50);

/// What the user and the character said, in order, as a new service should be told: every turn and every reply heard.
std::vector<std::string> whole_talk(const Talk& talk, int turns)
{
    std::vector<std::string> lines;
    for (int turn = 1; turn <= turns; ++turn) {
        lines.push_back("user " + talk.words_of(turn));
        const auto index = static_cast<std::size_t>(turn - 1);
        if (index < talk.said.reply_order.size()) lines.push_back("assistant " + talk.said.replies.at(talk.said.reply_order[index]).text);
    }
    return lines;
}

/// Where two long lists part; empty: they are the same.
std::string first_difference(const Strings& found, const Strings& expected)
{
    for (std::size_t i = 0; i < std::max(found.size(), expected.size()); ++i) {
        const std::string left = i < found.size() ? found[i] : "(nothing)", right = i < expected.size() ? expected[i] : "(nothing)";
        if (left != right) return "at " + std::to_string(i) + ": " + left + ", not " + right;
    }
    return {};
}

/// What was told is the end of the conversation, in its order, behind a note.
void check_told(const FakeService& service, const std::vector<std::string>& talk)
{
    REQUIRE(!service.told.empty());
    CHECK(service.told.front().role == "system");
    std::vector<std::string> told;
    for (std::size_t i = 1; i < service.told.size(); ++i) told.push_back(service.told[i].role + " " + service.told[i].text);
    REQUIRE(told.size() <= talk.size());
    CHECK(first_difference(told, Strings(talk.end() - static_cast<std::ptrdiff_t>(told.size()), talk.end())) == "");
}

void check_all_heard(const Talk& talk)
{
    CHECK(talk.speaker.wrong == Strings{});
    CHECK(talk.speaker.again_ms == 0);
    CHECK(talk.speaker.order == talk.said.reply_order);
    for (const auto& item : talk.said.reply_order) {
        INFO(item);
        CHECK(talk.said.replies.at(item).whole);
        CHECK(talk.speaker.heard_samples(item) == talk.said.replies.at(item).samples);
    }
}

void check_lines(const Talk& talk, int turns)
{
    Strings expected, found;
    for (int turn = 1; turn <= turns; ++turn) {
        expected.push_back("user " + talk.words_of(turn));
        expected.push_back("assistant " + talk.said.replies.at(talk.said.reply_order.at(static_cast<std::size_t>(turn - 1))).text);
    }
    for (const auto& [number, line] : talk.record->by_number) {
        found.push_back(line.role + " " + line.text);
        CHECK(!line.cut);
        if (line.role == "assistant") CHECK(line.heard_ms == line.audio_ms);
    }
    CHECK(first_difference(found, expected) == "");
}

std::size_t bytes_in_use() { return mallinfo2().uordblks; }

}  // namespace

TEST_CASE("a conversation of three hours crosses three rotations, and nothing of it is lost, doubled or late")
{
    auto settings = Talk::lasting();
    settings.recovery.rotate_age = rotate_age;
    settings.recovery.rotate_force_age = std::chrono::minutes(58);
    Talk talk(settings);
    talk.keeps_events = false;
    talk.lease_age = milliseconds(20'000);
    talk.run(500);

    const Instant began = talk.clock.now;
    std::mt19937 random(1);
    std::vector<std::size_t> turns_at_change;
    // What is being said just then, and held back, is heard by the next one.
    talk.on_next_service = [&](FakeService&) { turns_at_change.push_back(static_cast<std::size_t>(talk.turns() - (talk.is_speaking() ? 1 : 0))); };
    milliseconds slowest{0};
    while (talk.clock.now - began < std::chrono::hours(3)) {
        talk.run(std::uniform_int_distribution<int>(20, 1'500)(random));
        talk.speak(std::uniform_int_distribution<int>(15, 100)(random) * 20);
        talk.run_until([&] { return !talk.is_speaking(); });
        const Instant asked = talk.clock.now;
        const std::size_t replies = talk.speaker.order.size();
        REQUIRE(talk.run_until([&] { return talk.speaker.order.size() > replies; }));
        slowest = std::max(slowest, std::chrono::duration_cast<milliseconds>(talk.clock.now - asked));
        REQUIRE(talk.run_until_quiet());
    }

    CHECK(talk.rotations == 3);
    CHECK(talk.recoveries == 0);
    CHECK(talk.turns() > 1'000);
    CHECK(talk.metrics.rotations_total.value() == 3);
    CHECK(!talk.session->ending());
    check_all_heard(talk);
    CHECK(talk.speaker.worst_gap == std::chrono::nanoseconds(0));
    // Silence of the service's, its answer, and a step or two of the test; a rotation adds at most what it holds the user's voice back.
    CHECK(slowest <= milliseconds(500 + 150 + 50 + 60 + 220 + 40));
    for (std::size_t i = 0; i < turns_at_change.size(); ++i) {
        INFO("service " << i + 2);
        const FakeService& service = i + 1 < turns_at_change.size() ? *talk.old.at(i + 1) : *talk.service;
        check_told(service, whole_talk(talk, static_cast<int>(turns_at_change[i])));
        CHECK(service.told.size() > 20);
        CHECK(service.complaints == Strings{});
    }
    std::vector<std::string> heard_turns;
    for (const auto& service : talk.old) heard_turns.insert(heard_turns.end(), service->turns.begin(), service->turns.end());
    heard_turns.insert(heard_turns.end(), talk.service->turns.begin(), talk.service->turns.end());
    Strings spoken_turns;
    for (int turn = 1; turn <= talk.turns(); ++turn) spoken_turns.push_back(talk.words_of(turn));
    CHECK(first_difference(heard_turns, spoken_turns) == "");

    talk.run(15'000);
    talk.session->close(talk.clock.now);
    check_lines(talk, talk.turns());
    CHECK(talk.record->endings == 1);

    const std::size_t before = bytes_in_use();
    talk.session.reset();
    const std::size_t held = before - std::min(before, bytes_in_use());
    INFO(held << " bytes");
    // The history's 256 KiB with its lists, and next to nothing beside it.
    if (before > 0) CHECK(held < 420'000);
}

// ── a service lost in every state ────────────────────────────────────────────────────────────────────────────────────────────

namespace {

enum class Asked { nothing, bare, go_on, clients };

Asked asked_of(const FakeService& service)
{
    if (service.creates.empty()) return Asked::nothing;
    const auto note = json::find_string(service.creates.front(), "response.instructions");
    if (!note) return Asked::bare;
    return note->find("broken off") == std::string_view::npos ? Asked::clients : Asked::go_on;
}

struct Expected {
    Asked asked = Asked::nothing;  ///< of the next service, before anything new is said
    bool turn_again = false;       ///< it hears the user's last turn
    std::size_t replies = 1;       ///< begun in all, when it is quiet again
    std::size_t clears = 0;        ///< audio.clear
    Strings told{};                ///< roles; the note is not among them
};

struct LossRow {
    const char* state;
    ServiceManner manner;
    void (*reach)(Talk&);
    Expected expected;
};

Strings roles_told(const FakeService& service)
{
    Strings roles;
    for (const auto& item : service.told)
        if (item.role != "system") roles.push_back(item.role);
    return roles;
}

/// Every response that the client saw begin it sees end, once; every item's sound ends, or is cleared away.
void check_closed(const Talk& talk)
{
    std::map<std::string, int> open;
    for (const auto& event : talk.received) {
        const auto type = *json::find_string(event, "type");
        if (type != "response.created" && type != "response.done") continue;
        const std::string id(*json::find_string(event, "response.id"));
        if (type == "response.created") CHECK(++open[id] == 1);
        else CHECK(--open[id] == 0);
    }
    for (const auto& [id, count] : open) {
        INFO(id);
        CHECK(count == 0);
    }
}

void check_services(const Talk& talk)
{
    for (const auto& service : talk.old) CHECK(service->complaints == Strings{});
    if (talk.service) CHECK(talk.service->complaints == Strings{});
}

/// Each turn in words, once, in order. `unknown`: so many of them may have none.
void check_user_lines(const Talk& talk, int turns, std::size_t unknown = 0)
{
    Strings expected, found = talk.record->lines_of("user");
    for (int turn = 1; turn <= turns; ++turn) expected.push_back(talk.words_of(turn));
    if (unknown == 0) {
        CHECK(found == expected);
        return;
    }
    CHECK(found.size() == expected.size());
}

void speak_and_stop(Talk& talk, std::int64_t ms)
{
    talk.speak(ms);
    REQUIRE(talk.run_until([&] { return !talk.is_speaking(); }));
}

void spoken_and_waited(Talk& talk, std::int64_t ms)
{
    talk.run(1'000);
    speak_and_stop(talk, 1'000);
    talk.run(ms);
}

ServiceManner manner_with(std::int64_t answer_after, std::int64_t transcript_after, std::int64_t reply_ms = 4'000)
{
    ServiceManner manner;
    manner.answer_after = milliseconds(answer_after);
    manner.transcript_after = milliseconds(transcript_after);
    manner.reply_ms = reply_ms;
    return manner;
}

ServiceManner slow_to_begin()
{
    ServiceManner manner;
    manner.update_after = milliseconds(10'000);
    return manner;
}

ServiceManner with_calls()
{
    ServiceManner manner;
    manner.calls_function = true;
    return manner;
}

void call_made(Talk& talk)
{
    speak_and_stop(talk, 1'000);
    REQUIRE(talk.run_until([&] { return talk.count("response.function_call_arguments.done") == 1; }));
    talk.run(200);
    talk.manner.calls_function = false;
}

void answer_call(Talk& talk)
{
    const auto call = talk.got("response.function_call_arguments.done").at(0);
    const json::object output{
        {"id", "item_output"}, {"type", "function_call_output"}, {"call_id", *json::find_string(call, "call_id")}, {"output", "open"}};
    talk.tell({{"type", "conversation.item.create"}, {"item", output}});
    talk.tell({{"type", "response.create"}});
}

const LossRow loss_rows[] = {
    {"waiting for session.updated, nobody speaks", {}, [](Talk&) {}, {.replies = 0}},
    {"waiting for session.updated, the user has begun", slow_to_begin(),
     [](Talk& talk) {
         talk.speak(1'000);
         talk.run(400);
     },
     {.turn_again = true}},
    {"listening, nothing said yet", {}, [](Talk& talk) { talk.run(2'000); }, {.replies = 0}},
    {"listening, after a turn", {}, [](Talk& talk) { talk.turn_and_reply(); }, {.told = {"user", "assistant"}}},
    {"the user speaks, just begun", {}, [](Talk& talk) { talk.run(1'000); talk.speak(2'000); talk.run(60); }, {.turn_again = true}},
    {"the user speaks", {}, [](Talk& talk) { talk.run(1'000); talk.speak(2'000); talk.run(1'400); }, {.turn_again = true}},
    {"the user speaks, second turn", {}, [](Talk& talk) {
         talk.turn_and_reply();
         talk.speak(2'000);
         talk.run(1'400);
     }, {.turn_again = true, .replies = 2, .told = {"user", "assistant"}}},
    {"the user has spoken, the service waits for silence", {}, [](Talk& talk) { spoken_and_waited(talk, 300); }, {.turn_again = true}},
    {"committed without words", manner_with(3'000, 60'000), [](Talk& talk) { spoken_and_waited(talk, 1'000); }, {.turn_again = true}},
    {"committed with words", manner_with(3'000, 100), [](Talk& talk) { spoken_and_waited(talk, 1'000); }, {.asked = Asked::bare, .told = {"user"}}},
    {"reply begun, nothing of it came, words known", manner_with(300, 100), [](Talk& talk) {
         speak_and_stop(talk, 1'000);
         REQUIRE(talk.run_until([&] { return talk.service->is_replying(); }));
     }, {.asked = Asked::bare, .replies = 2, .told = {"user"}}},
    {"mid-reply, little came, words known", manner_with(300, 100), [](Talk& talk) {
         speak_and_stop(talk, 1'000);
         REQUIRE(talk.run_until([&] { return talk.service->made_ms() >= 400; }));
     }, {.asked = Asked::bare, .replies = 2, .clears = 1, .told = {"user"}}},
    {"mid-reply, much came, words known", manner_with(300, 100), [](Talk& talk) {
         speak_and_stop(talk, 1'000);
         REQUIRE(talk.run_until([&] { return talk.service->made_ms() >= 2'400; }));
     }, {.asked = Asked::go_on, .replies = 2, .told = {"user", "assistant"}}},
    {"mid-reply, much came, words unknown", manner_with(300, 60'000), [](Talk& talk) {
         speak_and_stop(talk, 1'000);
         REQUIRE(talk.run_until([&] { return talk.service->made_ms() >= 2'400; }));
     }, {.asked = Asked::go_on, .replies = 2, .told = {"user", "assistant"}}},
    {"generated, playing, words known", manner_with(300, 100), [](Talk& talk) {
         speak_and_stop(talk, 1'000);
         REQUIRE(talk.run_until([&] { return talk.count("response.done") == 1; }));
     }, {.told = {"user", "assistant"}}},
    {"function call open", with_calls(), call_made, {.replies = 0, .told = {"user", "function_call"}}},
    {"function call closed, answer asked for", with_calls(), [](Talk& talk) {
         call_made(talk);
         talk.service->manner.answer_after = milliseconds(5'000);
         answer_call(talk);
         talk.run(200);
     }, {.asked = Asked::bare, .told = {"user", "function_call", "function_call_output"}}},
    {"function call closed, not yet taken", with_calls(), [](Talk& talk) {
         call_made(talk);
         talk.session->hold_upstream(true);
         answer_call(talk);
     }, {.asked = Asked::bare, .told = {"user", "function_call"}}},
    {"the client's response.create just sent", manner_with(3'000, 100), [](Talk& talk) {
         talk.run(500);
         talk.tell(typed("Good evening."));
         talk.tell({{"type", "response.create"}, {"response", json::object{{"instructions", "Whisper."}}}});
         talk.run(20);
     }, {.asked = Asked::clients}},
};

}  // namespace

TEST_CASE("a service that is lost in any state is replaced, and the conversation goes on where it was")
{
    for (const LossRow& row : loss_rows) {
        for (const int losses : {1, 2}) {
            INFO(row.state << ", lost " << losses << " times");
            Talk talk(Talk::lasting(), row.manner);
            row.reach(talk);
            const int turns_before = talk.turns();
            const std::size_t clears_before = talk.count("audio.clear");
            talk.manner.update_after = milliseconds(20);
            talk.manner.answer_after = milliseconds(150);
            talk.manner.transcript_after = milliseconds(100);
            for (int loss = 0; loss < losses; ++loss) {
                talk.lose();
                // The second time while the first one's place is being taken: before session.updated.
                if (loss + 1 < losses) {
                    REQUIRE(talk.run_until([&] { return talk.service != nullptr; }));
                }
            }
            REQUIRE(talk.run_until([&] { return talk.service && talk.session->is_live(); }));
            talk.run(100);
            REQUIRE(talk.run_until([&] { return !talk.is_speaking(); }));
            talk.run(1'000);
            if (std::string_view(row.state) == "function call open") {
                CHECK(talk.service->creates.empty());
                answer_call(talk);
                talk.run(200);
            }
            CHECK(talk.run_until_quiet());
            const FakeService& service = *talk.service;
            const bool open_call = std::string_view(row.state) == "function call open";
            CHECK(roles_told(service) == row.expected.told);
            if (!open_call) CHECK(asked_of(service) == row.expected.asked);
            CHECK(service.creates.size() == (open_call || row.expected.asked != Asked::nothing ? 1 : 0));
            CHECK(talk.said.reply_order.size() == row.expected.replies + (open_call ? 1 : 0));
            CHECK(talk.count("audio.clear") - clears_before == row.expected.clears);
            if (row.expected.turn_again)
                CHECK(service.turns == Strings{talk.words_of(turns_before)});
            else
                CHECK(service.turns == Strings{});
            CHECK(talk.count("session.created") == 1);
            CHECK(talk.count("error") == 0);
            CHECK(!talk.session->ending());
            const bool had_begun = std::string_view(row.state).find("waiting") == std::string_view::npos;
            CHECK(talk.count("session.upstream_changed") == (had_begun ? 1 : 0));

            // … and it goes on as if nothing had been.
            const std::size_t replies = talk.said.reply_order.size();
            talk.turn_and_reply(1'500);
            CHECK(talk.said.reply_order.size() == replies + 1);
            const auto& newest = talk.said.reply_order.back();
            CHECK(talk.said.replies.at(newest).whole);
            CHECK(talk.speaker.heard_samples(newest) == talk.said.replies.at(newest).samples);
            CHECK(talk.speaker.wrong == Strings{});
            CHECK(talk.speaker.again_ms == 0);
            check_closed(talk);
            check_services(talk);
            talk.run(15'000);
            talk.session->close(talk.clock.now);
            const bool typed = std::string_view(row.state).find("client's") != std::string_view::npos;
            const bool never_known = std::string_view(row.state) == "mid-reply, much came, words unknown";
            if (!typed) check_user_lines(talk, talk.turns(), never_known ? 1 : 0);
        }
    }
}

TEST_CASE("a reply that goes on is asked for from the words on that were received")
{
    Talk talk(Talk::lasting(), manner_with(300, 100));
    speak_and_stop(talk, 1'000);
    REQUIRE(talk.run_until([&] { return talk.service->made_ms() >= 2'400; }));
    const std::string item = talk.said.reply_order.back();
    const std::int64_t samples = talk.said.replies.at(item).samples;
    talk.lose();
    REQUIRE(talk.run_until([&] { return talk.said.reply_order.size() == 2; }));
    const std::string note(*json::find_string(talk.service->creates.at(0), "response.instructions"));
    CHECK(note.starts_with("PERSONA"));
    const auto& told = talk.service->told.back();
    CHECK(told.id == item);
    CHECK(!told.text.empty());
    CHECK(talk.said.replies.at(item).text.starts_with(told.text));
    CHECK(note.find("\"" + told.text + "\"") != std::string::npos);
    talk.run_until_quiet();
    // All that came of it is heard, then the rest behind it, with no more silence between than it takes to ask.
    CHECK(talk.speaker.heard_samples(item) == samples);
    CHECK(talk.speaker.order == talk.said.reply_order);
}

TEST_CASE("a provider that ends its session in time is replaced as one that is lost, and its last words are not the client's")
{
    auto manner = manner_with(150, 100);
    manner.session_max = milliseconds(20'000);
    Talk talk(Talk::lasting(), manner);
    while (talk.recoveries < 2) talk.turn_and_reply();
    CHECK(talk.count("error") == 0);
    CHECK(!talk.session->ending());
    talk.turn_and_reply();
    CHECK(talk.speaker.wrong == Strings{});
    check_services(talk);
    talk.run(15'000);
    talk.session->close(talk.clock.now);
    check_user_lines(talk, talk.turns());
}

TEST_CASE("what is lost again and again leaves no doubt behind")
{
    Talk talk(Talk::lasting(), manner_with(200, 100, 3'000));
    for (int round = 0; round < 6; ++round) {
        talk.speak(1'200);
        talk.run(400 + 300 * round);
        for (int loss = 0; loss < 3; ++loss) {
            if (!talk.service) talk.run_until([&] { return talk.service != nullptr; });
            talk.lose();
            talk.run(100 + 40 * loss);
        }
        talk.run_until([&] { return !talk.is_speaking(); });
        talk.run(1'500);
        REQUIRE(talk.run_until_quiet());
    }
    check_closed(talk);
    check_services(talk);
    CHECK(talk.speaker.wrong == Strings{});
    talk.run(15'000);
    talk.session->close(talk.clock.now);
    check_user_lines(talk, 6);
}
