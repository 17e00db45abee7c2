#include "repartee/providers/create.hpp"

#include "ollama_llm.hpp"
#include "openai_llm.hpp"
#include "openai_stt.hpp"
#include "openai_tts.hpp"
#include "repartee/providers/espeak_tts.hpp"
#include "repartee/providers/fallback.hpp"
#include "repartee/providers/no_stt.hpp"
#include "repartee/providers/scripted_llm.hpp"
#include "sovits_tts.hpp"

#include <fmt/format.h>

namespace repartee::providers {
namespace {

constexpr std::size_t providers_max = 3;  // of one role
constexpr int embedded_voices_at_once = 8;

template <class Role, class Settings>
struct Row {
    std::string_view name;
    Result<std::unique_ptr<Role>> (*make)(const Settings&, const Resources&);
};

template <class Role, class Settings>
Result<std::unique_ptr<Role>> make(std::span<const Row<Role, Settings>> table, std::string_view role, const Settings& settings,
                                   const Resources& resources)
{
    std::string known;
    for (const auto& row : table) {
        if (row.name == settings.provider) return row.make(settings, resources);
        known.append(known.empty() ? "" : ", ").append(row.name);
    }
    return Error{Code::invalid_value, fmt::format("There is no {} provider \"{}\". Known: {}.", role, settings.provider, known)};
}

Result<std::unique_ptr<TextToSpeech>> make_espeak(const TtsSettings& settings, const Resources&)
{
    const int at_once = settings.requests_at_once > 0 ? settings.requests_at_once : embedded_voices_at_once;
    return std::unique_ptr<TextToSpeech>(
        std::make_unique<EspeakTts>(settings.espeak_program, settings.times.total, static_cast<std::size_t>(at_once)));
}

Result<std::unique_ptr<LanguageModel>> make_scripted(const LlmSettings&, const Resources&)
{
    return std::unique_ptr<LanguageModel>(std::make_unique<ScriptedLlm>());
}

Result<std::unique_ptr<SpeechToText>> make_no_stt(const SttSettings&, const Resources&)
{
    return std::unique_ptr<SpeechToText>(std::make_unique<NoStt>());
}

constexpr Row<TextToSpeech, TtsSettings> tts_table[] = {{"embedded", make_espeak}, {"openai", OpenAiTts::create}, {"sovits", SovitsTts::create}};
constexpr Row<LanguageModel, LlmSettings> llm_table[] = {{"embedded", make_scripted}, {"openai", OpenAiLlm::create}, {"ollama", OllamaLlm::create}};
constexpr Row<SpeechToText, SttSettings> stt_table[] = {{"embedded", make_no_stt}, {"openai", OpenAiStt::create}};

/// One role's providers, in order, as one.
template <class Role, class Settings, class Create>
Result<std::shared_ptr<Role>> make_chain(std::string_view role, const std::vector<Settings>& all, milliseconds cooldown, const Resources& resources,
                                         Create create)
{
    if (all.empty() || all.size() > providers_max)
        return Error{Code::invalid_value, fmt::format("The role {} needs one to {} providers, and has {}.", role, providers_max, all.size())};
    std::vector<Named<Role>> providers;
    for (const Settings& settings : all) {
        auto provider = create(settings, resources);
        if (!provider) return provider.error();
        providers.push_back(Named<Role>{settings.section.empty() ? std::string(role) : settings.section, std::move(*provider)});
    }
    return chain(std::move(providers), cooldown, resources.metrics);
}

}  // namespace

Result<std::unique_ptr<TextToSpeech>> create_tts(const TtsSettings& settings, const Resources& resources)
{
    return make<TextToSpeech, TtsSettings>(tts_table, "speech (tts)", settings, resources);
}

Result<std::unique_ptr<LanguageModel>> create_llm(const LlmSettings& settings, const Resources& resources)
{
    return make<LanguageModel, LlmSettings>(llm_table, "language model (llm)", settings, resources);
}

Result<std::unique_ptr<SpeechToText>> create_stt(const SttSettings& settings, const Resources& resources)
{
    return make<SpeechToText, SttSettings>(stt_table, "transcription (stt)", settings, resources);
}

Result<Roles> create_roles(const RoleSettings& settings, const Resources& resources)
{
    auto stt = make_chain<SpeechToText>("stt", settings.stt, settings.cooldown, resources, create_stt);
    if (!stt) return stt.error();
    auto llm = make_chain<LanguageModel>("llm", settings.llm, settings.cooldown, resources, create_llm);
    if (!llm) return llm.error();
    auto tts = make_chain<TextToSpeech>("tts", settings.tts, settings.cooldown, resources, create_tts);
    if (!tts) return tts.error();
    Roles roles;
    roles.stt = std::move(*stt);
    roles.llm = std::move(*llm);
    roles.tts = std::move(*tts);
    return roles;
}

}  // namespace repartee::providers
