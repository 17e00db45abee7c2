#pragma once
#include "repartee/base/json.hpp"

#include <string>
#include <vector>

namespace repartee::characters {

/// What the embedded voice does to sound like this character.
struct EmbeddedVoice {
    double pitch = 1.0;  ///< 0.5…2
    double speed = 1.0;  ///< 0.5…2

    bool operator==(const EmbeddedVoice&) const = default;
};

/// One character: the fields of the counsellors and of role-play characters in one value (one table row). Empty strings mean "not said".
struct Character {
    std::string id;  ///< lower-case letters, digits, underscore; 1…64
    std::string name, name_en, gender, age_range, specialty, specialty_detail;
    int experience_years = 0;
    std::string personality, conversation_style;
    std::string openai_voice;  ///< lower case
    std::string system_prompt;
    std::string profile_image_url, lottie_animation_url, introduction_audio_url, introduction_text;
    std::string language = "ko";  ///< ISO-639-1: transcription hint and embedded voice
    EmbeddedVoice embedded_voice;

    // Role-play fields.
    std::string description, species, age, height, job, worldview, appearance, speech_style, thoughts, features, habits, guidelines;
    std::vector<std::string> likes, dislikes, tags;
    std::string voice_id, category, sample_dialogue, image_url, source_work;
    bool is_preset = true;

    // Which of the configured providers it prefers (sections of the configuration: "llm_2"), and which model there. Empty: as configured.
    // Never an address or a key: characters may come from users.
    std::string stt_provider, stt_model, llm_provider, llm_model, tts_provider, tts_model;

    // What it says without an AI service, and material for few-shot prompts.
    std::vector<std::string> offline_lines;  ///< the scripted brain's lines, in order; the first is the greeting
    std::string closing_line;

    bool operator==(const Character&) const = default;
};

/// Every field, empty ones included. `with_prompt` false leaves out system_prompt (what the REST API shows).
json::object to_json(const Character& character, bool with_prompt);
/// Unknown members are refused by name (Code::unknown_parameter), wrong types and lengths too (Code::invalid_value, `param` set).
/// Required: id, name, openai_voice, system_prompt or personality, introduction_text.
Result<Character> parse_character(std::string_view json_text);

}  // namespace repartee::characters
