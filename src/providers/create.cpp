#include "repartee/providers/create.hpp"

#include "repartee/providers/espeak_tts.hpp"
#include "repartee/providers/no_stt.hpp"
#include "repartee/providers/openai_tts.hpp"

#include <fmt/format.h>

namespace repartee::providers {
namespace {

template <class Role, class Settings>
struct Row {
    std::string_view name;
    Result<std::unique_ptr<Role>> (*make)(const Settings&);
};

template <class Role, class Settings>
Result<std::unique_ptr<Role>> make(std::span<const Row<Role, Settings>> table, std::string_view role, const Settings& settings)
{
    std::string known;
    for (const auto& row : table) {
        if (row.name == settings.provider) return row.make(settings);
        known.append(known.empty() ? "" : ", ").append(row.name);
    }
    return Error{Code::invalid_value, fmt::format("There is no {} provider \"{}\". Known: {}.", role, settings.provider, known)};
}

Result<std::unique_ptr<TextToSpeech>> make_espeak(const TtsSettings& settings)
{
    return std::unique_ptr<TextToSpeech>(std::make_unique<EspeakTts>(settings.espeak_program, settings.limit));
}

Result<std::unique_ptr<TextToSpeech>> make_openai_tts(const TtsSettings& settings)
{
    auto tts = OpenAiTts::create(
        {settings.url, settings.api_key, settings.model, settings.fallback_voice, settings.ca_file, settings.limit});
    if (!tts) return tts.error();
    return std::unique_ptr<TextToSpeech>(std::move(*tts));
}

Result<std::unique_ptr<LanguageModel>> make_scripted(const LlmSettings& settings)
{
    return std::unique_ptr<LanguageModel>(std::make_unique<ScriptedLlm>(settings.script));
}

Result<std::unique_ptr<SpeechToText>> make_no_stt(const SttSettings&) { return std::unique_ptr<SpeechToText>(std::make_unique<NoStt>()); }

constexpr Row<TextToSpeech, TtsSettings> tts_table[] = {{"embedded", make_espeak}, {"openai", make_openai_tts}};
constexpr Row<LanguageModel, LlmSettings> llm_table[] = {{"scripted", make_scripted}};
constexpr Row<SpeechToText, SttSettings> stt_table[] = {{"none", make_no_stt}};

}  // namespace

Result<std::unique_ptr<TextToSpeech>> create_tts(const TtsSettings& settings)
{
    return make<TextToSpeech, TtsSettings>(tts_table, "speech (tts)", settings);
}

Result<std::unique_ptr<LanguageModel>> create_llm(const LlmSettings& settings)
{
    return make<LanguageModel, LlmSettings>(llm_table, "language model (llm)", settings);
}

Result<std::unique_ptr<SpeechToText>> create_stt(const SttSettings& settings)
{
    return make<SpeechToText, SttSettings>(stt_table, "transcription (stt)", settings);
}

}  // namespace repartee::providers
