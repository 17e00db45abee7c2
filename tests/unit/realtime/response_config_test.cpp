#include "repartee/realtime/response_config.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::realtime;

namespace {

SessionConfig some_session()
{
    SessionConfig session;
    session.instructions = "The session's.";
    session.voice = "marin";
    session.max_output_tokens = 100;
    session.tools = {json::object{{"type", "function"}, {"name", "a"}}};
    session.extra["reasoning"] = json::object{{"effort", "low"}};
    return session;
}

Result<ResponseConfig> read(std::string_view text)
{
    auto object = json::parse_object(text);
    REQUIRE(object.has_value());
    return read_response_create(*object, some_session());
}

std::string pairs(int count)
{
    std::string text = "{";
    for (int i = 0; i < count; ++i) text += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":\"v\"";
    return text + "}";
}

}  // namespace

TEST_CASE("a response is like its session unless told otherwise")
{
    const auto config = read("{}");
    REQUIRE(config.has_value());
    CHECK(config->audio_output);
    CHECK(config->instructions == "The session's.");
    CHECK(config->voice == "marin");
    CHECK(config->output_tokens_limit() == 100);
    CHECK(config->tools.size() == 1);
    CHECK(config->in_conversation);
    CHECK(config->metadata.is_null());
    CHECK_FALSE(config->input);
    CHECK(config->extra.contains("reasoning"));
}

TEST_CASE("what a response says for itself replaces the session's")
{
    const auto config = read(R"({"output_modalities":["text"],"instructions":"",
        "audio":{"output":{"voice":"Cedar","format":{"type":"audio/pcmu"}}},
        "tools":[],"tool_choice":"none","max_output_tokens":"inf","conversation":"none","metadata":{"topic":"x"},"prompt":{"id":"p"},
        "parallel_tool_calls":false,"reasoning":{"effort":"high"},
        "input":[{"type":"item_reference","id":"item_1"},
                 {"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}]}]})");
    REQUIRE(config.has_value());
    CHECK_FALSE(config->audio_output);
    CHECK(config->instructions.empty());
    CHECK(config->voice == "cedar");
    CHECK(config->output_format.type == AudioFormat::Type::pcmu);
    CHECK(config->tools.empty());
    CHECK(config->tool_choice == "none");
    CHECK(config->output_tokens_limit() == 0);
    CHECK_FALSE(config->in_conversation);
    CHECK(config->metadata.at("topic") == "x");
    CHECK(config->extra.at("reasoning").at("effort") == "high");
    REQUIRE(config->input);
    REQUIRE(config->input->size() == 2);
    CHECK(json::to_text((*config->input)[0]) == R"({"type":"item_reference","id":"item_1"})");
    CHECK(json::find_string((*config->input)[1].as_object(), "id")->starts_with("item_"));
}

TEST_CASE("an empty input is an empty context, not an absent one")
{
    const auto empty = read(R"({"input":[]})");
    REQUIRE(empty.has_value());
    REQUIRE(empty->input);
    CHECK(empty->input->empty());
    const auto absent = read(R"({"input":null})");
    REQUIRE(absent.has_value());
    CHECK_FALSE(absent->input);
}

TEST_CASE("metadata may hold sixteen pairs of bounded strings")
{
    const std::string key(64, 'k');
    const std::string value(512, 'v');
    CHECK(read("{\"metadata\":" + pairs(16) + "}").has_value());
    CHECK_FALSE(read("{\"metadata\":" + pairs(17) + "}").has_value());
    CHECK(read("{\"metadata\":{\"" + key + "\":\"" + value + "\"}}").has_value());
    CHECK_FALSE(read("{\"metadata\":{\"" + key + "k\":\"v\"}}").has_value());
    CHECK_FALSE(read("{\"metadata\":{\"k\":\"" + value + "v\"}}").has_value());
    CHECK_FALSE(read(R"({"metadata":{"k":1}})").has_value());
    CHECK_FALSE(read(R"({"metadata":{"":"v"}})").has_value());
}

TEST_CASE("a wrong response.create is refused with its field")
{
    using enum Code;
    struct Row {
        const char* text;
        Code code;
        const char* param;
    };
    const Row rows[] = {
        {R"({"output_modalities":["text","audio"]})", invalid_value, "response.output_modalities"},
        {R"({"instructions":1})", invalid_value, "response.instructions"},
        {R"({"audio":{"output":{"voice":"nobody"}}})", invalid_value, "response.audio.output.voice"},
        {R"({"audio":{"output":{"speed":1}}})", unknown_parameter, "response.audio.output.speed"},
        {R"({"audio":{"input":{}}})", unknown_parameter, "response.audio.input"},
        {R"({"tools":[{"type":"mcp"}]})", invalid_value, "response.tools[0].type"},
        {R"({"tool_choice":"any"})", invalid_value, "response.tool_choice"},
        {R"({"max_output_tokens":5000})", invalid_value, "response.max_output_tokens"},
        {R"({"conversation":"other"})", invalid_value, "response.conversation"},
        {R"({"conversation":{"id":"c"}})", invalid_value, "response.conversation"},
        {R"({"metadata":[]})", invalid_value, "response.metadata"},
        {R"({"input":{}})", invalid_value, "response.input"},
        {R"({"input":["x"]})", invalid_value, "response.input[0]"},
        {R"({"input":[{"type":"item_reference"}]})", missing_required_parameter, "response.input[0].id"},
        {R"({"input":[{"type":"message","role":"user","content":[{"type":"input_text"}]}]})", missing_required_parameter,
         "response.input[0].content[0].text"},
        {R"({"modalities":["text"]})", unknown_parameter, "response.modalities"},
        {R"({"voice":"ash"})", unknown_parameter, "response.voice"},
        {R"({"temperature":0.8})", unknown_parameter, "response.temperature"},
        {R"({"foo":1})", unknown_parameter, "response.foo"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto config = read(row.text);
        REQUIRE_FALSE(config.has_value());
        CHECK(config.error().code == row.code);
        CHECK(config.error().param == row.param);
    }
}
