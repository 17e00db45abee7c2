#include "repartee/conversation/persona_overlay.hpp"
#include "support.hpp"

using namespace test;
using conversation::PersonaOverlay;

namespace {

std::string write_persona() { return "PERSONA"; }

// The event that goes on instead of the given one; nullopt: the given one does.
std::optional<std::string> passed(const PersonaOverlay& overlay, std::string_view event) { return overlay.from_client(event).value(); }

}  // namespace

TEST_CASE("the character's session is opened with its persona and voice")
{
    const PersonaOverlay overlay(write_persona, "sage");
    const auto update = json::parse_object(overlay.first_update()).value();
    CHECK(json::find_string(update, "session.type") == "realtime");
    CHECK(json::find_string(update, "session.instructions") == "PERSONA");
    CHECK(json::find_string(update, "session.audio.output.voice") == "sage");
}

TEST_CASE("the client's first event is session.created with the session in force, without the persona")
{
    const PersonaOverlay overlay(write_persona, "sage");
    std::string out;
    CHECK(overlay.open(R"({"type":"rate_limits.updated"})", out) == PersonaOverlay::Progress::waiting);
    REQUIRE(overlay.open(R"({"type":"session.updated","session":{"id":"sess_1","instructions":"PERSONA"}})", out) == PersonaOverlay::Progress::live);
    const auto created = json::parse_object(out).value();
    CHECK(json::find_string(created, "type") == "session.created");
    CHECK(json::find_string(created, "session.id") == "sess_1");
    CHECK(json::find_string(created, "session.instructions") == "");
}

TEST_CASE("a refused persona ends the opening")
{
    const PersonaOverlay overlay(write_persona, "sage");
    std::string out;
    CHECK(overlay.open(R"({"type":"error","error":{"message":"no"}})", out) == PersonaOverlay::Progress::refused);
    CHECK(out == "no");
}

TEST_CASE("the client's instructions follow the persona, its voice does not replace the character's")
{
    const PersonaOverlay overlay(write_persona, "sage");
    const auto changed =
        passed(overlay, R"({"type":"session.update","event_id":"1","session":{"type":"realtime","instructions":"Be brief.","audio":{"output":{"voice":"alloy","speed":1.2}}}})");
    REQUIRE(changed);
    const auto update = json::parse_object(*changed).value();
    CHECK(json::find_string(update, "session.instructions") == "PERSONA\n\nBe brief.");
    CHECK(json::find_string(update, "session.audio.output.voice") == "sage");
    CHECK(json::find_number(update, "session.audio.output.speed") == 1.2);
    const auto echoed = overlay.from_server(R"({"type":"session.updated","session":{"instructions":"PERSONA\n\nBe brief."}})");
    REQUIRE(echoed);
    CHECK(json::find_string(json::parse_object(*echoed).value(), "session.instructions") == "Be brief.");
}

TEST_CASE("one response's own instructions and voice do not push the character aside")
{
    const PersonaOverlay overlay(write_persona, "sage");
    const auto changed = passed(overlay, R"({"type":"response.create","response":{"instructions":"Be a pirate.","audio":{"output":{"voice":"ash"}}}})");
    REQUIRE(changed);
    const auto event = json::parse_object(*changed).value();
    CHECK(json::find_string(event, "response.instructions") == "PERSONA\n\nBe a pirate.");
    CHECK(json::find_string(event, "response.audio.output.voice") == "sage");
}

TEST_CASE("no spelling of an update slips past the persona")
{
    const PersonaOverlay overlay(write_persona, "sage");
    for (const char* update : {R"({"type":"session\u002eupdate","session":{"instructions":"x","audio":{"output":{"voice":"ash"}}}})",
                               R"({"type":"session.update","session":{"instructions":"x","audio":{"output":{"v\u006fice":"ash"}}}})",
                               R"({"type":"input_audio_buffer.append","audio":"AAAA","session":{"instructions":"x","audio":{"output":{"voice":"ash"}}},"type":"session.update"})"}) {
        const auto changed = passed(overlay, update);
        REQUIRE(changed);
        const auto event = json::parse_object(*changed).value();
        CHECK(json::find_string(event, "session.instructions") == "PERSONA\n\nx");
        CHECK(json::find_string(event, "session.audio.output.voice") == "sage");
    }
}

TEST_CASE("audio passes as it is, and what is not an update of the session too")
{
    const PersonaOverlay overlay(write_persona, "sage");
    CHECK(passed(overlay, R"({"type":"input_audio_buffer.append","audio":"AAAA"})") == std::optional<std::string>());
    CHECK(!overlay.from_server(R"({"type":"response.done"})"));
    CHECK(passed(overlay, R"({"type":"session.update","session":"text"})") == std::optional<std::string>(R"({"type":"session.update","session":"text"})"));
}

TEST_CASE("what cannot be read here is not passed on to someone who might read it")
{
    const PersonaOverlay overlay(write_persona, "sage");
    std::string deep = R"({"type":"session.update","session":{"instructions":"x","tools":)";
    for (int i = 0; i < 40; ++i) deep += '[';
    for (int i = 0; i < 40; ++i) deep += ']';
    deep += "}}";
    for (const std::string& event : {std::string("{broken"), std::string(R"({"type":"session.update","session":{"instructions":NaN}})"), deep}) {
        const auto changed = overlay.from_client(event);
        REQUIRE(changed.has_error());
        CHECK(changed.error().code == Code::invalid_json);
    }
    std::string echoed = deep;
    echoed.replace(echoed.find("session.update"), 14, "session.updated");
    const auto shown = overlay.from_server(echoed);
    REQUIRE(shown);
    CHECK(shown->find("tools") == std::string::npos);
}
