#include "talk.hpp"

using namespace test;

namespace {

conversation::SessionSettings with(conversation::TurnTakingSettings taking)
{
    auto settings = Talk::lasting();
    settings.turn_taking = taking;
    return settings;
}

conversation::TurnTakingSettings with_echo_guard(std::int64_t ms)
{
    conversation::TurnTakingSettings taking;
    taking.echo_guard = milliseconds(ms);
    return taking;
}

conversation::TurnTakingSettings with_backchannels(std::int64_t ms, bool go_on = false)
{
    conversation::TurnTakingSettings taking;
    taking.backchannel_max = milliseconds(ms);
    taking.go_on_after_false_interruption = go_on;
    return taking;
}

/// Long replies; every turn but the first says `words`.
ServiceManner service_that_hears(std::string words)
{
    ServiceManner manner;
    manner.reply_ms = 5'000;
    manner.transcript_after = milliseconds(150);
    manner.transcribe = [words](const std::string& voices) { return voices.starts_with("turn 1:") ? voices : words; };
    return manner;
}

std::optional<bool> told_to_interrupt(const FakeService& service)
{
    return json::find_bool(service.session, "audio.input.turn_detection.interrupt_response");
}

/// Up to a first reply of which `ms` were heard.
void reply_under_way(Talk& talk, std::int64_t ms)
{
    talk.run(500);
    talk.speak(1'000);
    REQUIRE(talk.run_until([&] { return talk.said.reply_order.size() == 1 && talk.speaker.heard_ms(talk.said.reply_order[0]) >= ms; }));
}

std::int64_t first_heard_ms(const Talk& talk) { return talk.speaker.heard_ms(talk.said.reply_order.at(0)); }

enum class Outcome { cut, heard_whole, stopped_and_went_on };

/// What a voice did to the first reply, when it is quiet again.
Outcome outcome(Talk& talk)
{
    REQUIRE(talk.run_until_quiet());
    const bool whole = first_heard_ms(talk) == 5'000;
    if (talk.count("audio.clear") == 0) {
        CHECK(whole);
        return Outcome::heard_whole;
    }
    if (!whole) {
        CHECK(talk.count("audio.clear") == 1);
        return Outcome::cut;
    }
    return Outcome::stopped_and_went_on;
}

/// The voice was none: no answer, and nothing of it is left with the service or the record.
void check_dropped(const Talk& talk)
{
    CHECK(talk.said.reply_order.size() >= 1);
    std::size_t heard = 0;
    for (const auto& item : talk.said.reply_order) heard += talk.speaker.heard_samples(item) > 0 ? 1 : 0;
    CHECK(heard == 1);
    Strings roles;
    for (const auto& item : talk.service->items) roles.push_back(item.role);
    CHECK(roles == Strings{"user", "assistant"});
}

void check_truncated(const Talk& talk)
{
    REQUIRE(talk.service->truncates.size() == 1);
    CHECK(json::find_string(talk.service->truncates[0], "item_id") == talk.said.reply_order.at(0));
    CHECK(json::find_int(talk.service->truncates[0], "audio_end_ms") == first_heard_ms(talk));
    for (const auto error_ms : talk.clear_errors_ms) CHECK(error_ms == 0);
}

}  // namespace

TEST_CASE("who decides about interruptions: the service is told ours, the client is shown its own wish")
{
    const auto with_going_on = with_backchannels(0, true);
    const conversation::TurnTakingSettings plain, guarded = with_echo_guard(500), lenient = with_backchannels(600);
    struct Row {
        const char* what;
        const conversation::TurnTakingSettings& taking;
        bool decides;
    };
    const Row rows[] = {{"all off", plain, false}, {"echo guard", guarded, true}, {"backchannels", lenient, true}, {"going on", with_going_on, true}};
    for (const Row& row : rows) {
        for (const bool wish : {true, false}) {
            INFO(row.what << ", the client's wish: " << wish);
            auto settings = with(row.taking);
            settings.turn_detection.interrupt_response = wish;
            Talk talk(settings);
            talk.run(500);
            CHECK(told_to_interrupt(*talk.service) == (wish && !row.decides));
            CHECK(json::find_bool(talk.got("session.created").at(0), "session.audio.input.turn_detection.interrupt_response") == wish);
            CHECK(talk.count("session.updated") == 0);  // the same as was shown

            const json::object input{{"turn_detection", json::object{{"type", "server_vad"}, {"interrupt_response", !wish}}}};
            talk.tell({{"type", "session.update"}, {"session", json::object{{"type", "realtime"}, {"audio", json::object{{"input", input}}}}}});
            talk.run(500);
            CHECK(told_to_interrupt(*talk.service) == (!wish && !row.decides));
            REQUIRE(talk.count("session.updated") == 1);
            CHECK(json::find_bool(talk.got("session.updated").at(0), "session.audio.input.turn_detection.interrupt_response") == !wish);

            // The next service is told the same.
            talk.lose();
            talk.run(500);
            CHECK(told_to_interrupt(*talk.service) == (!wish && !row.decides));
            CHECK(talk.count("session.updated") == 1);
        }
    }
}

TEST_CASE("what a voice does to a reply, by what it says, how long it is and what is switched on")
{
    const conversation::TurnTakingSettings off, guard = with_echo_guard(1'500), backchannels = with_backchannels(900);
    const conversation::TurnTakingSettings going_on = with_backchannels(0, true), both = with_backchannels(900, true);
    struct Row {
        const char* what;
        const conversation::TurnTakingSettings& taking;
        std::int64_t heard_ms;  ///< of the reply, before
        std::int64_t voice_ms;
        const char* words;
        Outcome outcome;
        std::size_t replies;  ///< heard, at the end
    };
    const Row rows[] = {
        {"off: any voice cuts", off, 2'000, 200, "응", Outcome::cut, 2},
        {"guard: short, at once", guard, 300, 400, "응", Outcome::heard_whole, 1},
        {"guard: an echo in the character's own words", guard, 300, 400, "hello there my friend", Outcome::heard_whole, 1},
        {"guard: longer than it", guard, 300, 2'600, "let me tell you", Outcome::cut, 2},
        {"guard: it is over", guard, 2'500, 400, "응", Outcome::cut, 2},
        {"backchannel: 응", backchannels, 2'000, 400, "응", Outcome::heard_whole, 1},
        {"backchannel: mm-hm", backchannels, 2'000, 400, "Mm-hm.", Outcome::heard_whole, 1},
        {"backchannel: a cough", backchannels, 2'000, 200, "", Outcome::heard_whole, 1},
        {"backchannel: a real word", backchannels, 2'000, 400, "Why is that?", Outcome::cut, 2},
        {"backchannel: 그만", backchannels, 2'000, 400, "그만", Outcome::cut, 2},
        {"backchannel: too long for one", backchannels, 1'000, 2'000, "응", Outcome::cut, 2},
        {"going on: it was nothing", going_on, 2'000, 200, "", Outcome::stopped_and_went_on, 1},
        {"going on: a backchannel", going_on, 2'000, 300, "네", Outcome::stopped_and_went_on, 1},
        {"going on: words", going_on, 2'000, 400, "Why is that?", Outcome::cut, 2},
        {"going on: long", going_on, 2'000, 2'000, "Why is that?", Outcome::cut, 2},
        {"both: a backchannel", both, 2'000, 700, "네 네", Outcome::stopped_and_went_on, 1},
        {"both: stop", both, 2'000, 400, "잠깐만", Outcome::cut, 2},
    };
    for (const Row& row : rows) {
        for (const bool reports : {false, true}) {
            INFO(row.what << (reports ? ", with playback reports" : ""));
            Talk talk(with(row.taking), service_that_hears(row.words));
            talk.reports = reports;
            reply_under_way(talk, row.heard_ms);
            talk.speak(row.voice_ms);
            REQUIRE(talk.run_until([&] { return !talk.is_speaking(); }));
            talk.run(2'000);
            CHECK(outcome(talk) == row.outcome);
            std::size_t heard = 0;
            for (const auto& item : talk.said.reply_order) heard += talk.speaker.heard_samples(item) > 0 ? 1 : 0;
            CHECK(heard == row.replies);
            CHECK(talk.speaker.wrong == Strings{});
            CHECK(talk.speaker.again_ms <= (reports ? 100 : 0));  // a report is as old as that
            CHECK(talk.count("error") == 0);
            if (row.outcome == Outcome::cut && !reports) check_truncated(talk);
            if (row.outcome != Outcome::cut) check_dropped(talk);
            if (row.outcome == Outcome::stopped_and_went_on) {
                const auto starts = talk.got("audio.start");
                REQUIRE(starts.size() == 2);
                CHECK(json::find_int(starts[1], "offset_ms").value_or(-1) == json::find_int(talk.got("audio.clear").at(0), "audio_end_ms"));
                CHECK(talk.count("audio.end") == 1);
                CHECK(talk.service->truncates.empty());
            }
            // The conversation goes on.
            const std::size_t replies = talk.said.reply_order.size();
            talk.turn_and_reply();
            CHECK(talk.said.reply_order.size() == replies + 1);
            CHECK(talk.speaker.heard_ms(talk.said.reply_order.back()) == 5'000);
            talk.session->close(talk.clock.now);
            for (const auto& [number, line] : talk.record->by_number) {
                if (line.item_id != talk.said.reply_order[0]) continue;
                CHECK(line.cut == (row.outcome == Outcome::cut));
                CHECK(line.heard_ms <= first_heard_ms(talk));
                CHECK(line.heard_ms >= first_heard_ms(talk) - (reports ? 100 : 0));
            }
        }
    }
}

TEST_CASE("a reply that stands still survives the loss of its service, and of its client")
{
    for (const char* lost : {"service", "client"}) {
        for (const char* words : {"네", "Why is that?"}) {
            INFO("the " << lost << ", after \"" << words << "\"");
            auto manner = service_that_hears(words);
            manner.transcript_after = milliseconds(600);
            manner.answer_after = milliseconds(900);
            Talk talk(with(with_backchannels(900, true)), manner);
            reply_under_way(talk, 2'000);
            REQUIRE(talk.run_until([&] { return talk.count("response.done") == 1; }));
            const std::int64_t stood_at = first_heard_ms(talk);
            talk.speak(400);
            REQUIRE(talk.run_until([&] { return talk.count("audio.clear") == 1; }));
            talk.run(200);
            if (lost == std::string_view("service")) {
                talk.lose();
            } else {
                talk.microphone = true;
                talk.lose_client();
                talk.run(400);
                talk.come_back({talk.last_event_id(), talk.said.reply_order[0], first_heard_ms(talk)});
            }
            REQUIRE(talk.run_until([&] { return !talk.is_speaking() && talk.service && talk.session->is_live(); }));
            talk.run(3'000);
            REQUIRE(talk.run_until_quiet());
            CHECK(first_heard_ms(talk) > stood_at);
            CHECK(talk.speaker.wrong == Strings{});
            CHECK(talk.count("error") == 0);
            const bool meant = words != std::string_view("네");
            // The service may have answered before it was known what became of the first reply.
            CHECK(talk.speaker.order.size() == (meant ? 2 : 1));
            if (!meant) CHECK(first_heard_ms(talk) == 5'000);
            talk.turn_and_reply();
            CHECK(talk.speaker.heard_ms(talk.said.reply_order.back()) == 5'000);
        }
    }
}

TEST_CASE("an answer to a backchannel is not heard, though it began before the words were known")
{
    for (const bool goes_on : {false, true}) {
        INFO((goes_on ? "stops, and goes on" : "does not stop"));
        auto manner = service_that_hears("네");
        manner.transcript_after = milliseconds(600);
        Talk talk(with(with_backchannels(900, goes_on)), manner);
        reply_under_way(talk, 2'000);
        REQUIRE(talk.run_until([&] { return talk.count("response.done") == 1; }));
        talk.speak(400);
        talk.run(2'500);
        REQUIRE(talk.run_until_quiet());
        CHECK(first_heard_ms(talk) == 5'000);
        CHECK(talk.said.reply_order.size() == 2);
        CHECK(talk.speaker.order.size() == 1);
        CHECK(talk.service->items.size() == 2);
        CHECK(talk.count("response.created") == talk.count("response.done"));
        CHECK(talk.count("error") == 0);
        talk.turn_and_reply();
        CHECK(talk.speaker.heard_ms(talk.said.reply_order.back()) == 5'000);
    }
}

TEST_CASE("a reply that was asked for just before the user speaks is not heard over the voice")
{
    ServiceManner manner;
    manner.answer_after = milliseconds(300);
    Talk talk(Talk::lasting(), manner);
    talk.run(500);
    talk.speak(1'500);
    talk.step();  // the service has heard the voice, and we have not heard of it yet
    talk.tell({{"type", "response.create"}});
    REQUIRE(talk.run_until([&] { return !talk.is_speaking(); }));
    CHECK(talk.speaker.order.empty());
    talk.run(1'500);
    REQUIRE(talk.run_until_quiet());
    REQUIRE(talk.speaker.order.size() == 1);
    CHECK(talk.speaker.heard_ms(talk.speaker.order[0]) == 2'000);
    CHECK(talk.count("error") == 0);
}

TEST_CASE("idle prompts: so many in a row, and again when the user has spoken")
{
    for (const std::int64_t after_ms : {0, 5'000}) {
        INFO("after " << after_ms << " ms");
        conversation::TurnTakingSettings taking;
        taking.idle_prompt = milliseconds(after_ms);
        Talk talk(with(taking));
        talk.turn_and_reply();
        const Instant silent_since = talk.clock.now;
        std::optional<Instant> prompted_at;
        talk.run_until([&] { return !talk.service->creates.empty(); }, 10'000);
        if (!talk.service->creates.empty()) prompted_at = talk.clock.now;
        talk.run(60'000);
        const std::size_t prompts = after_ms > 0 ? 2 : 0;
        CHECK(talk.service->creates.size() == prompts);
        CHECK(talk.said.reply_order.size() == 1 + prompts);
        if (after_ms == 0) continue;
        REQUIRE(prompted_at);
        CHECK(std::chrono::abs(*prompted_at - silent_since - milliseconds(after_ms)) <= milliseconds(60));
        CHECK(json::find_string(talk.service->creates[0], "response.instructions")->starts_with("PERSONA"));
        CHECK(talk.count("error") == 0);

        talk.turn_and_reply();
        talk.run(60'000);
        CHECK(talk.service->creates.size() == 4);

        // Not while the user types, or while a reply is asked for.
        for (int i = 0; i < 4; ++i) {
            talk.run(4'000);
            talk.tell(typed("…"));
        }
        CHECK(talk.service->creates.size() == 4);
        talk.run(60'000);
        CHECK(talk.service->creates.size() == 6);
        for (const auto& item : talk.said.reply_order) CHECK(talk.speaker.heard_samples(item) == talk.said.replies.at(item).samples);

        // The count survives a change of services.
        talk.lose();
        talk.run(60'000);
        CHECK(talk.service->creates.empty());
    }
}

TEST_CASE("the longest turn is ended and answered, with a warning before")
{
    for (const std::int64_t turn_ms : {0, 4'000}) {
        for (const std::int64_t warning_ms : {0, 1'000}) {
            INFO("longest turn " << turn_ms << " ms, warning " << warning_ms << " ms");
            conversation::TurnTakingSettings taking;
            taking.turn_max = milliseconds(turn_ms);
            taking.warning = milliseconds(warning_ms);
            Talk talk(with(taking));
            talk.run(500);
            talk.speak(6'000);
            const Instant began = talk.clock.now;
            talk.run_until([&] { return talk.count("session.warning") > 0 || !talk.service->turns.empty(); });
            CHECK(talk.count("session.warning") == (turn_ms > 0 && warning_ms > 0 ? 1 : 0));
            if (turn_ms > 0 && warning_ms > 0) {
                CHECK(json::find_string(talk.got("session.warning")[0], "limit") == "turn");
                CHECK(json::find_int(talk.got("session.warning")[0], "remaining_ms").value_or(0) <= warning_ms);
                CHECK(json::find_int(talk.got("session.warning")[0], "remaining_ms").value_or(0) > warning_ms - 40);
                CHECK(talk.clock.now - began <= milliseconds(turn_ms - warning_ms + 60));
            }
            REQUIRE(talk.run_until([&] { return !talk.service->turns.empty(); }));
            const auto passed = talk.clock.now - began;
            if (turn_ms == 0) {
                CHECK(passed >= milliseconds(6'400));
                CHECK(talk.service->turns[0] == talk.words_of(1));
                CHECK(talk.service->creates.empty());
            } else {
                CHECK(passed <= milliseconds(turn_ms + 100));
                CHECK(passed >= milliseconds(turn_ms - 40));
            }
            REQUIRE(talk.run_until([&] { return !talk.is_speaking(); }));
            talk.run(1'000);
            REQUIRE(talk.run_until_quiet());
            CHECK(talk.count("error") == 0);
            CHECK(talk.service->complaints == Strings{});
            talk.turn_and_reply();
            CHECK(talk.speaker.heard_ms(talk.said.reply_order.back()) == 2'000);
            CHECK(talk.service->turns.back() == talk.words_of(2));
        }
    }
}

TEST_CASE("the longest conversation ends with a typed error, and a warning before")
{
    for (const std::int64_t limit_ms : {0, 20'000}) {
        for (const std::int64_t warning_ms : {0, 5'000}) {
            INFO("limit " << limit_ms << " ms, warning " << warning_ms << " ms");
            auto settings = Talk::lasting();
            settings.limit = milliseconds(limit_ms);
            settings.warning = milliseconds(warning_ms);
            Talk talk(settings);
            talk.turn_and_reply();
            talk.run(14'800 - std::chrono::duration_cast<milliseconds>(talk.clock.now - talk.record->began_at).count());
            CHECK(talk.count("session.warning") == 0);
            talk.run(400);
            CHECK(talk.count("session.warning") == (limit_ms > 0 && warning_ms > 0 ? 1 : 0));
            if (limit_ms > 0 && warning_ms > 0) {
                CHECK(json::find_string(talk.got("session.warning")[0], "limit") == "session");
                CHECK(std::abs(json::find_int(talk.got("session.warning")[0], "remaining_ms").value_or(0) - warning_ms) <= 40);
            }
            talk.run(4'600);
            CHECK(!talk.session->ending());
            talk.run(400);
            CHECK(talk.session->ending().has_value() == (limit_ms > 0));
            CHECK(talk.count("session.warning") == (limit_ms > 0 && warning_ms > 0 ? 1 : 0));
            if (limit_ms == 0) {
                talk.run(200'000);
                CHECK(talk.count("session.warning") == 0);
                continue;
            }
            CHECK(talk.session->ending()->close_code == 1001);
            CHECK(talk.count("error") == 1);
            CHECK(json::find_string(talk.got("error").at(0), "error.code") == "timeout");
            CHECK(!talk.session->wants_upstream());
        }
    }
}

TEST_CASE("interruptions are exact to the millisecond, by the pacing and by playback reports")
{
    for (const bool reports : {false, true}) {
        for (const std::int64_t heard_ms : {20, 500, 1'980, 4'400}) {
            INFO(heard_ms << (reports ? " ms, reported" : " ms"));
            ServiceManner manner;
            manner.reply_ms = 5'000;
            Talk talk(Talk::lasting(), manner);
            talk.reports = reports;
            reply_under_way(talk, heard_ms);
            talk.speak(600);
            REQUIRE(talk.run_until([&] { return talk.count("audio.clear") == 1; }));
            // A report is up to 100 ms old.
            for (const auto error_ms : talk.clear_errors_ms) CHECK((reports ? error_ms <= 0 && error_ms >= -100 : error_ms == 0));
            talk.run(2'000);
            talk.run_until_quiet();
            CHECK(json::find_int(talk.service->truncates.at(0), "audio_end_ms") == json::find_int(talk.got("audio.clear")[0], "audio_end_ms"));
            CHECK(talk.said.reply_order.size() == 2);
            CHECK(talk.service->complaints == Strings{});
        }
    }
}
