#include "repartee/realtime/item.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::realtime;

namespace {

Result<json::object> normalised(std::string_view text)
{
    auto object = json::parse_object(text);
    REQUIRE(object.has_value());
    return normalise_item(*object);
}

}  // namespace

TEST_CASE("a typed message gets what a kept item has")
{
    const auto item = normalised(R"({"type":"message","role":"user","content":[{"type":"input_text","text":"Hi"}],"phase":"x"})");
    REQUIRE(item.has_value());
    CHECK(json::find_string(*item, "id")->starts_with("item_"));
    CHECK(json::find_string(*item, "object") == "realtime.item");
    CHECK(json::find_string(*item, "status") == "completed");
    CHECK(json::to_text(item->at("content")) == R"([{"type":"input_text","text":"Hi"}])");
    CHECK_FALSE(item->contains("phase"));
}

TEST_CASE("the client's id and status stay")
{
    const auto item = normalised(R"({"id":"mine","object":"realtime.item","status":"incomplete",
        "type":"message","role":"system","content":[{"type":"input_text","text":""}]})");
    REQUIRE(item.has_value());
    CHECK(json::find_string(*item, "id") == "mine");
    CHECK(json::find_string(*item, "status") == "incomplete");
}

TEST_CASE("user messages hold text, audio and images")
{
    const auto item = normalised(R"({"type":"message","role":"user","content":[
        {"type":"input_audio","audio":"AAAA","transcript":null},{"type":"input_audio","transcript":"said"},
        {"type":"input_image","image_url":"data:image/png;base64,AAAA"},{"type":"input_text","text":"typed"}]})");
    REQUIRE(item.has_value());
    CHECK(json::to_text(item->at("content")) ==
          R"([{"type":"input_audio","audio":"AAAA","transcript":""},{"type":"input_audio","transcript":"said"},)"
          R"({"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"auto"},{"type":"input_text","text":"typed"}])");
    CHECK(item_text(*item) == "said\ntyped");
    CHECK(json::to_text(without_audio(*item)).find("\"audio\"") == std::string::npos);
    CHECK(item_text(without_audio(*item)) == "said\ntyped");
}

TEST_CASE("assistant text is known by both of its names")
{
    for (const char* type : {"text", "output_text"}) {
        const std::string part = R"({"type":")" + std::string(type) + R"(","text":"Hello"})";
        const auto item = normalised(R"({"type":"message","role":"assistant","content":[)" + part + "]}");
        REQUIRE(item.has_value());
        CHECK(json::to_text(item->at("content")) == R"([{"type":"output_text","text":"Hello"}])");
    }
    CHECK(normalised(R"({"type":"message","role":"assistant","content":[]})").has_value());
}

TEST_CASE("function calls and their results are kept")
{
    const auto call = normalised(R"({"type":"function_call","name":"f","arguments":"{}"})");
    REQUIRE(call.has_value());
    CHECK(json::find_string(*call, "call_id")->starts_with("call_"));
    CHECK(json::find_string(*call, "arguments") == "{}");
    CHECK(item_text(*call).empty());

    const auto output = normalised(R"({"type":"function_call_output","call_id":"call_1","output":"42"})");
    REQUIRE(output.has_value());
    CHECK(json::find_string(*output, "call_id") == "call_1");
    CHECK(item_text(*output) == "42");
}

TEST_CASE("a wrong item is refused with its field")
{
    using enum Code;
    struct Row {
        std::string text;
        Code code;
        const char* param;
    };
    const std::string user = R"({"type":"message","role":"user","content":)";
    const std::string assistant = R"({"type":"message","role":"assistant","content":)";
    const std::string system = R"({"type":"message","role":"system","content":)";
    const Row rows[] = {
        {"{}", missing_required_parameter, "item.type"},
        {R"({"type":1})", invalid_value, "item.type"},
        {R"({"type":"note"})", invalid_value, "item.type"},
        {R"({"type":"item_reference","id":"i"})", invalid_value, "item.type"},
        {R"({"type":"mcp_approval_response"})", invalid_value, "item.type"},
        {R"({"type":"message","content":[]})", missing_required_parameter, "item.role"},
        {R"({"type":"message","role":"tool","content":[]})", invalid_value, "item.role"},
        {R"({"type":"message","role":"user"})", missing_required_parameter, "item.content"},
        {user + R"("Hi"})", invalid_value, "item.content"},
        {user + R"([]})", invalid_value, "item.content"},
        {user + R"(["Hi"]})", invalid_value, "item.content[0]"},
        {user + R"([{}]})", missing_required_parameter, "item.content[0].type"},
        {user + R"([{"type":"output_text","text":"x"}]})", invalid_value, "item.content[0].type"},
        {user + R"([{"type":"input_text","text":"x"},{"type":"input_text"}]})", missing_required_parameter, "item.content[1].text"},
        {user + R"([{"type":"input_text","text":1}]})", invalid_value, "item.content[0].text"},
        {user + R"([{"type":"input_audio"}]})", missing_required_parameter, "item.content[0].audio"},
        {user + R"([{"type":"input_audio","audio":"AAA"}]})", invalid_audio, "item.content[0].audio"},
        {user + R"([{"type":"input_image"}]})", missing_required_parameter, "item.content[0].image_url"},
        {user + R"([{"type":"input_image","image_url":"https://x/y.png"}]})", invalid_value, "item.content[0].image_url"},
        {user + R"([{"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"max"}]})", invalid_value,
         "item.content[0].detail"},
        {system + R"([{"type":"input_audio","audio":"AAAA"}]})", invalid_value, "item.content[0].type"},
        {assistant + R"([{"type":"input_text","text":"x"}]})", invalid_value, "item.content[0].type"},
        {assistant + R"([{"type":"output_audio","audio":"AAAA"}]})", invalid_value, "item.content[0].type"},
        {R"({"type":"function_call","arguments":"{}"})", missing_required_parameter, "item.name"},
        {R"({"type":"function_call","name":"f","arguments":{}})", invalid_value, "item.arguments"},
        {R"({"type":"function_call_output","output":"x"})", missing_required_parameter, "item.call_id"},
        {R"({"type":"function_call_output","call_id":"c"})", missing_required_parameter, "item.output"},
        {R"({"type":"function_call_output","call_id":"c","output":"x","status":"done"})", invalid_value, "item.status"},
        {R"({"type":"function_call_output","call_id":"c","output":"x","id":"a b"})", invalid_value, "item.id"},
        {R"({"type":"function_call_output","call_id":"c","output":"x","id":"a\"b"})", invalid_value, "item.id"},
        {R"({"type":"function_call_output","call_id":"c","output":"x","id":""})", invalid_value, "item.id"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        const auto item = normalised(row.text);
        REQUIRE_FALSE(item.has_value());
        CHECK(item.error().code == row.code);
        CHECK(item.error().param == row.param);
        CHECK(item.error().message.size() > 10);
    }
}

TEST_CASE("a normalised item is normal")
{
    const auto once = normalised(R"({"type":"message","role":"assistant","content":[
        {"type":"text","text":"a"},{"type":"text","text":"b"}]})");
    REQUIRE(once.has_value());
    const auto twice = normalise_item(*once);
    REQUIRE(twice.has_value());
    CHECK(json::to_text(*twice) == json::to_text(*once));
    CHECK(item_text(*twice) == "a\nb");
}
