#include "role_settings.hpp"

#include "config_toml.hpp"

#include "repartee/base/json.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace repartee::app {
namespace {

using std::chrono::milliseconds;

std::string model_of(const Config::Service& service, std::string_view role)
{
    if (!service.model.empty() || role == "llm") return service.model;
    return role == "stt" ? Config::Stt().model : Config::Tts().model;
}

void fill_http(providers::HttpSettings& to, const Config::Link& link, const Config::Role& role, std::string_view role_name)
{
    const Config::Service& service = *link.service;
    to.section = link.section;
    to.url = service.url;
    to.path = service.path;
    to.api_key = service.api_key;
    to.model = model_of(service, role_name);
    to.ca_file = service.ca_file;
    to.times.connect = milliseconds(role.connect_limit_ms);
    to.times.send_idle = to.times.idle = milliseconds(role.idle_limit_ms);
    to.times.first_byte = milliseconds(role.first_byte_limit_ms);
    to.times.total = milliseconds(role.limit_ms);
    to.retries = static_cast<int>(role.retries);
    to.retry_wait_max = milliseconds(role.retry_wait_max_ms);
}

providers::SttSettings stt_settings(const Config::Stt& c, const Config::Link& link)
{
    providers::SttSettings to;
    fill_http(to, link, c, "stt");
    to.provider = link.provider;
    to.response_format = c.response_format;
    to.stream = c.stream;
    to.wav_only = c.accepts == "wav";
    to.wav_hz = static_cast<int>(c.wav_hz);
    to.language = c.language;
    to.prompt = c.prompt;
    to.no_speech_max = c.no_speech_max;
    to.audio_bytes_max = static_cast<std::size_t>(c.audio_bytes_max);
    return to;
}

providers::LlmSettings llm_settings(const Config::Llm& c, const Config::Link& link)
{
    providers::LlmSettings to;
    fill_http(to, link, c, "llm");
    to.provider = link.provider;
    to.tokens_field = c.tokens_field;
    to.output_tokens_max = static_cast<int>(c.output_tokens_max);
    to.temperature = c.temperature;
    if (const auto extra = json::parse_object(c.extra); extra) to.extra = *extra;
    to.think = c.think;
    to.keep_alive = c.keep_alive;
    to.context_tokens = static_cast<int>(c.context_tokens);
    return to;
}

providers::TtsSettings tts_settings(const Config& config, const Config::Link& link, const std::string& fallback_voice)
{
    const Config::Tts& c = config.tts;
    providers::TtsSettings to;
    fill_http(to, link, c, "tts");
    to.provider = link.provider;
    to.fallback_voice = fallback_voice.empty() ? c.fallback_voice : fallback_voice;
    to.instructions = c.instructions;
    to.response_format = c.response_format;
    to.pcm_hz = static_cast<int>(c.pcm_hz);
    to.sovits_streaming_mode = static_cast<int>(c.streaming_mode);
    to.sovits_media_type = c.media_type;
    to.sovits_split_method = c.split_method;
    to.requests_at_once = static_cast<int>(c.requests_at_once == 0 && link.provider == "sovits" ? 1 : c.requests_at_once);
    // All workers share it: a service that works on one request at a time does so for the whole server.
    if (to.requests_at_once > 0) to.gate = std::make_shared<providers::Gate>(static_cast<std::size_t>(to.requests_at_once));
    to.audio_ms_max = c.audio_ms_max;
    to.espeak_program = config.local.espeak_program;
    if (link.provider == "embedded") to.times.total = milliseconds(config.local.speech_limit_ms);
    return to;
}

std::string_view default_address(std::string_view provider)
{
    if (provider == "ollama") return "127.0.0.1:11434";
    return provider == "sovits" ? "127.0.0.1:9880" : "api.openai.com";
}

std::string link_text(const Config& config, const Config::Link& link, std::string_view role)
{
    if (link.provider == "embedded") {
        if (role == "stt") return "embedded (nobody: speech is not written down)";
        if (role == "llm") return "embedded (prepared lines)";
        return fmt::format("embedded ({})", config.local.espeak_program.empty() ? "a chime" : config.local.espeak_program);
    }
    const auto url = net::parse_url(link.service->url);
    const std::string address = url ? url->host_header() : std::string(default_address(link.provider));
    if (link.provider == "sovits") return fmt::format("sovits (at {})", address);
    return fmt::format("{} ({} at {})", link.provider, model_of(*link.service, role), address);
}

}  // namespace

