#include "config_section.hpp"

#include <fmt/format.h>

namespace repartee::app {
namespace {

struct RoleWords {
    std::string name;
    std::string does;                        // what a provider of it is asked for
    std::vector<std::string> providers;      // without "auto" and "none"
    std::string model, path;                 // of OpenAI's API
};

void add_address(Section& s, Config::Service& c, const RoleWords& role)
{
    s.text("url", c.url, "Base address of the service, https://HOST/PATH. Empty: the provider's own, e.g. https://api.openai.com/v1.");
    s.text("path", c.path, fmt::format("Behind the base address. Empty: the provider's own, e.g. {}.", role.path));
    s.secret("api_key", c.api_key,
             "Key for that service. When empty and the service is at api.openai.com, OPENAI_API_KEY or the file OPENAI_API_KEY_FILE is used.");
}

void add_service(Section& s, Config::Service& c, const RoleWords& role)
{
    std::vector<std::string> providers = role.providers;
    providers.insert(providers.begin(), "auto");
    const std::string needs = role.name == "llm" ? "a model, and a key or another url" : "a key or another url";
    s.choice("provider", c.provider, std::move(providers),
             fmt::format("Who {}.\nauto: openai when there is {}, else embedded.", role.does, needs));
    add_address(s, c, role);
    s.text("model", c.model, role.model);
    s.path("ca_file", c.ca_file, "PEM file with the certificate authorities to trust for url. Empty: those of the system.");
}

/// The section "stt_2" of the role "stt"; the settings of one role only go behind.
Section add_fallback(std::vector<Setting>& all, std::string section, Config::Service& c, const RoleWords& role)
{
    Section s(all, std::move(section));
    std::vector<std::string> providers = role.providers;
    providers.insert(providers.begin(), "");
    s.choice("provider", c.provider, std::move(providers),
             fmt::format("Takes over when the one before fails. Empty: none. What is not named here is as in [{}].", role.name));
    add_address(s, c, role);
    const std::string model = role.name == "llm" ? "Model; without one the section cannot be used."
                                                 : "Model. Empty: the default of [" + role.name + "].";
    s.text("model", c.model, model);
    s.path("ca_file", c.ca_file, "PEM file with the certificate authorities to trust for url. Empty: those of the system.");
    return s;
}

void add_limits(Section& s, Config::Role& c)
{
    s.integer("connect_limit_ms", c.connect_limit_ms, 10, hour_ms, "Time for the name, TCP, a proxy and TLS together.");
    s.integer("first_byte_limit_ms", c.first_byte_limit_ms, 10, hour_ms, "Time from the end of a request to the beginning of its answer.");
    s.integer("idle_limit_ms", c.idle_limit_ms, 10, hour_ms, "Longest silence within a request or an answer.");
    s.integer("limit_ms", c.limit_ms, 10, hour_ms, "Time for one request.");
    s.integer("retries", c.retries, 0, 5, "Repetitions of a request that failed before anything of its answer came, where that is safe.");
    s.integer("retry_wait_max_ms", c.retry_wait_max_ms, 0, 60'000,
              "Longest wait before a repetition; when the service asks for more, the next provider takes over.");
}

void add_stt(std::vector<Setting>& all, Config& config)
{
    const RoleWords role{"stt",
                         "hears: writes down what people say. embedded: nobody, and it says so; openai: OpenAI's transcription API, and servers that "
                         "speak it",
                         {"embedded", "openai"}, "Transcription model.", "/audio/transcriptions"};
    Section s(all, "stt");
    Config::Stt& c = config.stt;
    add_service(s, c, role);
    s.text("language", c.language, "Two-letter code of the language spoken, when a session names none. Empty: the service finds out.");
    s.text("prompt", c.prompt, "Words to expect, e.g. names and technical terms.");
    s.choice("response_format", c.response_format, {"json", "verbose_json", "text"},
             "The form of the answer. verbose_json (Whisper) tells times and certainty.");
    s.flag("stream", c.stream, "Whether to ask for the text as it is recognised.");
    s.choice("accepts", c.accepts, {"any", "wav"}, "wav: the service reads nothing else, so everything is decoded here first (whisper.cpp).");
    s.rate("wav_hz", c.wav_hz, "Sample rate of the WAV that speech is sent as.");
    s.number("no_speech_max", c.no_speech_max, 0, 1, "verbose_json: when the service is surer than this that nobody spoke, nothing was said.");
    s.integer("audio_bytes_max", c.audio_bytes_max, 1024, bytes_cap, "Largest recording sent.");
    add_limits(s, c);
    add_fallback(all, "stt_2", config.stt_2, role);
    add_fallback(all, "stt_3", config.stt_3, role);
}

void add_llm(std::vector<Setting>& all, Config& config)
{
    const RoleWords role{"llm",
                         "thinks. embedded: nobody, characters speak prepared lines; openai: the chat completions API of OpenAI, vLLM, llama.cpp and "
                         "many more; ollama",
                         {"embedded", "openai", "ollama"}, "Chat model, by the service's name for it. There is no default.", "/chat/completions"};
    Section s(all, "llm");
    Config::Llm& c = config.llm;
    add_service(s, c, role);
    s.number("temperature", c.temperature, -1, 2, "How freely it answers. Below 0: the model's own.");
    s.integer("output_tokens_max", c.output_tokens_max, 0, 100'000, "Longest answer in tokens. 0: no limit is sent.");
    s.choice("tokens_field", c.tokens_field, {"auto", "max_tokens", "max_completion_tokens"},
             "What that limit is called. auto: max_completion_tokens at api.openai.com, else max_tokens.");
    s.text("extra", c.extra, "A JSON object whose members go into every request, e.g. {\"reasoning_effort\":\"minimal\"}.");
    s.choice("think", c.think, {"auto", "on", "off"}, "ollama: whether a model that can may think first. It is heard later then. auto: not said.");
    s.text("keep_alive", c.keep_alive, "ollama: how long it keeps the model in memory.");
    s.integer("context_tokens", c.context_tokens, 512, 1 << 20, "ollama: size of the model's context (num_ctx).");
    add_limits(s, c);
    add_fallback(all, "llm_2", config.llm_2, role);
    add_fallback(all, "llm_3", config.llm_3, role);
}

void add_tts(std::vector<Setting>& all, Config& config)
{
    const RoleWords role{"tts",
                         "speaks. embedded: espeak-ng (local.espeak_program); openai: OpenAI's speech API, and servers that speak it; sovits: "
                         "GPT-SoVITS",
                         {"embedded", "openai", "sovits"}, "Speech model. OpenAI ends tts-1 on 6 January 2027.", "/audio/speech"};
    constexpr std::string_view fallback_voice = "Voice for characters whose own voice the speech model does not have.";
    Section s(all, "tts");
    Config::Tts& c = config.tts;
    add_service(s, c, role);
    s.text("fallback_voice", c.fallback_voice, std::string(fallback_voice));
    s.text("instructions", c.instructions, "How to speak, for models that can be told (not tts-1).");
    s.choice("response_format", c.response_format, {"pcm", "wav"}, "openai: what is asked for. pcm comes without a header, at pcm_hz.");
    s.integer("pcm_hz", c.pcm_hz, 8'000, 192'000,
              "Sample rate of sound without a header: 24000 at OpenAI; 32000 of GPT-SoVITS v1 and v2 with media_type raw.");
    s.path("voices_file", c.voices_file, "JSON file of your own voices by id; GPT-SoVITS speaks no others.");
    s.integer("streaming_mode", c.streaming_mode, 0, 3, "sovits: 0 makes the whole file first, 1 to 3 stream it, the higher the sooner.");
    s.choice("media_type", c.media_type, {"wav", "raw"}, "sovits: what is asked for.");
    s.choice("split_method", c.split_method, {"cut0", "cut1", "cut2", "cut3", "cut4", "cut5"},
             "sovits: how it cuts text. Text comes in sentences already: cut0.");
    s.integer("requests_at_once", c.requests_at_once, 0, 1'000,
              "Requests under way; others wait. 0: any number, but 1 of sovits, which works on one at a time.");
    s.integer("audio_ms_max", c.audio_ms_max, 1'000, hour_ms, "Longest speech of one request.");
    add_limits(s, c);
    add_fallback(all, "tts_2", config.tts_2, role).text("fallback_voice", config.tts_2.fallback_voice, std::string(fallback_voice));
    add_fallback(all, "tts_3", config.tts_3, role).text("fallback_voice", config.tts_3.fallback_voice, std::string(fallback_voice));
}

void add_surroundings(std::vector<Setting>& all, Config& config)
{
    Section providers(all, "providers");
    providers.integer("cooldown_ms", config.providers.cooldown_ms, 0, hour_ms, "A provider that failed is tried last for so long.");

    Section http(all, "http_client");
    http.choice("proxy", config.http_client.proxy, {"environment", "none"},
                "environment: http_proxy, https_proxy, all_proxy and no_proxy count, as with curl; never for this machine itself.");
    http.integer("idle_connections_max", config.http_client.idle_connections_max, 0, 1'000,
                 "Connections to one host kept open by each worker thread.");
    http.integer("idle_limit_ms", config.http_client.idle_limit_ms, 10, hour_ms, "How long an unused one is kept.");

    Section decode(all, "decode");
    Config::Decode& c = config.decode;
    decode.text("program", c.program, "Program that decodes recordings which are not WAV, by name or path.");
    decode.integer("limit_ms", c.limit_ms, 10, hour_ms, "Time for one recording.");
    decode.integer("programs_max", c.programs_max, 1, 64, "Such programs at once of each worker thread; others wait.");
    decode.integer("memory_bytes_max", c.memory_bytes_max, 300 << 20, 16.0 * bytes_cap,
                   "Memory of one; ffmpeg needs 284 MiB of address space to start.");
    decode.integer("audio_ms_max", c.audio_ms_max, 1'000, 4 * hour_ms, "Longest recording.");

    Section introductions(all, "introductions");
    introductions.number("speed", config.introductions.speed, 0.25, 4, "Speed of the characters' introductions; 1 is the voice's own.");
    introductions.integer("limit_ms", config.introductions.limit_ms, 10, hour_ms, "Time for one introduction.");
}

}  // namespace

void add_roles(std::vector<Setting>& all, Config& config)
{
    add_stt(all, config);
    add_llm(all, config);
    add_tts(all, config);
    add_surroundings(all, config);
}

}  // namespace repartee::app
