#include "repartee/realtime/session_config.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::realtime;

namespace {

SessionConfig some_session()
{
    SessionConfig config;
    config.id = "sess_1";
    config.model = "gpt-realtime-2.1";
    config.expires_at = 1'790'003'600;
    config.instructions = "Be kind.";
    return config;
}

json::value parse(std::string_view text)
{
    auto wrapped = json::parse_object("{\"v\":" + std::string(text) + "}");
    REQUIRE(wrapped.has_value());
    return wrapped->at("v");
}

}  // namespace

TEST_CASE("a session shows everything a client needs to see")
{
    const json::object session = to_json(some_session());
    CHECK(json::find_string(session, "type") == "realtime");
    CHECK(json::find_string(session, "object") == "realtime.session");
    CHECK(json::find_string(session, "id") == "sess_1");
    CHECK(json::find_string(session, "model") == "gpt-realtime-2.1");
    CHECK(json::find_string(session, "instructions") == "Be kind.");
    CHECK(json::find_int(session, "expires_at") == 1'790'003'600);
    CHECK(session.at("output_modalities") == json::array{"audio"});
    CHECK(session.at("tools") == json::array{});
    CHECK(json::find_string(session, "tool_choice") == "auto");
    CHECK(json::find_string(session, "max_output_tokens") == "inf");
    CHECK(json::find_string(session, "truncation") == "auto");
    CHECK(session.at("tracing").is_null());
    CHECK(session.at("prompt").is_null());
    CHECK(json::find_string(session, "audio.output.voice") == "alloy");
    CHECK(json::find_number(session, "audio.output.speed") == 1.0);
    CHECK(json::find_string(session, "audio.output.format.type") == "audio/pcm");
    CHECK(json::find_int(session, "audio.input.format.rate") == 24'000);
    CHECK(json::find_int(session, "audio.input.turn_detection.silence_duration_ms") == 200);
}

TEST_CASE("what the schema does not allow to be null is absent when it is off")
{
    const json::object session = to_json(some_session());
    const json::object* input = json::find_object(session, "audio.input");
    REQUIRE(input);
    CHECK_FALSE(input->contains("transcription"));
    CHECK_FALSE(input->contains("noise_reduction"));
    CHECK_FALSE(session.contains("include"));
}

TEST_CASE("what is set is shown")
{
    SessionConfig config = some_session();
    config.audio_output = false;
    config.input_transcription = json::object{{"model", "whisper-1"}};
    config.noise_reduction = json::object{{"type", "near_field"}};
    config.include = json::array{"item.input_audio_transcription.logprobs"};
    config.turn_detection.type = TurnDetection::Type::none;
    config.extra["reasoning"] = json::object{{"effort", "low"}};
    const json::object session = to_json(config);
    CHECK(session.at("output_modalities") == json::array{"text"});
    CHECK(json::find_string(session, "audio.input.transcription.model") == "whisper-1");
    CHECK(json::find_string(session, "audio.input.noise_reduction.type") == "near_field");
    CHECK(session.at("include").as_array().size() == 1);
    CHECK(session.at("audio").at("input").at("turn_detection").is_null());
    CHECK(json::find_string(session, "reasoning.effort") == "low");
}

TEST_CASE("a transcription session has no output side")
{
    SessionConfig config = some_session();
    config.transcription_only = true;
    const json::object session = to_json(config);
    CHECK(json::find_string(session, "type") == "transcription");
    CHECK(json::find_string(session, "object") == "realtime.transcription_session");
    CHECK(json::find_string(session, "id") == "sess_1");
    CHECK_FALSE(session.contains("model"));
    CHECK_FALSE(session.at("audio").as_object().contains("output"));
    const json::object* turn_detection = json::find_object(session, "audio.input.turn_detection");
    REQUIRE(turn_detection);
    CHECK(turn_detection->size() == 4);
    CHECK(turn_detection->contains("silence_duration_ms"));
    CHECK_FALSE(turn_detection->contains("create_response"));
}

TEST_CASE("audio formats are written as the API names them")
{
    CHECK(json::to_text(to_json(AudioFormat{})) == R"({"type":"audio/pcm","rate":24000})");
    CHECK(json::to_text(to_json(AudioFormat{AudioFormat::Type::pcmu, 8'000})) == R"({"type":"audio/pcmu"})");
    CHECK(json::to_text(to_json(AudioFormat{AudioFormat::Type::pcma, 8'000})) == R"({"type":"audio/pcma"})");
}

TEST_CASE("turn detection is written with the fields of its type")
{
    TurnDetection detection;
    const json::value server = to_json(detection);
    CHECK(server.as_object().size() == 7);
    CHECK(server.at("idle_timeout_ms").is_null());
    CHECK_FALSE(server.as_object().contains("eagerness"));

    detection.type = TurnDetection::Type::semantic_vad;
    const json::value semantic = to_json(detection);
    CHECK(semantic.as_object().size() == 4);
    CHECK(semantic.at("eagerness") == "auto");

    detection.type = TurnDetection::Type::none;
    CHECK(to_json(detection).is_null());
}

TEST_CASE("turn detection that was written reads back as it was")
{
    TurnDetection server;
    server.threshold = 0.25;
    server.prefix_padding_ms = 0;
    server.silence_duration_ms = 700;
    server.idle_timeout_ms = 5'000;
    server.interrupt_response = false;
    TurnDetection semantic;
    semantic.type = TurnDetection::Type::semantic_vad;
    semantic.eagerness = "high";
    semantic.create_response = false;
    TurnDetection none;
    none.type = TurnDetection::Type::none;
    for (const TurnDetection& written : {server, semantic, none}) {
        for (const TurnDetection& present : {TurnDetection{}, server, semantic, none}) {
            const auto read = read_turn_detection(to_json(written), present, "td");
            REQUIRE(read.has_value());
            CHECK(*read == written);
        }
    }
}

TEST_CASE("absent fields of turn detection stay, unless its type changes")
{
    TurnDetection present;
    present.threshold = 0.9;
    present.idle_timeout_ms = 6'000;
    present.create_response = false;

    const auto kept = read_turn_detection(parse(R"({"type":"server_vad","silence_duration_ms":800})"), present, "td");
    REQUIRE(kept.has_value());
    CHECK(kept->threshold == 0.9);
    CHECK(kept->silence_duration_ms == 800);
    CHECK(kept->idle_timeout_ms == 6'000);
    CHECK_FALSE(kept->create_response);

    const auto changed = read_turn_detection(parse(R"({"type":"semantic_vad"})"), present, "td");
    REQUIRE(changed.has_value());
    CHECK(changed->create_response);
    CHECK(changed->eagerness == "auto");

    const auto no_idle = read_turn_detection(parse(R"({"type":"server_vad","idle_timeout_ms":null,"threshold":null})"), present, "td");
    REQUIRE(no_idle.has_value());
    CHECK_FALSE(no_idle->idle_timeout_ms);
    CHECK(no_idle->threshold == 0.9);
}

TEST_CASE("turn detection outside of its bounds is refused by name")
{
    struct Row {
        const char* text;
        Code code;
        const char* param;
    };
    const Row rows[] = {
        {"true", Code::invalid_value, "td"},
        {"\"server_vad\"", Code::invalid_value, "td"},
        {"{}", Code::missing_required_parameter, "td.type"},
        {R"({"threshold":0.5})", Code::missing_required_parameter, "td.type"},
        {R"({"type":null})", Code::missing_required_parameter, "td.type"},
        {R"({"type":"none"})", Code::invalid_value, "td.type"},
        {R"({"type":"server_vad","threshold":1.01})", Code::invalid_value, "td.threshold"},
        {R"({"type":"server_vad","threshold":-0.01})", Code::invalid_value, "td.threshold"},
        {R"({"type":"server_vad","threshold":"0.5"})", Code::invalid_value, "td.threshold"},
        {R"({"type":"server_vad","prefix_padding_ms":-1})", Code::invalid_value, "td.prefix_padding_ms"},
        {R"({"type":"server_vad","prefix_padding_ms":10001})", Code::invalid_value, "td.prefix_padding_ms"},
        {R"({"type":"server_vad","silence_duration_ms":30001})", Code::invalid_value, "td.silence_duration_ms"},
        {R"({"type":"server_vad","silence_duration_ms":1.5})", Code::invalid_value, "td.silence_duration_ms"},
        {R"({"type":"server_vad","silence_duration_ms":1e300})", Code::invalid_value, "td.silence_duration_ms"},
        {R"({"type":"server_vad","idle_timeout_ms":4999})", Code::invalid_value, "td.idle_timeout_ms"},
        {R"({"type":"server_vad","idle_timeout_ms":30001})", Code::invalid_value, "td.idle_timeout_ms"},
        {R"({"type":"server_vad","create_response":1})", Code::invalid_value, "td.create_response"},
        {R"({"type":"server_vad","interrupt_response":"no"})", Code::invalid_value, "td.interrupt_response"},
        {R"({"type":"server_vad","eagerness":"low"})", Code::unknown_parameter, "td.eagerness"},
        {R"({"type":"semantic_vad","eagerness":"eager"})", Code::invalid_value, "td.eagerness"},
        {R"({"type":"semantic_vad","threshold":0.5})", Code::unknown_parameter, "td.threshold"},
        {R"({"type":"semantic_vad","foo":1})", Code::unknown_parameter, "td.foo"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto read = read_turn_detection(parse(row.text), TurnDetection{}, "td");
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().code == row.code);
        CHECK(read.error().param == row.param);
        CHECK(read.error().message.size() > 10);
    }
}

TEST_CASE("voice names are matched without regard to case")
{
    CHECK(normalise_voice("Cedar") == "cedar");
    CHECK(normalise_voice("MARIN-2") == "marin-2");
    CHECK(normalise_voice("한") == "한");
    CHECK(is_realtime_voice("marin"));
    CHECK_FALSE(is_realtime_voice("Marin"));
    CHECK_FALSE(is_realtime_voice("nova"));
    CHECK_FALSE(is_realtime_voice(""));
}
