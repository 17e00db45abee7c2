#include "talk.hpp"

#include <random>

using namespace test;

namespace {

ServiceManner with_replies_of(std::int64_t ms)
{
    ServiceManner manner;
    manner.reply_ms = ms;
    manner.transcript_after = milliseconds(100);
    return manner;
}

const conversation::Line* line_of(const FakeRecord& record, const std::string& item)
{
    for (const auto& [number, line] : record.by_number)
        if (line.item_id == item) return &line;
    return nullptr;
}

void reply_heard_to(Talk& talk, std::int64_t ms)
{
    talk.run(500);
    talk.speak(1'000);
    REQUIRE(talk.run_until([&] { return talk.said.reply_order.size() == 1 && talk.speaker.heard_ms(talk.said.reply_order[0]) >= ms; }));
}

/// Where the client stands, as it would say it in its URL.
conversation::Downlink::ClientPosition position_of(const Talk& talk)
{
    conversation::Downlink::ClientPosition position;
    position.last_event_id = talk.last_event_id();
    if (!talk.speaker.order.empty()) {
        position.item_id = talk.speaker.order.back();
        position.played_ms = talk.speaker.heard_ms(*position.item_id);
    }
    return position;
}

std::int64_t heard_in_all_ms(const Talk& talk)
{
    std::int64_t all = 0;
    for (const auto& item : talk.said.reply_order) all += talk.speaker.heard_ms(item);
    return all;
}

}  // namespace

// ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_CASE("a record is begun once, gets each line and each sample once, and is ended once")
{
    Talk talk(Talk::lasting(), with_replies_of(2'000));
    for (int turn = 0; turn < 3; ++turn) talk.turn_and_reply();
    CHECK(talk.record->order == Strings{"began sess_ours user_1 park_jihoon"});
    Strings lines;
    for (const auto& [number, line] : talk.record->by_number) {
        lines.push_back(line.role);
        CHECK(!line.cut);
        CHECK(line.heard == line.text);
    }
    CHECK(lines == Strings{"user", "assistant", "user", "assistant", "user", "assistant"});
    for (int turn = 1; turn <= 3; ++turn) CHECK(talk.record->lines_of("user").at(static_cast<std::size_t>(turn - 1)) == talk.words_of(turn));
    CHECK(talk.record->same_again <= 3);  // at most once a reply: when its text is whole, and its item
    CHECK(talk.record->user_voices.text() == talk.words_of(1) + ", " + talk.words_of(2) + ", " + talk.words_of(3));
    CHECK(talk.record->played_ms() == 6'000);
    CHECK(talk.record->user_samples == std::chrono::duration_cast<milliseconds>(talk.clock.now - talk.record->began_at).count() * 24);
    CHECK(talk.record->endings == 0);
    talk.session->close(talk.clock.now);
    talk.session->close(talk.clock.now);
    CHECK(talk.record->endings == 1);
}

TEST_CASE("a record without sound gets none, and one that is not there is not missed")
{
    Talk talk;
    talk.record->wants = false;
    talk.turn_and_reply();
    CHECK(talk.record->user_samples == 0);
    CHECK(talk.record->played.empty());
    CHECK(talk.record->by_number.size() == 2);

    Script script(Talk::lasting());
    script.live().reply("item_a", 400, true);
    script.session.close(script.clock.now);
    script.session.on_tick(script.clock.now);
}

TEST_CASE("an interruption is marked: what was heard in words and in ms, and the sound ends there")
{
    Talk talk(Talk::lasting(), with_replies_of(5'000));
    reply_heard_to(talk, 2'000);
    talk.speak(1'000);
    REQUIRE(talk.run_until([&] { return talk.count("audio.clear") == 1; }));
    const std::string item = talk.said.reply_order[0];
    const std::int64_t heard_ms = talk.speaker.heard_ms(item);
    CHECK(talk.record->played_ms() == heard_ms);
    talk.run(1'000);
    talk.run_until_quiet();
    const auto* line = line_of(*talk.record, item);
    REQUIRE(line);
    CHECK(line->cut);
    CHECK(line->heard_ms == heard_ms);
    CHECK(line->audio_ms == 5'000);
    CHECK(line->text == talk.said.replies.at(item).text);
    CHECK(!line->heard.empty());
    CHECK(line->heard.size() < line->text.size());
    CHECK(line->text.starts_with(line->heard));
    // Two words a second.
    CHECK(std::count(line->heard.begin(), line->heard.end(), ' ') <= heard_ms / 500 + 1);
    CHECK(talk.record->cuts.size() == 1);
}

TEST_CASE("a conversation that ends amid a reply: the line says how far it was heard")
{
    Talk talk(Talk::lasting(), with_replies_of(5'000));
    reply_heard_to(talk, 2'000);
    const std::string item = talk.said.reply_order[0];
    talk.session->close(talk.clock.now);
    const auto* line = line_of(*talk.record, item);
    REQUIRE(line);
    CHECK(line->cut);
    CHECK(line->heard_ms == talk.speaker.heard_ms(item));
    CHECK(talk.record->played_ms() == talk.speaker.heard_ms(item));
    CHECK(talk.record->endings == 1);
}

TEST_CASE("a turn whose words are still on their way when it ends has a line nevertheless")
{
    auto manner = with_replies_of(1'000);
    manner.transcript_after = milliseconds(60'000);
    Talk talk(Talk::lasting(), manner);
    talk.turn_and_reply();
    CHECK(talk.record->lines_of("user").empty());
    talk.session->close(talk.clock.now);
    CHECK(talk.record->lines_of("user") == Strings{""});
    CHECK(talk.record->by_number.begin()->second.role == "user");
}

TEST_CASE("changes of services leave no trace in the record's sound")
{
    for (const char* what : {"while the user speaks", "while the character speaks", "committed, unanswered"}) {
        INFO(what);
        auto manner = with_replies_of(4'000);
        if (what == std::string_view("committed, unanswered")) manner.answer_after = manner.transcript_after = milliseconds(2'000);
        Talk talk(Talk::lasting(), manner);
        talk.run(500);
        talk.speak(1'500);
        if (what == std::string_view("while the user speaks")) talk.run(700);
        if (what == std::string_view("while the character speaks"))
            talk.run_until([&] { return talk.service->made_ms() > 2'000; });
        if (what == std::string_view("committed, unanswered")) talk.run(2'500);
        talk.manner = with_replies_of(4'000);
        talk.lose();
        talk.run(3'000);
        REQUIRE(talk.run_until_quiet());
        talk.turn_and_reply();
        CHECK(talk.record->user_voices.text() == talk.words_of(1) + ", " + talk.words_of(2));
        CHECK(talk.record->user_samples == std::chrono::duration_cast<milliseconds>(talk.clock.now - talk.record->began_at).count() * 24);
        CHECK(talk.record->played_ms() == heard_in_all_ms(talk));
        talk.session->close(talk.clock.now);
        CHECK(talk.record->lines_of("user") == Strings{talk.words_of(1), talk.words_of(2)});
        for (const auto& item : talk.said.reply_order) {
            const auto* line = line_of(*talk.record, item);
            if (talk.speaker.heard_ms(item) == 0) continue;
            INFO(item);
            REQUIRE(line);
            CHECK(line->heard_ms == talk.speaker.heard_ms(item));
        }
    }
}

// ── the client lost, and back ────────────────────────────────────────────────────────────────────────────────────────────────

TEST_CASE("the token is offered in the session that is shown first, and in each return")
{
    Script script(Talk::lasting());
    script.session.offer_resume("token_1", milliseconds(60'000));
    script.upstream({{"type", "session.created"}, {"session", json::object{{"model", "gpt-test"}, {"resume", json::object{{"token", "theirs"}}}}}});
    auto out = script.to_client();
    REQUIRE(out.order == Strings{"session.created"});
    CHECK(json::find_string(out.events[0], "session.resume.token") == "token_1");
    CHECK(json::find_int(out.events[0], "session.resume.window_ms") == 60'000);
    script.to_upstream();
    script.upstream({{"type", "session.updated"}, {"session", json::object{{"id", "theirs"}, {"resume", json::object{{"token", "theirs"}}}}}});
    out = script.to_client();
    for (const auto& event : out.events) CHECK(json::to_text(event).find("token") == std::string::npos);

    script.upstream({{"type", "rate_limits.updated"}, {"event_id", "e_missed"}});
    script.session.on_client_lost(script.clock.now);
    script.upstream({{"type", "rate_limits.updated"}, {"event_id", "e_meanwhile"}});
    script.session.offer_resume("token_2", milliseconds(60'000));
    script.session.on_client_back({}, script.clock.now);
    out = script.to_client();
    REQUIRE(!out.order.empty());
    REQUIRE(out.order.front() == "session.resumed");
    CHECK(json::find_string(out.events[0], "session.resume.token") == "token_2");
    CHECK(json::find_string(out.events[0], "session.id") == "sess_ours");
    CHECK(json::find_string(out.events[0], "session.character_id") == "park_jihoon");
    for (std::size_t i = 1; i < out.events.size(); ++i) CHECK(json::to_text(out.events[i]).find("token") == std::string::npos);
    CHECK(json::find_string(out.events.back(), "event_id") == "e_meanwhile");
}

TEST_CASE("who returns hears the rest of the reply from where its loudspeaker stood, and gets what it missed")
{
    struct Row {
        const char* what;
        std::int64_t away_ms;
        bool says_where, says_what, reports, loses_some;
    };
    const Row rows[] = {
        {"for a moment", 60, true, true, false, false},
        {"for a while", 4'000, true, true, false, false},
        {"for a while, reporting", 4'000, true, true, true, false},
        {"without a word about itself", 1'000, false, false, false, false},
        {"the last second never arrived", 2'000, true, true, false, true},
        {"the last second never arrived, reporting", 2'000, true, true, true, true},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        Talk talk(Talk::lasting(), with_replies_of(6'000));
        talk.reports = row.reports;
        reply_heard_to(talk, 2'000);
        const std::string item = talk.said.reply_order[0];
        auto position = position_of(talk);
        const std::size_t got_before = talk.received.size();
        if (row.loses_some) {
            // Nobody has noticed yet that nothing arrives.
            talk.reports = false;
            talk.here = false;
            for (int i = 0; i < 15; ++i) {
                talk.step();
                while (talk.session->next_for_client(talk.clock.now).kind != conversation::Downlink::Next::Kind::nothing) {}
            }
            talk.speaker.clear(talk.clock.now);
            position.played_ms = talk.speaker.heard_ms(item);
        }
        talk.lose_client();
        talk.speaker.clear(talk.clock.now);  // what it had is gone with the page
        if (!row.loses_some) position.played_ms = talk.speaker.heard_ms(item);
        talk.microphone = false;
        talk.run(row.away_ms);
        if (!row.says_where) position.item_id.reset();
        if (!row.says_what) position.last_event_id.reset();
        talk.come_back(position);
        talk.microphone = true;
        talk.reports = row.reports;
        CHECK(talk.received.size() > got_before);
        const auto& first = talk.received.at(talk.back_at);
        CHECK(json::find_string(first, "type") == "session.resumed");
        CHECK(json::find_int(first, "events_lost") == 0);
        REQUIRE(talk.run_until_quiet());
        CHECK(talk.speaker.wrong == Strings{});
        CHECK(talk.speaker.heard_ms(item) == 6'000);
        if (row.says_where) CHECK(talk.speaker.again_ms == 0);
        CHECK(talk.speaker.again_ms <= 100);
        // Each event of the service's once, in its order.
        if (row.says_what) {
            std::map<std::string, int> times;
            for (const auto& event : talk.received) ++times[std::string(json::find_string(event, "event_id").value_or("?"))];
            for (const auto& [id, count] : times) {
                INFO(id);
                CHECK(count == 1);
            }
            CHECK(talk.count("response.done") == 1);
            CHECK(talk.count("response.output_audio.done") == 1);
        }
        CHECK(talk.count("audio.end") == 1);
        talk.turn_and_reply();
        CHECK(talk.speaker.heard_ms(talk.said.reply_order.back()) == 6'000);
        talk.session->close(talk.clock.now);
        CHECK(line_of(*talk.record, item)->heard_ms == 6'000);
        CHECK(!line_of(*talk.record, item)->cut);
        if (row.says_where && !row.loses_some) CHECK(talk.record->played_ms() == 12'000);
    }
}

TEST_CASE("a client that is away loses events only beyond what is kept, and is told how many")
{
    auto settings = Talk::lasting();
    settings.downlink.resume.events_max = 8;
    Talk talk(settings, with_replies_of(2'000));
    talk.run(500);
    const std::string last = talk.last_event_id();
    talk.turn_and_reply();
    const std::size_t missed = talk.received.size();
    talk.lose_client();
    talk.run(1'000);
    talk.come_back({last, {}, 0});
    const auto resumed = talk.received.at(talk.back_at);
    CHECK(*json::find_int(resumed, "events_lost") > 0);
    CHECK(*json::find_int(resumed, "events_again") <= 8);
    CHECK(static_cast<std::size_t>(*json::find_int(resumed, "events_again") + *json::find_int(resumed, "events_lost")) <= missed);
}

TEST_CASE("both connections lost at once: both sides go on")
{
    for (const bool client_first : {true, false}) {
        for (const bool client_back_first : {true, false}) {
            INFO((client_first ? "client" : "service") << " lost first, " << (client_back_first ? "client" : "service") << " back first");
            Talk talk(Talk::lasting(), with_replies_of(5'000));
            reply_heard_to(talk, 1'000);
            const auto position = [&] { return position_of(talk); };
            if (client_first) {
                talk.lose_client();
                talk.speaker.clear(talk.clock.now);
                talk.run(100);
                talk.recover_after = milliseconds(client_back_first ? 800 : 60);
                talk.lose();
            } else {
                talk.recover_after = milliseconds(client_back_first ? 800 : 60);
                talk.lose();
                talk.run(40);
                talk.lose_client();
                talk.speaker.clear(talk.clock.now);
            }
            talk.microphone = false;
            talk.run(400);
            talk.come_back(position());
            talk.microphone = true;
            CHECK(json::find_string(talk.received.at(talk.back_at), "type") == "session.resumed");
            REQUIRE(talk.run_until([&] { return talk.service && talk.session->is_live(); }));
            talk.run(1'000);
            REQUIRE(talk.run_until_quiet());
            CHECK(talk.count("session.upstream_changed") == 1);
            CHECK(talk.speaker.wrong == Strings{});
            CHECK(talk.speaker.again_ms == 0);
            talk.turn_and_reply();
            CHECK(talk.speaker.heard_ms(talk.said.reply_order.back()) == 5'000);
            talk.session->close(talk.clock.now);
            CHECK(talk.record->lines_of("user") == Strings{talk.words_of(1), talk.words_of(2)});
        }
    }
}

// ── chance ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

namespace {

/// Lines of the user, as "turn N: samples" each, however the service divided the voice into turns.
std::map<int, std::int64_t> samples_by_turn(const Strings& lines)
{
    std::map<int, std::int64_t> all;
    for (const auto& line : lines)
        for (std::size_t at = line.find("turn "); at != std::string::npos; at = line.find("turn ", at + 1)) {
            const int turn = std::atoi(line.c_str() + at + 5);
            all[turn] += std::atoll(line.c_str() + line.find(": ", at) + 2);
        }
    return all;
}

void random_talk(unsigned seed)
{
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto one_of = [&](int count) { return std::uniform_int_distribution<int>(0, count - 1)(random); };
    auto settings = Talk::lasting();
    if (one_of(2)) {
        settings.recovery.rotate_age = milliseconds(5'000 + one_of(10'000));
        settings.recovery.rotate_force_age = settings.recovery.rotate_age + milliseconds(8'000);
    }
    auto manner = with_replies_of(600 + one_of(4'000));
    manner.transcript_after = milliseconds(50 + one_of(400));
    manner.answer_after = milliseconds(50 + one_of(400));
    Talk talk(settings, manner);
    talk.reports = one_of(2) == 1;
    int losses = 0;
    for (int event = 0; event < 30; ++event) {
        talk.run(20 * one_of(80));
        switch (one_of(7)) {
        case 0:
        case 1:
        case 2:
            if (!talk.is_speaking() && talk.here) talk.speak(300 + 20 * one_of(90));
            break;
        case 3:
            if (talk.service) talk.lose(), ++losses;
            break;
        case 4:
            if (talk.here && !talk.is_speaking()) {
                talk.run(600);
                talk.lose_client();
                talk.speaker.clear(talk.clock.now);
                talk.microphone = false;
                talk.run(20 * one_of(100));
                talk.come_back(position_of(talk));
                talk.microphone = true;
            }
            break;
        case 5: talk.tell({{"type", "response.cancel"}}); break;
        case 6: talk.run_until_quiet(3'000); break;
        }
    }
    const bool live = talk.run_until([&] { return !talk.is_speaking() && talk.service && talk.session->is_live(); });
    CHECK(live);
    if (!live) return;
    talk.run(2'000);
    CHECK(talk.run_until_quiet());
    talk.turn_and_reply();
    CHECK(talk.speaker.heard_samples(talk.said.reply_order.back()) == talk.said.replies.at(talk.said.reply_order.back()).samples);
    CHECK(talk.said.replies.at(talk.said.reply_order.back()).whole);
    CHECK(talk.speaker.wrong == Strings{});
    CHECK(talk.count("error") == 0);
    CHECK(!talk.session->ending());
    Strings complaints = talk.service->complaints;
    for (const auto& service : talk.old) complaints.insert(complaints.end(), service->complaints.begin(), service->complaints.end());
    // A cancel that comes a moment too late is the only thing that a service may find wrong.
    for (const std::string& complaint : complaints) {
        INFO(complaint);
        CHECK(complaint.starts_with("response_cancel_not_active"));
    }
    std::map<std::string, int> open;
    for (const auto& event : talk.received) {
        const auto type = *json::find_string(event, "type");
        if (type == "response.created") CHECK(++open[std::string(*json::find_string(event, "response.id"))] == 1);
        if (type == "response.done") CHECK(--open[std::string(*json::find_string(event, "response.id"))] == 0);
    }
    for (const auto& [id, count] : open) CHECK(count == 0);
    talk.run(12'000);
    talk.session->close(talk.clock.now);
    const auto lines = talk.record->lines_of("user");
    const auto unknown = std::count(lines.begin(), lines.end(), "");
    const auto samples = samples_by_turn(lines);
    std::int64_t missing = 0;
    for (int turn = 1; turn <= talk.turns(); ++turn) {
        INFO(talk.words_of(turn));
        const auto known = samples.find(turn);
        if (known == samples.end())
            ++missing;
        else
            CHECK("turn " + std::to_string(turn) + ": " + std::to_string(known->second) == talk.words_of(turn));
    }
    if (unknown == 0) CHECK(missing == 0);  // several may have been one turn to the service
    if (losses == 0) CHECK(missing == 0);
    for (const auto& item : talk.said.reply_order) {
        const auto* line = line_of(*talk.record, item);
        if (!line || talk.speaker.heard_ms(item) == 0) continue;
        INFO(item);
        CHECK(std::abs(line->heard_ms - talk.speaker.heard_ms(item)) <= (talk.reports ? 120 : 20));
    }
}

}  // namespace

TEST_CASE("whatever is lost whenever: nothing is heard twice, nothing missed, every turn has one line")
{
    for (unsigned seed = 1; seed <= 150; ++seed) random_talk(seed);
}
