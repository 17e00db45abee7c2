#include "talk.hpp"

using namespace test;

namespace {

ServiceManner long_replies()
{
    ServiceManner manner;
    manner.reply_ms = 4'000;
    manner.transcript_after = milliseconds(100);
    return manner;
}

json::object create_with(std::string_view instructions)
{
    return {{"type", "response.create"}, {"response", json::object{{"instructions", instructions}}}};
}

bool says(const json::object& create, std::string_view words)
{
    return json::find_string(create, "response.instructions").value_or("").find(words) != std::string_view::npos;
}

void reach(Talk& talk, std::int64_t made_ms)
{
    REQUIRE(talk.run_until([&] { return talk.service->made_ms() >= made_ms; }));
}

/// When a client may wish something while no service can hear it.
enum class When { between_services, before_session_updated };

void away(Talk& talk, When when)
{
    talk.manner.update_after = milliseconds(when == When::before_session_updated ? 400 : 20);
    talk.lose();
    if (when == When::between_services) return;
    REQUIRE(talk.run_until([&] { return talk.service != nullptr; }));
    CHECK(!talk.session->is_live());
}

std::string response_of(const Talk& talk, std::size_t index)
{
    return std::string(*json::find_string(talk.got("response.created").at(index), "response.id"));
}

}  // namespace

