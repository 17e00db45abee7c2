#include "config_problems.hpp"

#include "role_settings.hpp"

#include "repartee/base/json.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <initializer_list>
#include <tuple>

namespace repartee::app {
namespace {

constexpr std::size_t questions_max = 50;

struct SectionOf {
    std::string name;
    const Config::Service& service;
};

std::vector<SectionOf> sections_of(const Config& config)
{
    return {{"stt", config.stt},     {"stt_2", config.stt_2}, {"stt_3", config.stt_3}, {"llm", config.llm},     {"llm_2", config.llm_2},
            {"llm_3", config.llm_3}, {"tts", config.tts},     {"tts_2", config.tts_2}, {"tts_3", config.tts_3}};
}

/// What is right or wrong whoever the provider is.
void check_sections(const Config& config, Problems& problems)
{
    for (const SectionOf& section : sections_of(config)) {
        const Config::Service& service = section.service;
        if (!service.url.empty()) problems.check_url(section.name + ".url", service.url, {"https", "http"});
        if (!service.path.empty() && !service.path.starts_with('/'))
            problems.refuse_value(section.name + ".path", service.path, "does not begin with a slash. Write it like /audio/speech.");
        problems.check_exists(section.name + ".ca_file", service.ca_file, false);
        if (service.provider.empty() && !(service.url.empty() && service.model.empty() && service.api_key.empty()))
            problems.refuse(section.name + ".provider",
                            fmt::format("is empty, but other settings of [{}] are not. Name the provider, e.g. \"openai\".", section.name));
    }
    using Fallbacks = std::tuple<const Config::Service&, const Config::Service&, const char*>;
    for (const auto& [second, third, role] :
         {Fallbacks{config.stt_2, config.stt_3, "stt"}, Fallbacks{config.llm_2, config.llm_3, "llm"}, Fallbacks{config.tts_2, config.tts_3, "tts"}})
        if (second.provider.empty() && !third.provider.empty())
            problems.refuse(fmt::format("{}_3.provider", role),
                            fmt::format("is set, but {0}_2.provider is not. Name the second before the third in [{0}_2].", role));
}

void check_key(const Config::Link& link, Problems& problems)
{
    const auto url = net::parse_url(link.service->url);
    const bool at_openai = link.service->url.empty() || (url && is_openai_host(url->host));
    if (link.provider != "openai" || !at_openai || !link.service->api_key.empty()) return;
    problems.refuse(link.section + ".provider",
                    fmt::format("is \"openai\" or decided so by {0}.url, but there is no key. Set OPENAI_API_KEY, OPENAI_API_KEY_FILE or "
                                "{0}.api_key, or choose {0}.provider = \"embedded\".",
                                link.section));
}

void check_voices(const Config& config, Problems& problems)
{
    const auto voices = load_voices(config.tts.voices_file);
    if (!voices) return problems.refuse("tts.voices_file", fmt::format("cannot be used. {}", voices.error().message));
    for (const Config::Link& link : config.chain("tts")) {
        if (link.provider != "sovits") continue;
        if (config.tts.voices_file.empty())
            return problems.refuse("tts.voices_file", fmt::format("is empty, but {}.provider is \"sovits\", which needs the recording of a voice to "
                                                                  "speak like. Name a file of voices.",
                                                                  link.section));
        for (const providers::Voice& voice : (*voices)->all())
            if (voice.ref_audio_path.empty() || voice.prompt_lang.empty())
                problems.refuse("tts.voices_file",
                                fmt::format("has a voice \"{}\" without {}, which {}.provider = \"sovits\" needs. Add it.", voice.id,
                                            voice.ref_audio_path.empty() ? "ref_audio_path" : "prompt_lang", link.section));
        return;
    }
}

void check_language(std::string_view name, const std::string& language, bool may_be_empty, Problems& problems)
{
    const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
    if ((language.empty() && may_be_empty) || (language.size() == 2 && std::ranges::all_of(language, is_lower))) return;
    problems.refuse_value(name, language, "is not a two-letter language code (ISO 639-1). Write it like ko or en.");
}

}  // namespace

void check_roles(const Config& config, Problems& problems)
{
    check_sections(config, problems);
    for (const std::string_view role : {"stt", "llm", "tts"})
        for (const Config::Link& link : config.chain(role)) {
            check_key(link, problems);
            if (role == "llm" && link.provider != "embedded" && link.service->model.empty())
                problems.refuse(link.section + ".model",
                                fmt::format("is empty, but {}.provider is \"{}\". Name a chat model of that service.", link.section, link.provider));
        }
    check_voices(config, problems);
    if (!config.llm.extra.empty())
        if (const auto extra = json::parse_object(config.llm.extra); !extra)
            problems.refuse("llm.extra", "is not a JSON object. Write it like {\"reasoning_effort\":\"minimal\"}. " + extra.error().message);
    check_language("stt.language", config.stt.language, true, problems);
    check_language("interview.language", config.interview.language, false, problems);
    check_language("voice_chat.language", config.voice_chat.language, false, problems);
    check_language("listen.language", config.listen.language, false, problems);
    if (split_questions(config.interview.questions).size() > questions_max)
        problems.refuse("interview.questions", fmt::format("holds more than {} questions. Leave some out.", questions_max));
    if (config.local.first_piece_chars > config.local.piece_chars_max)
        problems.refuse("local.first_piece_chars", fmt::format("= {} is greater than local.piece_chars_max = {}. Swap or adapt them.",
                                                               config.local.first_piece_chars, config.local.piece_chars_max));
}

}  // namespace repartee::app
