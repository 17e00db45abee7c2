#include "support.hpp"

using namespace test;

TEST_CASE("the session is configured before anything of the client's is passed on")
{
    Script script;
    script.session.on_client_audio(pcm_ms(20, 24'000), script.clock.now);
    script.client({{"type", "response.create"}});
    CHECK(script.to_upstream().empty());

    script.upstream({{"type", "session.created"}, {"session", json::object{{"model", "gpt-test"}}}});
    const auto update = script.to_upstream();
    REQUIRE(types(update) == Strings{"session.update"});
    CHECK(json::find_string(update[0], "session.type") == "realtime");
    CHECK(json::find_string(update[0], "session.instructions") == "PERSONA");
    CHECK(json::find_string(update[0], "session.audio.output.voice") == "sage");
    CHECK(json::find_int(update[0], "session.audio.input.format.rate") == 24'000);
    CHECK(json::find_int(update[0], "session.audio.input.turn_detection.silence_duration_ms") == 500);
    CHECK(json::find_string(update[0], "session.audio.input.transcription.language") == "ko");
    CHECK(script.to_client().order == Strings{"session.created"});

    script.upstream({{"type", "session.updated"}, {"session", json::object{{"id", "theirs"}}}});
    CHECK(types(script.to_upstream()) == Strings{"input_audio_buffer.append", "response.create"});
}

TEST_CASE("session.created is first, shows the client's own rates and never the persona")
{
    auto settings = Script::defaults();
    settings.input_hz = 16'000;
    settings.downlink.output_hz = 48'000;
    Script script(settings);
    script.upstream({{"type", "session.created"}, {"session", json::object{{"model", "gpt-test"}}}});
    script.upstream({{"type", "rate_limits.updated"}});
    script.upstream({{"type", "session.updated"},
                     {"session", json::object{{"id", "theirs"}, {"instructions", "PERSONA"}, {"audio", json::object{{"output", json::object{{"voice", "sage"}}}}}}}});
    const auto out = script.to_client();
    REQUIRE(out.order.front() == "session.created");
    const auto& created = out.events.front();
    CHECK(json::find_string(created, "session.id") == "sess_ours");
    CHECK(json::find_string(created, "session.character_id") == "park_jihoon");
    CHECK(json::find_string(created, "session.model") == "gpt-test");
    CHECK(json::find_string(created, "session.voice") == "sage");
    CHECK(json::find_int(created, "session.audio.input.format.rate") == 16'000);
    CHECK(json::find_int(created, "session.audio.output.format.rate") == 48'000);
    CHECK(json::find_string(created, "session.instructions") == "");
}

TEST_CASE("session.updated follows session.created only when the service made something else of the session")
{
    const json::object offered{{"id", "theirs"},
                               {"type", "realtime"},
                               {"tools", json::array()},
                               {"audio", json::object{{"input", json::object{{"noise_reduction", nullptr}}}, {"output", json::object{{"voice", "marin"}, {"speed", 1.0}}}}}};
    for (const bool agreed : {true, false}) {
        Script script;
        script.upstream({{"type", "session.created"}, {"session", offered}});
        const auto created = script.to_client();
        REQUIRE(created.order == Strings{"session.created"});
        CHECK(json::find_string(created.events[0], "session.audio.output.voice") == "sage");
        CHECK(json::find_number(created.events[0], "session.audio.output.speed") == 1.0);
        CHECK(json::find(created.events[0], "session.tools"));

        json::object in_force = offered;
        const auto update = script.to_upstream();
        for (const auto& [key, value] : *json::find_object(update[0], "session"))
            if (key != "audio") in_force[key] = value;
        json::object& audio = in_force["audio"].as_object();
        for (const auto& [key, value] : *json::find_object(update[0], "session.audio.input")) audio["input"].as_object()[key] = value;
        audio["output"].as_object()["voice"] = agreed ? "sage" : "alloy";
        script.upstream({{"type", "session.updated"}, {"session", in_force}});
        CHECK(script.to_client().order == (agreed ? Strings{} : Strings{"session.updated"}));
    }
}

TEST_CASE("audio and events keep the order in which the client sent them")
{
    Script script;
    script.live();
    script.session.on_client_audio(pcm_ms(20, 24'000), script.clock.now);
    script.session.on_client_audio(pcm_ms(20, 24'000), script.clock.now);
    script.client({{"type", "input_audio_buffer.commit"}});
    script.session.on_client_audio(pcm_ms(20, 24'000), script.clock.now);
    script.client({{"type", "response.create"}});
    CHECK(types(script.to_upstream()) == Strings{"input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.append", "response.create"});
}

TEST_CASE("a spoken reply is announced, paced and closed in order")
{
    Script script;
    script.live().reply("item_a", 1'000, true);
    auto first = script.to_client();
    CHECK(first.order == Strings{"response.created", "response.done", "audio.start", "binary"});
    CHECK(audio::ms_of_bytes(first.bytes, 24'000) == 400);

    std::size_t bytes = first.bytes;
    Strings order;
    for (int step = 0; step < 60; ++step) {
        script.clock.advance(20);
        auto more = script.to_client();
        bytes += more.bytes;
        for (auto& type : more.order)
            if (order.empty() || order.back() != type) order.push_back(type);
    }
    CHECK(bytes == audio::bytes_of_ms(1'000, 24'000));
    CHECK(order == Strings{"binary", "audio.end", "response.output_audio.done"});
}

TEST_CASE("interruption: what was heard is kept, the rest is dropped on both sides")
{
    struct Row {
        const char* what;
        std::int64_t reply_ms;
        bool generation_ended;
        std::int64_t heard_ms;       ///< time that passes before the user speaks
        Strings upstream_at_once, upstream_after_done;
    };
    const Row rows[] = {
        {"before the first byte", 0, false, 0, {}, {}},
        {"mid-item, still generating", 3'000, false, 1'000, {"conversation.item.truncate"}, {}},
        {"after generation ended", 3'000, true, 1'000, {"conversation.item.truncate"}, {}},
        {"nothing heard yet, still generating", 3'000, false, 0, {}, {"conversation.item.delete"}},
        {"nothing heard yet, generation ended", 3'000, true, 0, {"conversation.item.delete"}, {}},
        {"heard to the end", 500, true, 2'000, {}, {}},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        Script script;
        script.live().reply("item_a", row.reply_ms, row.generation_ended);
        for (std::int64_t passed = 0; passed < row.heard_ms; passed += 20) {
            script.to_client();
            script.clock.advance(20);
        }
        if (row.heard_ms > 0) script.to_client();
        script.to_upstream();

        script.speech_started();
        const auto sent = script.to_upstream();
        CHECK(types(sent) == row.upstream_at_once);
        if (!row.upstream_at_once.empty() && row.upstream_at_once[0] == "conversation.item.truncate") {
            CHECK(json::find_string(sent[0], "item_id") == "item_a");
            CHECK(json::find_int(sent[0], "audio_end_ms") == row.heard_ms);
        }
        const auto out = script.to_client();
        const bool speaking = row.reply_ms > row.heard_ms;
        if (speaking) {
            CHECK(out.order.front() == "audio.clear");
            CHECK(json::find_int(out.events.front(), "audio_end_ms") == row.heard_ms);
        } else {
            CHECK(std::count(out.order.begin(), out.order.end(), "audio.clear") == 0);
        }
        CHECK(out.bytes == 0);

        // Late audio of the item that was cut does not come through any more.
        if (speaking) script.upstream_text(delta_event("item_a", 200));
        script.clock.advance(5'000);
        CHECK(script.to_client().bytes == 0);
        if (!row.generation_ended) {
            script.upstream({{"type", "response.done"}, {"response", json::object{{"id", "resp_1"}, {"status", "cancelled"}}}});
            CHECK(types(script.to_upstream()) == row.upstream_after_done);
        }

        // … and the next reply does.
        script.reply("item_b", 300, true, "resp_2");
        CHECK(audio::ms_of_bytes(script.to_client().bytes, 24'000) == 300);
    }
}

TEST_CASE("the client's own playback report decides what was heard, but never more than was sent")
{
    for (const auto& [reported, expected] : {std::pair<std::int64_t, std::int64_t>{250, 250}, {90'000, 1'400}}) {
        Script script;
        script.live().reply("item_a", 5'000, true);
        for (int i = 0; i < 50; ++i) {
            script.to_client();
            script.clock.advance(20);
        }
        script.to_client();
        script.client({{"type", "playback"}, {"item_id", "item_a"}, {"played_ms", reported}});
        script.speech_started();
        const auto sent = script.to_upstream();
        REQUIRE(types(sent) == Strings{"conversation.item.truncate"});
        CHECK(json::find_int(sent[0], "audio_end_ms") == expected);
    }
}

TEST_CASE("with interrupt_response off the character finishes its sentence")
{
    auto settings = Script::defaults();
    settings.turn_detection.interrupt_response = false;
    Script script(settings);
    script.live().reply("item_a", 1'000, true);
    script.to_client();
    script.speech_started();
    CHECK(script.to_client().order == Strings{"input_audio_buffer.speech_started"});
    CHECK(script.to_upstream().empty());
}

TEST_CASE("response.cancel by the client interrupts too")
{
    SECTION("while the upstream generates: it is told")
    {
        Script script;
        script.live().reply("item_a", 1'000, false);
        script.to_client();
        script.clock.advance(100);
        script.client({{"type", "response.cancel"}});
        CHECK(types(script.to_upstream()) == Strings{"response.cancel", "conversation.item.truncate"});
        CHECK(script.to_client().order.front() == "audio.clear");
    }
    SECTION("while only the loudspeaker still talks: there is nothing to cancel upstream")
    {
        Script script;
        script.live().reply("item_a", 1'000, true);
        script.to_client();
        script.clock.advance(100);
        script.client({{"type", "response.cancel"}});
        CHECK(types(script.to_upstream()) == Strings{"conversation.item.truncate"});
        CHECK(script.to_client().order.front() == "audio.clear");
    }
    SECTION("while nobody talks: the upstream answers, behind the response.create that may be on its way")
    {
        Script script;
        script.live().client({{"type", "response.create"}}).client({{"type", "response.cancel"}, {"event_id", "c7"}});
        const auto sent = script.to_upstream();
        CHECK(types(sent) == Strings{"response.create", "response.cancel"});
        CHECK(json::find_string(sent.at(1), "event_id") == "c7");
    }
}

TEST_CASE("a response that is cut before its first sound stays silent, and out of the context")
{
    Script script;
    script.live().reply("item_a", 0, false);
    script.client({{"type", "response.cancel"}});
    CHECK(types(script.to_upstream()) == Strings{"response.cancel"});
    script.upstream_text(delta_event("item_a", 300)).upstream_text(delta_event("item_a", 300));
    CHECK(script.to_client().bytes == 0);
    script.upstream({{"type", "response.done"}, {"response", json::object{{"id", "resp_1"}, {"status", "cancelled"}}}});
    const auto sent = script.to_upstream();
    REQUIRE(types(sent) == Strings{"conversation.item.delete"});
    CHECK(json::find_string(sent[0], "item_id") == "item_a");
    script.reply("item_b", 300, true, "resp_2");
    CHECK(script.to_client().bytes > 0);
}

TEST_CASE("an unknown event type in Korean is quoted in whole letters")
{
    Script script;
    std::string type;
    for (int i = 0; i < 60; ++i) type += "가";
    script.live().client({{"type", type}});
    CHECK(script.to_client().order == Strings{"error"});  // which parses, so it is UTF-8
}

TEST_CASE("what has been said already is still played when the upstream goes")
{
    Script script;
    script.live().reply("item_a", 1'000, true);
    script.session.on_upstream_lost({Code::closed, "gone"}, script.clock.now);
    std::size_t bytes = 0;
    for (int i = 0; i < 80; ++i) {
        bytes += script.to_client().bytes;
        script.clock.advance(20);
    }
    CHECK(bytes == audio::bytes_of_ms(1'000, 24'000));
}

TEST_CASE("bad input from the client ends in a typed error and the session goes on")
{
    struct Row {
        const char* text;
        const char* code;
        const char* param;
    };
    const Row rows[] = {
        {"{", "invalid_json", nullptr},
        {"[1]", "invalid_json", nullptr},
        {R"({"no":"type"})", "invalid_event", nullptr},
        {R"({"type":"make.coffee"})", "invalid_value", "type"},
        {R"({"type":"input_audio_buffer.append"})", "missing_required_parameter", "audio"},
        {R"({"type":"input_audio_buffer.append","audio":"@@@@"})", "invalid_audio", "audio"},
        {R"({"type":"playback","played_ms":1})", "missing_required_parameter", "item_id"},
        {R"({"type":"playback","item_id":"a","played_ms":-5})", "invalid_value", "played_ms"},
        {R"({"type":"session.update"})", "missing_required_parameter", "session"},
        {R"({"type":"session.update","session":{"type":"realtime","audio":{"input":{"format":{"type":"audio/pcm","rate":24000}}}}})", "invalid_value",
         "session.audio.input.format"},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        Script script;
        script.live();
        script.session.on_client_event(row.text, script.clock.now);
        const auto out = script.to_client();
        REQUIRE(out.order == Strings{"error"});
        CHECK(json::find_string(out.events[0], "error.code") == row.code);
        if (row.param) CHECK(json::find_string(out.events[0], "error.param") == row.param);
        CHECK(!script.session.ending());
        CHECK(script.to_upstream().empty());
    }
}

TEST_CASE("an odd byte is named and dropped, the rest of the frame is used")
{
    Script script;
    script.live();
    auto pcm = pcm_ms(20, 24'000);
    pcm.push_back(std::byte{1});
    script.session.on_client_audio(pcm, script.clock.now);
    const auto out = script.to_client();
    REQUIRE(out.order == Strings{"error"});
    CHECK(json::find_string(out.events[0], "error.code") == "invalid_audio");
    const auto sent = script.to_upstream();
    REQUIRE(types(sent) == Strings{"input_audio_buffer.append"});
    CHECK(json::find_string(sent[0], "audio")->size() == audio::base64_encoded_bytes(960));
}

TEST_CASE("a full uplink drops audio with one error, and goes on when there is room")
{
    auto settings = Script::defaults();
    settings.uplink_bytes = 4'096;
    Script script(settings);
    script.live();
    for (int i = 0; i < 20; ++i) script.session.on_client_audio(pcm_ms(20, 24'000), script.clock.now);
    CHECK(script.to_client().order == Strings{"error"});
    CHECK(script.metrics.audio_dropped_bytes.value() == 16 * 960);
    script.to_upstream();
    script.session.on_client_audio(pcm_ms(20, 24'000), script.clock.now);
    CHECK(types(script.to_upstream()) == Strings{"input_audio_buffer.append"});
}

TEST_CASE("the client's instructions go behind the persona")
{
    Script script;
    script.live().client({{"type", "session.update"}, {"event_id", "u1"}, {"session", json::object{{"type", "realtime"}, {"instructions", "Be brief."}}}});
    const auto sent = script.to_upstream();
    REQUIRE(sent.size() == 1);
    CHECK(json::find_string(sent[0], "session.instructions") == "PERSONA\n\nBe brief.");
    CHECK(json::find_string(sent[0], "event_id") == "u1");
    script.upstream({{"type", "session.updated"}, {"session", json::object{{"instructions", "PERSONA\n\nBe brief."}}}});
    const auto out = script.to_client();
    CHECK(json::find_string(out.events.at(0), "session.instructions") == "Be brief.");
}

TEST_CASE("turn detection changed in the session decides about later interruptions")
{
    Script script;
    script.live().upstream({{"type", "session.updated"}, {"session", json::object{{"audio", json::object{{"input", json::object{{"turn_detection", json::object{{"type", "server_vad"}, {"interrupt_response", false}}}}}}}}}});
    script.reply("item_a", 1'000, true);
    script.to_client();
    script.speech_started();
    CHECK(script.to_upstream().empty());
}

TEST_CASE("errors upstream: ours are kept from the client, the client's own are passed on")
{
    Script script;
    script.live().reply("item_a", 1'000, true);
    script.to_client();
    script.clock.advance(200);
    script.speech_started();
    const std::string own_id(json::find_string(script.to_upstream().at(0), "event_id").value());
    script.to_client();
    script.upstream({{"type", "error"}, {"error", json::object{{"code", "item_truncate_invalid_item_id"}, {"message", "x"}, {"event_id", own_id}}}});
    CHECK(script.to_client().order.empty());
    script.upstream({{"type", "error"}, {"error", json::object{{"code", "invalid_value"}, {"message", "x"}, {"event_id", "client_1"}}}});
    CHECK(script.to_client().order == Strings{"error"});
}

TEST_CASE("a refused session ends with the service's words")
{
    Script script;
    script.upstream({{"type", "session.created"}, {"session", json::object{}}});
    script.upstream({{"type", "error"}, {"error", json::object{{"code", "invalid_value"}, {"message", "No such voice."}}}});
    const auto out = script.to_client();
    REQUIRE(out.order == Strings{"session.created", "error"});
    CHECK(std::string(json::find_string(out.events[1], "error.message").value()).find("No such voice.") != std::string::npos);
    REQUIRE(script.session.ending());
    CHECK(script.session.ending()->close_code == 1011);
}

TEST_CASE("a lost upstream is told to the client once, then the conversation ends")
{
    Script script;
    script.live().session.on_upstream_lost({Code::closed, "The voice service closed the connection (1006)."}, script.clock.now);
    script.session.on_upstream_lost({Code::closed, "again"}, script.clock.now);
    CHECK(script.to_client().order == Strings{"error"});
    CHECK(script.session.ending()->close_code == 1013);
}

TEST_CASE("draining waits for the reply that runs, then says why and closes")
{
    Script script;
    script.live().reply("item_a", 600, true);
    script.session.drain();
    script.to_client();
    CHECK(!script.session.ending());
    for (int i = 0; i < 40; ++i) {
        script.clock.advance(20);
        script.to_client();
    }
    REQUIRE(script.session.ending());
    CHECK(script.session.ending()->close_code == 1001);
}

TEST_CASE("greeting: the character speaks first")
{
    auto settings = Script::defaults();
    settings.greeting = true;
    Script script(settings);
    script.upstream({{"type", "session.created"}, {"session", json::object{}}});
    script.to_upstream();
    script.upstream({{"type", "session.updated"}, {"session", json::object{}}});
    CHECK(types(script.to_upstream()) == Strings{"response.create"});
}

TEST_CASE("a response beside the conversation neither holds the floor nor ends the one that speaks")
{
    Script script;
    script.live().reply("item_a", 400, false);
    script.upstream({{"type", "response.created"}, {"response", json::object{{"id", "resp_side"}, {"conversation_id", nullptr}}}});
    script.upstream({{"type", "response.done"}, {"response", json::object{{"id", "resp_side"}}}});
    script.upstream_text(delta_event("item_a", 400));
    std::size_t bytes = 0;
    for (int i = 0; i < 60; ++i) {
        bytes += script.to_client().bytes;
        script.clock.advance(20);
    }
    CHECK(audio::ms_of_bytes(bytes, 24'000) == 800);
}

TEST_CASE("a client that does not read is ended when its events pile up")
{
    auto settings = Script::defaults();
    settings.downlink.events_max = 8;
    Script script(settings);
    script.live();
    for (int i = 0; i < 9; ++i) script.upstream({{"type", "rate_limits.updated"}});
    REQUIRE(script.session.ending());
    CHECK(script.session.ending()->reason == "slow_client");
}