TEST_CASE("response.cancel while the service is away: the reply that was lost is not asked for anew")
{
    for (const When when : {When::between_services, When::before_session_updated}) {
        for (const std::int64_t made_ms : {400, 2'400}) {
            for (const bool by_id : {false, true}) {
                INFO((when == When::between_services ? "between two" : "before session.updated") << ", " << made_ms << " ms came, by id: " << by_id);
                Talk talk(Talk::lasting(), long_replies());
                talk.speak(1'000);
                reach(talk, made_ms);
                away(talk, when);
                json::object cancel{{"type", "response.cancel"}};
                if (by_id) cancel["response_id"] = response_of(talk, 0);
                talk.tell(cancel);
                talk.pump();
                CHECK(talk.speaker.is_silent());
                const std::int64_t heard_ms = talk.speaker.heard_ms(talk.said.reply_order.at(0));
                talk.run(3'000);
                REQUIRE(talk.session->is_live());
                CHECK(talk.service->creates.empty());
                CHECK(talk.service->complaints == Strings{});
                CHECK(talk.said.reply_order.size() == 1);
                CHECK(talk.speaker.heard_ms(talk.said.reply_order[0]) == heard_ms);
                talk.turn_and_reply();
                CHECK(talk.said.reply_order.size() == 2);
                CHECK(talk.count("error") == 0);
            }
        }
    }
}

TEST_CASE("a newer response.create while the service is away wins over the reply that was lost")
{
    for (const When when : {When::between_services, When::before_session_updated}) {
        for (const std::int64_t made_ms : {400, 2'400}) {
            INFO((when == When::between_services ? "between two" : "before session.updated") << ", " << made_ms << " ms came");
            Talk talk(Talk::lasting(), long_replies());
            talk.run(500);
            talk.tell(typed("Good evening."));
            talk.tell(create_with("Whisper."));
            reach(talk, made_ms);
            away(talk, when);
            talk.tell(create_with("Shout."));
            REQUIRE(talk.run_until([&] { return talk.said.reply_order.size() == 2; }));
            REQUIRE(talk.run_until_quiet());
            REQUIRE(talk.service->creates.size() == 1);
            CHECK(says(talk.service->creates[0], "Shout."));
            CHECK(talk.said.reply_order.size() == 2);
            CHECK(talk.count("error") == 0);
        }
    }
}

TEST_CASE("a response.create beside the conversation while the service is away leaves the lost reply its due")
{
    Talk talk(Talk::lasting(), long_replies());
    talk.speak(1'000);
    reach(talk, 2'400);
    away(talk, When::between_services);
    talk.tell({{"type", "response.create"}, {"response", json::object{{"conversation", "none"}, {"instructions", "Aside."}}}});
    talk.run(500);
    const auto& creates = talk.service->creates;
    CHECK(std::any_of(creates.begin(), creates.end(), [](const auto& create) { return says(create, "broken off"); }));
    CHECK(std::any_of(creates.begin(), creates.end(), [](const auto& create) { return says(create, "Aside."); }));
}

TEST_CASE("response.cancel with the id of a finished response does not mute the one that runs")
{
    Talk talk(Talk::lasting(), long_replies());
    talk.turn_and_reply();
    talk.speak(1'000);
    reach(talk, 1'000);
    REQUIRE(talk.said.reply_order.size() == 2);
    talk.tell({{"type", "response.cancel"}, {"response_id", response_of(talk, 0)}});
    REQUIRE(talk.run_until_quiet());
    CHECK(talk.speaker.heard_ms(talk.said.reply_order[1]) == 4'000);
    CHECK(talk.count("audio.clear") == 0);
    CHECK(talk.service->cancels.empty());
    CHECK(talk.service->deletes.empty());

    // With its own id it is cut.
    talk.speak(1'000);
    reach(talk, 1'000);
    talk.tell({{"type", "response.cancel"}, {"response_id", response_of(talk, 2)}});
    REQUIRE(talk.run_until_quiet());
    CHECK(talk.speaker.heard_ms(talk.said.reply_order.at(2)) < 4'000);
    CHECK(talk.count("audio.clear") == 1);
    CHECK(talk.service->cancels.size() == 1);
}

TEST_CASE("response.cancel with the id of a response beside the conversation does not mute the one that is spoken")
{
    auto settings = Talk::lasting();
    settings.downlink.lead.reset();
    Script s(settings);
    s.live();
    s.reply("item_1", 400, false);
    s.client({{"type", "response.create"}, {"response", json::object{{"conversation", "none"}}}});
    s.to_upstream();
    s.upstream({{"type", "response.created"}, {"response", json::object{{"id", "resp_aside"}, {"conversation_id", nullptr}}}});
    s.client({{"type", "response.cancel"}, {"response_id", "resp_aside"}});
    const auto sent = s.to_upstream();
    REQUIRE(types(sent) == Strings{"response.cancel"});
    CHECK(json::find_string(sent[0], "response_id") == "resp_aside");
    s.upstream_text(delta_event("item_1", 100));
    CHECK(audio::ms_of_bytes(s.to_client().bytes, audio::realtime_hz) == 500);
}

// ── an answer that waits for a turn said again ───────────────────────────────────────────────────────────────────────────────

TEST_CASE("a service that finds no voice in what it is sent again: what waited for it is asked for after some seconds")
{
    auto settings = Talk::lasting();
    settings.turn_detection.interrupt_response = false;
    Talk talk(settings, long_replies());
    talk.speak(1'000);
    reach(talk, 2'000);
    // A cough over the reply.
    talk.speak(400);
    REQUIRE(talk.run_until([&] { return talk.service->hears_speech(); }));
    talk.step();
    REQUIRE(talk.service->is_replying());
    talk.manner.deaf = true;
    talk.lose();
    const Instant lost = talk.clock.now;
    REQUIRE(talk.run_until([&] { return talk.service && !talk.service->creates.empty(); }, 60'000));
    CHECK(talk.clock.now - lost < milliseconds(7'000));
    CHECK(talk.clock.now - lost > milliseconds(1'000));
    CHECK(says(talk.service->creates[0], "broken off"));
    REQUIRE(talk.run_until_quiet());
    CHECK(talk.said.reply_order.size() == 2);
}

TEST_CASE("a service that is not to answer by itself hears a turn said again to its end before it is asked for the answer that is due")
{
    auto settings = Talk::lasting();
    settings.turn_detection.create_response = false;
    settings.downlink.lead.reset();
    Script s(settings);
    s.live();
    const auto turn = [&](std::string_view item) {
        s.upstream({{"type", "input_audio_buffer.speech_started"}, {"item_id", item}, {"audio_start_ms", 0}});
        s.upstream({{"type", "input_audio_buffer.speech_stopped"}, {"item_id", item}, {"audio_end_ms", 1'000}});
        s.upstream({{"type", "input_audio_buffer.committed"}, {"item_id", item}});
    };
    s.session.on_client_audio(pcm_ms(1'500, audio::realtime_hz), s.clock.now);
    s.to_upstream();
    turn("item_turn");
    s.client({{"type", "response.create"}});
    s.to_upstream();
    s.reply("item_reply", 0, false);
    s.session.on_upstream_lost({Code::closed, "gone"}, s.clock.now);
    s.upstream({{"type", "session.created"}, {"session", json::object{{"model", "gpt-test"}}}});
    s.to_upstream();
    s.upstream({{"type", "session.updated"}, {"session", json::object{{"id", "sess_next"}}}});
    for (const auto& type : types(s.to_upstream())) CHECK(type == "input_audio_buffer.append");
    turn("item_again");
    CHECK(types(s.to_upstream()) == Strings{"response.create"});
}
