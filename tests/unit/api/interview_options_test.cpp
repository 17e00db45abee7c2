#include "api/interview_options.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::api;

namespace {

Settings configured()
{
    Settings settings;
    settings.interview.questions = {"Configured?"};
    settings.interview.model = "tts-2";
    settings.voice_ids = {"Grandma"};
    return settings;
}

net::Request query(std::multimap<std::string, std::string, std::less<>> parameters)
{
    net::Request request;
    request.query = std::move(parameters);
    return request;
}

}  // namespace

TEST_CASE("without a query an interview is as configured")
{
    const auto interview = interview_from_query(configured(), query({})).value();
    REQUIRE(interview.questions == std::vector<std::string>{"Configured?"});
    REQUIRE(interview.voice == "nova");
    REQUIRE_FALSE(interview.input_hz);
}

TEST_CASE("a query changes what it names")
{
    const net::Request asked = query({{"question", "One?"}, {"question", " Two?\n"}, {"follow_ups", "2"}, {"questions", "7"},      {"voice", "ONYX"},
                                      {"model", "tts-1-hd"}, {"language", "en"}, {"speed", "1.5"}, {"format", "wav"}, {"chunk_bytes", "4096"},
                                      {"input", "pcm16"}, {"topic", "welding"}, {"unknown", "x"}, {"input_rate", "48000"}});
    const auto interview = interview_from_query(configured(), asked).value();
    REQUIRE(interview.questions == std::vector<std::string>{"One?", "Two?"});
    REQUIRE(interview.follow_ups_max == 2);
    REQUIRE(interview.questions_max == 7);
    REQUIRE(interview.voice == "onyx");
    REQUIRE(interview.model == "tts-1-hd");
    REQUIRE(interview.language == "en");
    REQUIRE(interview.speed == 1.5);
    REQUIRE(interview.format == audio::ReplyFormat::wav);
    REQUIRE(interview.chunk_bytes == 4'096);
    REQUIRE(interview.input_hz == 48'000);
    REQUIRE(interview.topic == "welding");
    REQUIRE(interview_from_query(configured(), query({{"input", "pcm16"}}))->input_hz == 16'000);
    REQUIRE(interview_from_query(configured(), query({{"voice", "grandma"}}))->voice == "Grandma");
    REQUIRE(interview_from_query(configured(), query({{"model", "tts-2"}})).has_value());
}

TEST_CASE("values that are not accepted are named")
{
    const std::pair<const char*, std::string> rows[] = {
        {"voice", "cedar"}, {"model", "gpt"}, {"speed", "5"}, {"speed", "nan"}, {"speed", ""}, {"format", "midi"}, {"chunk_bytes", "255"},
        {"chunk_bytes", "1e3"}, {"input", "flac"},    {"input_rate", "1"},  {"follow_ups", "6"}, {"questions", "0"}, {"language", "x"},
        {"question", ""},      {"question", "\xFF"}, {"question", std::string(1'001, 'q')}, {"topic", std::string(501, 't')},
    };
    for (const auto& [name, value] : rows) {
        INFO(name << "=" << value);
        const auto interview = interview_from_query(configured(), query({{name, value}}));
        REQUIRE_FALSE(interview.has_value());
        CHECK(interview.error().param == name);
    }
    std::multimap<std::string, std::string, std::less<>> many;
    for (int i = 0; i < 51; ++i) many.emplace("question", "Q?");
    REQUIRE(interview_from_query(configured(), query(many)).error().code == Code::invalid_value);
}

TEST_CASE("the same as JSON")
{
    const std::string text = R"({"questions":["One?"],"questions_max":3,"follow_ups":1,"speed":1.25,"voice":"echo","input":"pcm16"})";
    const auto body = json::parse_object(text).value();
    const auto interview = interview_from_json(configured(), body).value();
    REQUIRE(interview.questions == std::vector<std::string>{"One?"});
    REQUIRE(interview.questions_max == 3);
    REQUIRE(interview.follow_ups_max == 1);
    REQUIRE(interview.speed == 1.25);
    REQUIRE(interview.voice == "echo");
    REQUIRE(interview.input_hz == 16'000);
    for (const char* bad : {R"({"questions":3})", R"({"questions":[3]})", R"({"hello":1})", R"({"voice":{}})", R"({"follow_ups":"many"})",
                            R"({"question":"One?"})"}) {
        INFO(bad);
        REQUIRE_FALSE(interview_from_json(configured(), json::parse_object(bad).value()).has_value());
    }
}
