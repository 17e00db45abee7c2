#include "app/casting.hpp"
#include "app/role_settings.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::app;

namespace {

providers::RoleSettings chains_of(const Config& config) { return role_settings(config).value(); }

characters::Character mina()
{
    characters::Character character;
    character.id = "mina";
    character.language = "ko";
    character.embedded_voice = {1.2, 0.8};
    character.offline_lines = {"안녕하세요."};
    character.closing_line = "안녕히 가세요.";
    return character;
}

Config with_services()
{
    Config config;
    config.llm.provider = "ollama";
    config.llm.model = "gemma";
    config.llm_2 = {.provider = "openai", .url = "http://127.0.0.1:9/v1", .model = "large"};
    config.tts.provider = "openai";
    config.tts.url = "http://127.0.0.1:9/v1";
    config.tts_2.provider = "embedded";
    return config;
}

}  // namespace

TEST_CASE("a character without wishes gets what is configured, and its lines for the embedded brain")
{
    const characters::Character character = mina();
    const auto cast_as = cast(&character, {}, chains_of(Config{}));
    CHECK(cast_as.language == "ko");
    CHECK(cast_as.pitch == 1.2);
    CHECK(cast_as.speed == 0.8);
    CHECK((cast_as.llm_choice.provider.empty() && cast_as.llm_choice.model.empty()));
    REQUIRE(cast_as.script);
    CHECK(cast_as.script->lines == character.offline_lines);
    CHECK(cast_as.script->closing_line == character.closing_line);
    CHECK(cast_as.script->language == "ko");
}

TEST_CASE("nobody in particular speaks any language, and English lines when there is no model")
{
    const auto cast_as = cast(nullptr, {}, chains_of(Config{}));
    CHECK(cast_as.language.empty());
    CHECK(cast_as.speed == 1.0);
    REQUIRE(cast_as.script);
    CHECK(cast_as.script->language == "en");
    CHECK(cast_as.script->lines.empty());
}

TEST_CASE("a character chooses among the configured sections; one that is not there counts for nothing, its model neither")
{
    characters::Character character = mina();
    character.llm_provider = "llm_2";
    character.llm_model = "larger";
    character.stt_provider = "stt_2";
    character.stt_model = "whisper";
    character.tts_model = "tts-2";
    character.voice_id = "mina_voice";
    const auto cast_as = cast(&character, {}, chains_of(with_services()));
    CHECK(cast_as.llm_choice.provider == "llm_2");
    CHECK(cast_as.llm_choice.model == "larger");
    CHECK((cast_as.stt_choice.provider.empty() && cast_as.stt_choice.model.empty()));
    CHECK((cast_as.tts_choice.provider.empty() && cast_as.tts_choice.model == "tts-2"));
    CHECK(cast_as.voice_id == "mina_voice");
}

TEST_CASE("the embedded voice's pace is for the embedded voice")
{
    characters::Character character = mina();
    CHECK(cast(&character, {}, chains_of(with_services())).speed == 1.0);
    character.tts_provider = "tts_2";
    CHECK(cast(&character, {}, chains_of(with_services())).speed == 0.8);
}
