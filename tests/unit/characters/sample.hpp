#pragma once
#include "repartee/characters/fields.hpp"

namespace repartee::characters {

/// A character with something different in every field.
inline Character full_character(const std::string& id)
{
    Character character;
    for (const TextField& field : text_fields) character.*field.member = std::string(field.name) + " \"말\"\n둘째 줄";
    for (const ListField& field : list_fields) character.*field.member = {std::string(field.name), "", "둘"};
    character.id = id;
    character.openai_voice = "cedar";
    character.language = "en";
    character.experience_years = 12;
    character.is_preset = false;
    character.embedded_voice = {1.234, 0.5};
    character.stt_provider = "stt_2";
    character.stt_model = "an stt model";
    character.llm_provider = "llm";
    character.llm_model = "an/llm:model";
    character.tts_provider = "tts_3";
    character.tts_model = "a tts model";
    return character;
}

}  // namespace repartee::characters
