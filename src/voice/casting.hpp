#pragma once
#include "repartee/characters/character.hpp"
#include "repartee/engine/reply.hpp"
#include "repartee/providers/roles.hpp"

#include <memory>
#include <string>

/// What a character (which may be null) chooses among what is configured.
namespace repartee::voice {

providers::Choice stt_choice(const characters::Character* character);
providers::Choice llm_choice(const characters::Character* character);

/// `asked` wins over the character's voice, that over `configured`.
engine::ReplyVoice reply_voice(const characters::Character* character, const providers::TextToSpeech& tts, std::string asked, std::string configured,
                               std::string language);

/// For the embedded brain.
std::shared_ptr<const providers::Script> script_of(const characters::Character* character, const std::string& language);

}  // namespace repartee::voice
