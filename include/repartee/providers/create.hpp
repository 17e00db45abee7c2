#pragma once
#include "repartee/base/metrics.hpp"
#include "repartee/net/http_client.hpp"
#include "repartee/providers/decode.hpp"
#include "repartee/providers/roles.hpp"
#include "repartee/providers/voices.hpp"

#include <chrono>
#include <string>
#include <vector>

/// The one place that knows which implementations there are. Unknown names: Code::invalid_value with the known ones.
namespace repartee::providers {

using std::chrono::milliseconds;

/// What all HTTP providers of a role share.
struct HttpSettings {
    std::string section;   ///< "stt", "llm_2": for messages and the log, and what a character chooses by
    std::string url;       ///< base address; empty: the provider's own default
    std::string path;      ///< behind the base address; empty: the provider's own
    std::string api_key;   ///< secret; empty: no Authorization header
    std::string model;
    std::string ca_file;   ///< PEM; empty: the system's
    net::HttpTimes times;
    int retries = 1;                       ///< before the first byte, where safe: see retry.hpp
    milliseconds retry_wait_max{2'000};    ///< a longer Retry-After is not waited for
};

struct SttSettings : HttpSettings {
    std::string provider = "embedded";     ///< embedded (none: says so), openai
    std::string response_format = "json";  ///< json, verbose_json, text
    bool stream = true;                    ///< ask for the answer as it is made
    bool wav_only = false;                 ///< the service reads nothing but WAV: everything else is decoded here
    int wav_hz = 16'000;                   ///< of the WAV that samples are sent as
    std::string language, prompt;          ///< when a request names none
    double no_speech_max = 0.6;            ///< verbose_json: surer than this that nobody spoke means nothing was said
    std::size_t audio_bytes_max = 25 << 20;
};

struct LlmSettings : HttpSettings {
    std::string provider = "embedded";     ///< embedded (scripted lines), openai, ollama
    std::string tokens_field = "auto";     ///< auto (max_completion_tokens at api.openai.com, else max_tokens), max_tokens, max_completion_tokens
    int output_tokens_max = 0;             ///< 0: not sent
    double temperature = -1;               ///< below 0: not sent
    json::object extra;                    ///< members put into every request, e.g. {"reasoning_effort":"minimal"}
    std::string think = "auto";            ///< Ollama: auto (not sent), on, off
    std::string keep_alive = "5m";         ///< Ollama
    int context_tokens = 8'192;            ///< Ollama: num_ctx
    std::size_t reply_bytes_max = 256 << 10;
};

struct TtsSettings : HttpSettings {
    std::string provider = "embedded";        ///< embedded, openai, sovits
    std::string fallback_voice = "nova";      ///< for voices the model does not have
    std::string instructions;                 ///< not sent to tts-1 and tts-1-hd
    std::string response_format = "pcm";      ///< openai: pcm, wav
    int pcm_hz = 24'000;                      ///< of headerless PCM
    int sovits_streaming_mode = 2;            ///< 0…3
    std::string sovits_media_type = "wav";    ///< wav, raw
    std::string sovits_split_method = "cut0"; ///< text comes in sentences already
    int requests_at_once = 0;                 ///< 0: any number; GPT-SoVITS works on one at a time
    std::shared_ptr<Gate> gate;               ///< for all workers together; none: each worker has requests_at_once places of its own
    std::int64_t audio_ms_max = 300'000;      ///< of one request
    std::string espeak_program = "espeak-ng"; ///< embedded
    std::shared_ptr<const VoiceList> voices;  ///< may be null
};

/// What every provider of a worker works with. All of it outlives the providers.
struct Resources {
    net::HttpClient& http;
    AudioDecoder& decoder;
    Metrics& metrics;
};

Result<std::unique_ptr<SpeechToText>> create_stt(const SttSettings& settings, const Resources& resources);
Result<std::unique_ptr<LanguageModel>> create_llm(const LlmSettings& settings, const Resources& resources);
Result<std::unique_ptr<TextToSpeech>> create_tts(const TtsSettings& settings, const Resources& resources);

struct RoleSettings {
    std::vector<SttSettings> stt;  ///< in the order they are tried; 1…3
    std::vector<LlmSettings> llm;
    std::vector<TtsSettings> tts;
    milliseconds cooldown{15'000};  ///< a provider that failed is tried last for so long
};
/// Each role as one object: the chain of fallback.hpp around the providers, with metrics and log lines.
Result<Roles> create_roles(const RoleSettings& settings, const Resources& resources);

}  // namespace repartee::providers
