#include "repartee/realtime/event_type.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using repartee::realtime::peek_type;

TEST_CASE("the type of an event is found wherever it stands")
{
    const std::pair<const char*, const char*> rows[] = {
        {R"({"type":"session.update"})", "session.update"},
        {R"({"event_id":"e1","type":"response.create"})", "response.create"},
        {" \r\n{ \"type\"\t:\n \"a.b\" , \"x\":1 } ", "a.b"},
        {R"({"a":{"type":"x"},"type":"y"})", "y"},
        {R"({"a":[{"type":"x"},"type",":","{"],"type":"y"})", "y"},
        {R"({"a":"\"type\":\"x\"","type":"y"})", "y"},
        {R"({"a":"\\","type":"y"})", "y"},
        {R"({"a":"\\\"","type":"y"})", "y"},
        {R"({"n":-1.5e-3,"t":true,"f":false,"z":null,"type":"y"})", "y"},
        {R"({"typed":"x","typ":"x","type ":"x","Type":"x","type":"y"})", "y"},
        {R"({"type":"first","type":"second"})", "first"},
        {R"({"a":"type","type":"y"})", "y"},
        {R"({"item":{"content":[{"text":"}]}\\"}]},"type":"y"})", "y"},
        {R"({"한":"국","type":"y"})", "y"},
        {R"({"type":"y","rest":)", "y"},
    };
    for (const auto& [json, type] : rows) {
        CAPTURE(json);
        CHECK(peek_type(json) == type);
    }
}

TEST_CASE("an event without a plain type has an empty one")
{
    const char* rows[] = {
        "",
        "{",
        "{}",
        "[]",
        R"("type")",
        R"([{"type":"x"}])",
        R"({"a":{"type":"x"}})",
        R"({"type":1})",
        R"({"type":null})",
        R"({"type":{"type":"x"}})",
        R"({"type":"x)",
        R"({"type":"x\)",
        R"({"type" "x"})",
        R"({type:"x"})",
        R"({"a":1 "type":"x"})",
        R"({"a":[},"type":"x"})",
        R"({"a":tru,"type":"x"})",
        R"({"type":"with\u0020escape"})",
        R"({"\u0074ype":"x","type":"y"})",
    };
    for (const char* json : rows) {
        CAPTURE(json);
        CHECK(peek_type(json).empty());
    }
}

TEST_CASE("a cut event is never read beyond its end")
{
    const std::string whole = R"({"a":{"b":["\"x\\",1.5]},"n":-2,"type":"input_audio_buffer.append","audio":"AAAA"})";
    for (std::size_t length = 0; length <= whole.size(); ++length) {
        const std::vector<char> exact(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));  // the sanitizer watches its end
        const std::string_view type = peek_type({exact.data(), exact.size()});
        const bool complete = length >= whole.find(",\"audio\"");
        CAPTURE(length);
        CHECK(type == (complete ? "input_audio_buffer.append" : ""));
    }
}

TEST_CASE("the view points into the event")
{
    const std::string json = R"({"type":"error"})";
    CHECK(peek_type(json).data() == json.data() + 9);
}
