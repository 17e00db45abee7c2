#include "talk.hpp"

using namespace test;

namespace {

json::object event_of(std::string_view type) { return {{"type", type}}; }

json::object without_turn_detection()
{
    const json::object input{{"turn_detection", nullptr}};
    return {{"type", "session.update"}, {"session", json::object{{"type", "realtime"}, {"audio", json::object{{"input", input}}}}}};
}

}  // namespace

// ── the longest turn ─────────────────────────────────────────────────────────────────────────────────────────────────────────

TEST_CASE("a voice that the client commits, clears or no longer wants to be found is no endless turn")
{
    struct Row {
        const char* what;
        json::object event;
        std::size_t turns;  ///< that the service hears of it
        bool by_voice;      ///< afterwards
    };
    const Row rows[] = {
        {"commit", event_of("input_audio_buffer.commit"), 1, true},
        {"clear", event_of("input_audio_buffer.clear"), 0, true},
        {"no turn detection", without_turn_detection(), 0, false},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        auto settings = Talk::lasting();
        settings.turn_taking.turn_max = milliseconds(4'000);
        settings.turn_taking.warning = milliseconds(1'000);
        ServiceManner manner;
        manner.says_stopped = false;
        Talk talk(settings, manner);
        talk.run(500);
        talk.speak(1'000);
        REQUIRE(talk.run_until([&] { return !talk.is_speaking(); }));
        talk.run(100);
        REQUIRE(talk.service->hears_speech());
        talk.tell(row.event);
        talk.run(20'000);
        CHECK(!talk.service->hears_speech());
        CHECK(talk.count("session.warning") == 0);
        CHECK(talk.service->turns.size() == row.turns);
        CHECK(talk.service->creates.empty());
        CHECK(talk.service->complaints == Strings{});
        CHECK(talk.said.reply_order.empty());
        if (!row.by_voice) continue;

        // The next turn has its limit.
        talk.speak(6'000);
        talk.run(3'500);
        CHECK(talk.count("session.warning") == 1);
        CHECK(talk.service->turns.size() == row.turns);
        talk.run(1'000);
        CHECK(talk.service->turns.size() == row.turns + 1);
        CHECK(talk.service->creates.size() == 1);
        CHECK(talk.count("error") == 0);
    }
}

TEST_CASE("a voice that is cleared away leaves the user silent: the idle prompt comes")
{
    auto settings = Talk::lasting();
    settings.turn_taking.turn_max = milliseconds(60'000);
    settings.turn_taking.idle_prompt = milliseconds(5'000);
    Talk talk(settings);
    talk.run(500);
    talk.speak(400);
    REQUIRE(talk.run_until([&] { return !talk.is_speaking(); }));
    talk.run(60);
    talk.tell(event_of("input_audio_buffer.clear"));
    talk.run(6'000);
    CHECK(talk.service->creates.size() == 1);
}

// ── ids of another service's ─────────────────────────────────────────────────────────────────────────────────────────────────

TEST_CASE("a service that numbers its responses anew is heard behind one that used the same numbers")
{
    for (const bool amid_reply : {false, true}) {
        INFO((amid_reply ? "lost amid a reply" : "lost when it is quiet"));
        ServiceManner manner;
        manner.numbers_responses = true;
        manner.reply_ms = 3'000;
        Talk talk(Talk::lasting(), manner);
        // resp_1 is cut, resp_2 is heard whole, resp_3 is lost or cut.
        talk.speak(1'000);
        REQUIRE(talk.run_until([&] { return !talk.speaker.order.empty() && talk.speaker.heard_ms(talk.speaker.order[0]) >= 500; }));
        talk.speak(1'000);
        REQUIRE(talk.run_until([&] { return !talk.is_speaking(); }));
        talk.run(1'000);
        REQUIRE(talk.run_until_quiet());
        CHECK(talk.count("audio.clear") == 1);
        talk.speak(1'000);
        REQUIRE(talk.run_until([&] { return talk.service->made_ms() >= 2'000; }));
        if (!amid_reply) talk.tell(event_of("response.cancel"));
        talk.run(100);
        talk.lose();
        REQUIRE(talk.run_until([&] { return talk.service && talk.session->is_live(); }));
        talk.run(500);
        REQUIRE(talk.run_until_quiet(5'000 + 4'000));
        CHECK(talk.said.reply_order.size() == (amid_reply ? 4 : 3));

        for (int turn = 0; turn < 4; ++turn) {
            talk.speak(1'000);
            REQUIRE(talk.run_until([&] { return !talk.is_speaking(); }));
            talk.run(800);
            // Nothing is waited for that is over.
            CHECK(talk.run_until_quiet(5'000));
            CHECK(talk.speaker.heard_ms(talk.said.reply_order.back()) == 3'000);
            CHECK(talk.count("response.created") == talk.count("response.done"));
        }
        CHECK(talk.count("response.created") == talk.said.reply_order.size());
        CHECK(talk.speaker.wrong == Strings{});
        CHECK(talk.service->deletes.empty());
        CHECK(talk.count("error") == 0);
    }
}

// ── what a service is told, and what may wait ────────────────────────────────────────────────────────────────────────────────

TEST_CASE("a history that is longer than the list of what may wait is told whole")
{
    auto settings = Talk::lasting();
    settings.uplink_events_max = 16;
    settings.recovery.history.items_max = 100;
    ServiceManner manner;
    manner.reply_ms = 500;
    Talk talk(settings, manner);
    for (int turn = 0; turn < 14; ++turn) talk.turn_and_reply(200);
    for (int loss = 0; loss < 2; ++loss) {
        talk.lose();
        talk.run(500);
        REQUIRE(!talk.session->ending());
        REQUIRE(talk.session->is_live());
        CHECK(talk.service->told.size() == 28 + 1);
        CHECK(talk.service->complaints == Strings{});
    }
    talk.turn_and_reply();
    CHECK(talk.said.reply_order.size() == 15);
}

TEST_CASE("a turn that is told as sound may be longer than what may wait")
{
    auto settings = Talk::lasting();
    settings.events_bytes_max = 64 << 10;
    ServiceManner manner;
    manner.transcript_after = milliseconds(600'000);
    manner.reply_ms = 500;
    Talk talk(settings, manner);
    talk.turn_and_reply(500);
    talk.turn_and_reply(10'000);
    talk.lose();
    talk.run(500);
    REQUIRE(!talk.session->ending());
    REQUIRE(talk.session->is_live());
    const auto& told = talk.service->told;
    const auto is_sound = [&](const FakeService::Item& item) { return item.text == "sound of " + talk.words_of(2); };
    CHECK(std::any_of(talk.service->items.begin(), talk.service->items.end(), is_sound));
    CHECK(told.size() > 1);
    CHECK(talk.service->complaints == Strings{});
}
