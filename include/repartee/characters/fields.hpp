#pragma once
#include "repartee/characters/character.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// The text and list members of a Character by name: one table for JSON, the database and forms.
namespace repartee::characters {

struct TextField {
    std::string_view name;
    std::string Character::*member;
    std::size_t max_chars;  ///< code points
};

struct ListField {
    std::string_view name;
    std::vector<std::string> Character::*member;
    std::size_t max_items;
    std::size_t max_item_chars;
};

inline constexpr std::size_t short_text_chars = 200, long_text_chars = 4000, prompt_chars = 20000, url_chars = 2000;

inline constexpr TextField text_fields[] = {
    {"id", &Character::id, 64},
    {"name", &Character::name, short_text_chars},
    {"name_en", &Character::name_en, short_text_chars},
    {"gender", &Character::gender, short_text_chars},
    {"age_range", &Character::age_range, short_text_chars},
    {"specialty", &Character::specialty, short_text_chars},
    {"specialty_detail", &Character::specialty_detail, long_text_chars},
    {"personality", &Character::personality, long_text_chars},
    {"conversation_style", &Character::conversation_style, long_text_chars},
    {"openai_voice", &Character::openai_voice, 64},
    {"system_prompt", &Character::system_prompt, prompt_chars},
    {"profile_image_url", &Character::profile_image_url, url_chars},
    {"lottie_animation_url", &Character::lottie_animation_url, url_chars},
    {"introduction_audio_url", &Character::introduction_audio_url, url_chars},
    {"introduction_text", &Character::introduction_text, long_text_chars},
    {"language", &Character::language, 2},
    {"description", &Character::description, long_text_chars},
    {"species", &Character::species, short_text_chars},
    {"age", &Character::age, short_text_chars},
    {"height", &Character::height, short_text_chars},
    {"job", &Character::job, short_text_chars},
    {"worldview", &Character::worldview, long_text_chars},
    {"appearance", &Character::appearance, long_text_chars},
    {"speech_style", &Character::speech_style, long_text_chars},
    {"thoughts", &Character::thoughts, long_text_chars},
    {"features", &Character::features, long_text_chars},
    {"habits", &Character::habits, long_text_chars},
    {"guidelines", &Character::guidelines, long_text_chars},
    {"voice_id", &Character::voice_id, short_text_chars},
    {"category", &Character::category, short_text_chars},
    {"sample_dialogue", &Character::sample_dialogue, prompt_chars},
    {"image_url", &Character::image_url, url_chars},
    {"source_work", &Character::source_work, short_text_chars},
    {"closing_line", &Character::closing_line, long_text_chars},
    {"stt_provider", &Character::stt_provider, short_text_chars},
    {"stt_model", &Character::stt_model, short_text_chars},
    {"llm_provider", &Character::llm_provider, short_text_chars},
    {"llm_model", &Character::llm_model, short_text_chars},
    {"tts_provider", &Character::tts_provider, short_text_chars},
    {"tts_model", &Character::tts_model, short_text_chars},
};

inline constexpr ListField list_fields[] = {
    {"likes", &Character::likes, 50, short_text_chars},
    {"dislikes", &Character::dislikes, 50, short_text_chars},
    {"tags", &Character::tags, 50, short_text_chars},
    {"offline_lines", &Character::offline_lines, 100, 1000},
};

}  // namespace repartee::characters
