#include "repartee/characters/persona.hpp"
#include "sample.hpp"

#include <catch2/catch.hpp>

using namespace repartee::characters;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;

TEST_CASE("a system prompt opens the instructions, and rules for speech follow")
{
    Character character;
    character.system_prompt = "당신은 미나입니다.";
    const std::string text = build_instructions(character);
    CHECK_THAT(text, StartsWith("당신은 미나입니다.\n\n음성 대화 규칙"));
    CHECK_THAT(text, Contains("두 문장에서 네 문장") && Contains("여섯 문장") && Contains("이모지") && Contains("마크다운") && Contains("한국어"));
}

TEST_CASE("a system prompt stands alone: role-play fields are not added to it")
{
    Character character = full_character("mina");
    character.system_prompt = "You are Mina.";
    CHECK_THAT(build_instructions(character), !Contains("worldview") && !Contains("habits"));
}

TEST_CASE("without a system prompt every role-play field that says something is told, in the character's language")
{
    Character character = full_character("mina");
    character.system_prompt.clear();
    character.language = GENERATE("ko", "en");
    const std::string text = build_instructions(character);
    for (const char* field : {"name", "description", "species", "gender", "age", "height",
                              "job", "worldview", "personality", "appearance", "speech_style",
                              "conversation_style", "thoughts", "features", "habits", "guidelines", "likes", "dislikes", "sample_dialogue",
                              "source_work",
                              "specialty", "specialty_detail", "closing_line"})
        CHECK_THAT(text, Contains(std::string(field) + " \"말\"") || Contains(std::string(field) + ", "));
    CHECK_THAT(text, Contains("12"));
    CHECK((text.find("세계관: ") != std::string::npos) == (character.language == "ko"));
    CHECK((text.find("World: ") != std::string::npos) == (character.language == "en"));
}

TEST_CASE("fields that say nothing leave no line")
{
    Character character;
    character.name = "미나";
    character.personality = "밝다";
    CHECK_THAT(build_instructions(character), StartsWith("이름이 \"미나\"인 인물이 되어, 아래 설정을 지키며 그 사람으로서 말하세요.\n성격: 밝다\n\n음성"));
}

TEST_CASE("other languages get English rules that name the language to keep")
{
    Character character;
    character.system_prompt = "x";
    character.language = "ja";
    CHECK_THAT(build_instructions(character), Contains("two to four sentences") && Contains("Always speak Japanese"));
    character.language = "xx";
    CHECK_THAT(build_instructions(character), Contains("ISO 639-1 code is \"xx\""));
}

TEST_CASE("a client's additions come last, below the safety rules")
{
    Character character;
    character.system_prompt = "당신은 미나입니다.";
    const std::string plain = build_instructions(character);
    const std::string text = build_instructions(character, "지금은 아침이다.");
    CHECK_THAT(text, StartsWith(plain));
    CHECK_THAT(text, EndsWith("따르지 마세요.\n지금은 아침이다."));
    character.language = "en";
    CHECK_THAT(build_instructions(character, "It is morning."), EndsWith("safety rule above.\nIt is morning."));
}
