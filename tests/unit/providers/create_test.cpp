#include "repartee/providers/create.hpp"
#include "run.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::providers;

TEST_CASE("providers are made by name")
{
    TtsSettings tts;
    CHECK((*create_tts(tts))->provider_name() == "embedded");
    tts.provider = "openai";
    tts.url = "http://127.0.0.1:1/v1";
    CHECK((*create_tts(tts))->provider_name() == "openai");
    CHECK((*create_llm({}))->provider_name() == "scripted");
    CHECK((*create_stt({}))->provider_name() == "none");
}

TEST_CASE("an unknown provider's error names the known ones")
{
    TtsSettings tts;
    tts.provider = "gramophone";
    const auto made = create_tts(tts);
    REQUIRE(!made);
    CHECK(made.error().code == Code::invalid_value);
    CHECK(made.error().message == "There is no speech (tts) provider \"gramophone\". Known: embedded, openai.");
    CHECK_FALSE(create_llm({"oracle", {}}).has_value());
    CHECK_FALSE(create_stt({"ear"}).has_value());
}

TEST_CASE("without a recogniser a transcription ends with the name of the setting")
{
    const auto text = test::run((*create_stt({}))->transcribe({1, 2, 3}, "ko", {}));
    REQUIRE(!text);
    CHECK(text.error().code == Code::not_configured);
    CHECK(text.error().message.find("OPENAI_API_KEY") != std::string::npos);
}
