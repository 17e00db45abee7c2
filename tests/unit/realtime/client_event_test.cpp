#include "repartee/realtime/client_event.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::realtime;

TEST_CASE("a client event keeps its type, its id and its body")
{
    const auto event = parse_client_event(R"({"event_id":"c7","type":"response.cancel","response_id":"resp_1"})");
    REQUIRE(event.has_value());
    CHECK(event->type == "response.cancel");
    CHECK(event->event_id == "c7");
    CHECK(event->body.size() == 3);
    CHECK(json::find_string(event->body, "response_id") == "resp_1");
}

TEST_CASE("an event of unknown type passes the envelope check")
{
    const auto event = parse_client_event(R"({"type":"our.playback","event_id":null})");
    REQUIRE(event.has_value());
    CHECK(event->type == "our.playback");
    CHECK(event->event_id.empty());
}

TEST_CASE("a broken envelope is refused with the field that broke it")
{
    struct Row {
        std::string text;
        Code code;
        std::string param;
    };
    const Row rows[] = {
        {"", Code::invalid_json, ""},
        {"no json", Code::invalid_json, ""},
        {"[1]", Code::invalid_json, ""},
        {R"({"type":"x")", Code::invalid_json, ""},
        {R"({"event_id":"e"})", Code::invalid_event, "type"},
        {R"({"type":null})", Code::invalid_event, "type"},
        {R"({"type":3})", Code::invalid_event, "type"},
        {R"({"type":""})", Code::invalid_event, "type"},
        {R"({"type":"x","event_id":3})", Code::invalid_value, "event_id"},
        {R"({"type":"x","event_id":")" + std::string(513, 'a') + R"("})", Code::invalid_value, "event_id"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto event = parse_client_event(row.text);
        REQUIRE_FALSE(event.has_value());
        CHECK(event.error().code == row.code);
        CHECK(event.error().param == row.param);
        CHECK_FALSE(event.error().message.empty());
    }
}

TEST_CASE("an event id may have 512 characters, of any alphabet")
{
    std::string hangul;
    for (int i = 0; i < 512; ++i) hangul += "한";
    CHECK(parse_client_event(R"({"type":"x","event_id":")" + std::string(512, 'a') + R"("})").has_value());
    CHECK(parse_client_event(R"({"type":"x","event_id":")" + hangul + R"("})").has_value());
    CHECK_FALSE(parse_client_event(R"({"type":"x","event_id":")" + hangul + R"(한"})").has_value());
}

TEST_CASE("the list of known client events is the one that errors quote")
{
    const std::string text = known_client_events_text();
    CHECK(text.starts_with("Supported values are: 'session.update', "));
    const char* types[] = {
        "session.update",           "input_audio_buffer.append",  "input_audio_buffer.commit",  "input_audio_buffer.clear",
        "conversation.item.create", "conversation.item.retrieve", "conversation.item.truncate", "conversation.item.delete",
        "response.create",          "response.cancel",            "output_audio_buffer.clear",
    };
    for (const char* type : types) {
        CAPTURE(type);
        CHECK(is_known_client_event(type));
        CHECK(text.find("'" + std::string(type) + "'") != std::string::npos);
    }
    CHECK_FALSE(is_known_client_event("transcription_session.update"));
    CHECK_FALSE(is_known_client_event(""));
    CHECK_FALSE(is_known_client_event("session.update "));
}

TEST_CASE("an unknown type is quoted in its error, clipped to whole characters")
{
    const Error error = unknown_client_event("nonsense");
    CHECK(error.code == Code::invalid_value);
    CHECK(error.param == "type");
    CHECK(error.message.starts_with("Invalid value: 'nonsense'. Supported values are: "));

    std::string endless;
    for (int i = 0; i < 1000; ++i) endless += "한";
    const Error clipped = unknown_client_event(endless);
    CHECK(clipped.message.size() < 600);
    CHECK(json::parse_object("{\"m\":" + json::to_text(json::value(clipped.message)) + "}").has_value());  // the parser checks UTF-8
}
