#include "casting.hpp"

namespace repartee::voice {

providers::Choice stt_choice(const characters::Character* character)
{
    if (!character) return {};
    return {character->stt_provider, character->stt_model};
}

providers::Choice llm_choice(const characters::Character* character)
{
    if (!character) return {};
    return {character->llm_provider, character->llm_model};
}

engine::ReplyVoice reply_voice(const characters::Character* character, const providers::TextToSpeech& tts, std::string asked, std::string configured,
                               std::string language)
{
    engine::ReplyVoice voice;
    voice.voice = std::move(configured);
    voice.language = std::move(language);
    if (character) {
        const std::string& own = character->voice_id.empty() ? character->openai_voice : character->voice_id;
        if (!own.empty()) voice.voice = own;
        voice.choice = {character->tts_provider, character->tts_model};
        voice.pitch = character->embedded_voice.pitch;
        if (tts.provider_name() == "embedded") voice.speed = character->embedded_voice.speed;
    }
    if (!asked.empty()) voice.voice = std::move(asked);
    return voice;
}

std::shared_ptr<const providers::Script> script_of(const characters::Character* character, const std::string& language)
{
    providers::Script script;
    script.language = language;
    if (character) {
        script.lines = character->offline_lines;
        script.closing_line = character->closing_line;
    }
    return std::make_shared<const providers::Script>(std::move(script));
}

}  // namespace repartee::voice
