#include "casting.hpp"

#include "repartee/base/log.hpp"

#include <algorithm>

namespace repartee::app {
namespace {

/// Nothing when that section is not configured.
template <class Settings>
providers::Choice choice(const std::string& section, const std::string& model, const std::vector<Settings>& chain)
{
    const auto is_it = [&](const Settings& settings) { return settings.section == section; };
    if (!section.empty() && std::ranges::none_of(chain, is_it)) return {};
    return {section, model};
}

/// Whom a turn asks first to speak.
std::string_view first_provider(const providers::Choice& choice, const std::vector<providers::TtsSettings>& chain)
{
    for (const providers::TtsSettings& settings : chain)
        if (settings.section == choice.provider) return settings.provider;
    return chain.front().provider;
}

}  // namespace

engine::LocalRoles cast(const characters::Character* character, const providers::Roles& roles, const providers::RoleSettings& chains)
{
    engine::LocalRoles local;
    local.services = roles;
    providers::Script script;
    if (character) {
        script.lines = character->offline_lines;
        script.closing_line = character->closing_line;
        local.language = character->language;
        local.voice_id = character->voice_id;
        local.stt_choice = choice(character->stt_provider, character->stt_model, chains.stt);
        local.llm_choice = choice(character->llm_provider, character->llm_model, chains.llm);
        local.tts_choice = choice(character->tts_provider, character->tts_model, chains.tts);
        local.pitch = character->embedded_voice.pitch;
        // A service's voice has its own pace; the embedded one is the same for all and told apart by it.
        if (first_provider(local.tts_choice, chains.tts) == "embedded") local.speed = character->embedded_voice.speed;
    } else {
        local.language.clear();  // nobody has said what is spoken: the services find out
    }
    script.language = local.language.empty() ? "en" : local.language;
    local.script = std::make_shared<const providers::Script>(std::move(script));
    return local;
}

UnknownProviders::UnknownProviders(const Config& config)
{
    for (const std::string_view role : {"stt", "llm", "tts"})
        for (const Config::Link& link : config.chain(role)) known_.insert(link.section);
}

void UnknownProviders::tell(const std::vector<characters::Character>& characters)
{
    const std::lock_guard lock(mutex_);
    for (const characters::Character& character : characters)
        for (const std::string& section : {character.stt_provider, character.llm_provider, character.tts_provider}) {
            if (section.empty() || known_.contains(section) || !told_.insert(character.id + " " + section).second) continue;
            log::warn("character.provider_unknown",
                      {{"character", character.id},
                       {"section", section},
                       {"message", "There is no such section in the configuration: the configured ones are used."}});
        }
}

}  // namespace repartee::app
