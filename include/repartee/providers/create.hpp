#pragma once
#include "repartee/providers/roles.hpp"
#include "repartee/providers/scripted_llm.hpp"

#include <chrono>

/// The one place that knows which implementations there are. Unknown names: Code::invalid_value with the known ones.
namespace repartee::providers {

struct TtsSettings {
    std::string provider = "embedded";           ///< embedded, openai
    std::string url, api_key, model, fallback_voice, ca_file;  ///< openai
    std::string espeak_program = "espeak-ng";    ///< embedded
    std::chrono::milliseconds limit{20'000};     ///< of one utterance
};
Result<std::unique_ptr<TextToSpeech>> create_tts(const TtsSettings& settings);

struct LlmSettings {
    std::string provider = "scripted";
    Script script;
};
Result<std::unique_ptr<LanguageModel>> create_llm(const LlmSettings& settings);

struct SttSettings {
    std::string provider = "none";
};
Result<std::unique_ptr<SpeechToText>> create_stt(const SttSettings& settings);

}  // namespace repartee::providers