Result<std::shared_ptr<const providers::VoiceList>> load_voices(const std::string& path)
{
    if (path.empty()) return std::make_shared<const providers::VoiceList>();
    const auto text = read_small_file(path);
    if (!text) return text.error();
    auto voices = providers::parse_voices(*text);
    if (!voices) return Error{voices.error().code, fmt::format("{}: {}", path, voices.error().message), voices.error().param};
    return std::make_shared<const providers::VoiceList>(std::move(*voices));
}

Result<providers::RoleSettings> role_settings(const Config& config)
{
    const auto voices = load_voices(config.tts.voices_file);
    if (!voices) return voices.error();
    providers::RoleSettings settings;
    for (const Config::Link& link : config.chain("stt")) settings.stt.push_back(stt_settings(config.stt, link));
    for (const Config::Link& link : config.chain("llm")) settings.llm.push_back(llm_settings(config.llm, link));
    for (const Config::Link& link : config.chain("tts")) {
        const std::string& fallback_voice = link.section == "tts_2"   ? config.tts_2.fallback_voice
                                            : link.section == "tts_3" ? config.tts_3.fallback_voice
                                                                      : config.tts.fallback_voice;
        settings.tts.push_back(tts_settings(config, link, fallback_voice));
        if (!config.tts.voices_file.empty()) settings.tts.back().voices = *voices;
    }
    settings.cooldown = milliseconds(config.providers.cooldown_ms);
    return settings;
}

providers::DecodeSettings decode_settings(const Config& config)
{
    providers::DecodeSettings settings;
    settings.program = config.decode.program;
    settings.limit = milliseconds(config.decode.limit_ms);
    settings.programs_max = static_cast<std::size_t>(config.decode.programs_max);
    settings.memory_bytes_max = static_cast<std::size_t>(config.decode.memory_bytes_max);
    settings.audio_ms_max = config.decode.audio_ms_max;
    return settings;
}

net::HttpClientSettings http_client_settings(const Config& config, const std::function<const char*(const char*)>& environment)
{
    net::HttpClientSettings settings;
    if (config.http_client.proxy == "environment")
        if (auto rules = net::ProxyRules::from_environment(environment); rules) settings.proxies = std::move(*rules);
    settings.idle_connections_max = static_cast<std::size_t>(config.http_client.idle_connections_max);
    settings.idle_connections_total_max = std::max(settings.idle_connections_total_max, settings.idle_connections_max);
    if (settings.idle_connections_max == 0) settings.idle_connections_total_max = 0;
    settings.idle_limit = milliseconds(config.http_client.idle_limit_ms);
    return settings;
}

bool speaks_prepared_lines(const Config& config)
{
    return std::ranges::all_of(config.chain("llm"), [](const Config::Link& link) { return link.provider == "embedded"; });
}

std::string chain_text(const Config& config, std::string_view role)
{
    std::string text;
    for (const Config::Link& link : config.chain(role)) text += (text.empty() ? "" : ", then ") + link_text(config, link, role);
    return text;
}

std::string successors_text(const Config& config)
{
    const std::vector<Config::RealtimeService> services = config.realtime_services();
    if (services.empty()) return {};
    std::vector<std::string> texts;
    for (auto service = services.begin() + 1; service != services.end(); ++service) {
        const auto url = net::parse_url(service->url);
        texts.push_back(fmt::format("{} ({} at {})", service->section, service->model, url ? url->host_header() : "?"));
    }
    if (config.recovery.local_last) texts.emplace_back("the engine built in");
    return fmt::format("{}", fmt::join(texts, ", then "));
}

std::vector<std::string> split_questions(std::string_view text)
{
    std::vector<std::string> questions;
    while (!text.empty()) {
        const std::size_t bar = std::min(text.find('|'), text.size());
        std::string_view question = text.substr(0, bar);
        text.remove_prefix(std::min(bar + 1, text.size()));
        while (question.starts_with(' ')) question.remove_prefix(1);
        while (question.ends_with(' ')) question.remove_suffix(1);
        if (!question.empty()) questions.emplace_back(question);
    }
    return questions;
}

}  // namespace repartee::app
