#include "repartee/base/json.hpp"

#include <catch2/catch.hpp>

using namespace repartee;

TEST_CASE("one JSON object is parsed, anything else is refused with its reason")
{
    const auto parsed = json::parse_object(R"( {"type":"response.create","n":1} )");
    REQUIRE(parsed.has_value());
    CHECK(json::find_string(*parsed, "type") == "response.create");
    for (const char* text : {"", "  ", "{", "[1]", "\"x\"", "null", "{} {}", "{\"a\":1,}", "{'a':1}", "{\"a\":\"\xFF\"}"}) {
        CAPTURE(text);
        const auto refused = json::parse_object(text);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().code == Code::invalid_json);
        CHECK_FALSE(refused.error().message.empty());
    }
    CHECK(json::parse_object("{\"a\":x}").error().message.find("at byte 5") != std::string::npos);
}

TEST_CASE("nesting is limited")
{
    const auto nested = [](int depth) {
        std::string text = "{\"a\":";
        for (int i = 1; i < depth; ++i) text += '[';
        for (int i = 1; i < depth; ++i) text += ']';
        return text + "}";
    };
    CHECK(json::parse_object(nested(32)).has_value());
    CHECK_FALSE(json::parse_object(nested(33)).has_value());
    CHECK_FALSE(json::parse_object(nested(100'000)).has_value());
}

TEST_CASE("members are found by dotted paths, and null reads as absent")
{
    const auto o = *json::parse_object(
        R"({"audio":{"output":{"voice":"cedar","speed":1.5,"rate":24000,"on":true,"tags":["a"],"none":null}},"text":"x","a.b":1,"":2})");
    CHECK(json::find_string(o, "audio.output.voice") == "cedar");
    CHECK(json::find_number(o, "audio.output.speed") == 1.5);
    CHECK(json::find_int(o, "audio.output.rate") == 24'000);
    CHECK(json::find_number(o, "audio.output.rate") == 24'000.0);
    CHECK(json::find_bool(o, "audio.output.on") == true);
    REQUIRE(json::find_array(o, "audio.output.tags"));
    CHECK(json::find_array(o, "audio.output.tags")->size() == 1);
    REQUIRE(json::find_object(o, "audio.output"));
    CHECK(json::find(o, "audio.output.none") == nullptr);
    CHECK(json::find(o, "audio.input") == nullptr);
    CHECK(json::find(o, "audio.input.voice") == nullptr);
    CHECK(json::find(o, "text.voice") == nullptr);
    CHECK(json::find(o, "a.b") == nullptr);
    CHECK(json::find_int(o, "") == 2);
    CHECK(json::find(o, ".") == nullptr);
}

TEST_CASE("readers refuse other types instead of converting")
{
    const auto o =
        *json::parse_object(R"({"s":"1","i":1,"f":1.5,"whole":2.0,"b":true,"big":1e300,"o":{},"a":[],"u":18446744073709551615})");
    CHECK_FALSE(json::find_int(o, "s"));
    CHECK_FALSE(json::find_string(o, "i"));
    CHECK_FALSE(json::find_bool(o, "i"));
    CHECK_FALSE(json::find_int(o, "f"));
    CHECK(json::find_int(o, "whole") == 2);
    CHECK_FALSE(json::find_int(o, "big"));
    CHECK_FALSE(json::find_int(o, "u"));
    CHECK_FALSE(json::find_number(o, "b"));
    CHECK(json::find_object(o, "a") == nullptr);
    CHECK(json::find_array(o, "o") == nullptr);
}

TEST_CASE("text written parses back to the same")
{
    const json::object o{{"text", "줄\n\"끝\""}, {"n", -3}, {"list", json::array{1, nullptr, true}}};
    CHECK(*json::parse_object(json::to_text(o)) == o);
    CHECK(json::to_text(json::value(o)) == json::to_text(o));
    CHECK(json::to_text(o).find('\n') == std::string::npos);
}
