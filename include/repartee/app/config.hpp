#pragma once
#include "repartee/base/error.hpp"
#include "repartee/realtime/session_config.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace repartee::app {

/// Every setting, with its default. One table in config_table.cpp describes each once (name, bounds, description); the parser, the environment, `check` and
/// config/repartee.toml all come from it.
struct Config {
    struct Server {
        std::string listen = "127.0.0.1:8000";
        std::string tls_listen;            ///< empty: no TLS listener
        std::string tls_cert, tls_key;     ///< PEM files; both empty: self-signed in data_dir/tls
        std::string data_dir = "data";
        std::string api_keys;              ///< secret; comma-separated. Empty: anyone may connect
        std::string allowed_origins;       ///< comma-separated, e.g. "https://game.example"; "*": all
        std::int64_t threads = 0;          ///< 0: one a core, at most 4
        std::int64_t connections_max = 4'000;
        std::int64_t sessions_max = 1'000;
        std::int64_t drain_limit_ms = 30'000;
        std::int64_t header_limit_ms = 10'000, body_limit_ms = 30'000, keep_alive_limit_ms = 30'000;
        std::int64_t header_bytes_max = 16 << 10, body_bytes_max = 1 << 20;
    } server;

    struct Realtime {
        std::string upstream = "auto";     ///< auto (openai when there is a key, else local), openai, local
        std::string url = "wss://api.openai.com/v1/realtime";
        std::string api_key;               ///< secret; OPENAI_API_KEY fills it when empty
        std::string organization, project;
        std::string model = "gpt-realtime-2.1";
        std::string ca_file;
        std::string transcription_model = "gpt-4o-mini-transcribe";  ///< empty: no input transcription
        std::string noise_reduction;       ///< empty, near_field or far_field
        std::int64_t output_tokens_max = 0;  ///< 0: "inf"
        std::int64_t warm_connections = 1;
        std::int64_t warm_age_ms = 600'000;
        std::int64_t connect_limit_ms = 10'000;
        std::int64_t session_limit_ms = 10'000;  ///< session.update → session.updated
        std::int64_t backoff_min_ms = 500, backoff_max_ms = 30'000;
        std::int64_t breaker_failures = 5, breaker_open_ms = 15'000;
        std::int64_t message_bytes_max = 16 << 20;
    } realtime;

    /// A service that takes over when the one before cannot be had. In use with an url or a key; what is empty is as realtime_services() says.
    struct OtherRealtime {
        std::string url;
        std::string api_key;               ///< secret; OPENAI_API_KEY fills it when empty and url is at api.openai.com
        std::string organization, project;
        std::string model;
        std::string ca_file;
    } realtime_2, realtime_3;

    /// When the connection to the service is lost, or comes near the service's limit of a session's age.
    struct Recovery {
        bool enabled = true;
        std::int64_t rotate_age_ms = 3'000'000, rotate_force_age_ms = 3'480'000;  ///< 0: off
        std::int64_t attempts_max = 16;
        std::int64_t backoff_min_ms = 50, backoff_max_ms = 2'000;
        std::int64_t limit_ms = 20'000;
        std::int64_t speech_ms_max = 30'000;
        bool spoken_line = true;           ///< when nothing helps, the client hears so too
        std::int64_t replay_tokens_max = 6'000, items_max = 400;
        bool local_last = false;           ///< the engine built in stands behind the services
    } recovery;

    struct Conversation {
        std::int64_t input_rate_hz = 16'000, output_rate_hz = 24'000;
        std::string turn_detection = "server_vad";  ///< server_vad, semantic_vad, none
        double vad_threshold = 0.5;
        std::int64_t vad_prefix_padding_ms = 300, vad_silence_duration_ms = 500;
        std::string semantic_eagerness = "auto";
        std::int64_t lead_ms = 400;
        bool greeting = false;             ///< the character speaks first
        std::string default_character;     ///< for /v1/realtime without &character=; empty: none
        std::int64_t limit_ms = 0;         ///< 0: none
        std::int64_t warning_ms = 60'000;  ///< session.warning so long before the end
    } conversation;

    /// What the person's voice does to a reply. 0: off.
    struct TurnTaking {
        std::int64_t echo_guard_ms = 0, backchannel_ms_max = 0;
        bool go_on_after_false_interruption = false;
        std::int64_t idle_prompt_ms = 0, idle_prompts_max = 2;
        std::int64_t turn_ms_max = 120'000, warning_ms = 10'000;
    } turn_taking;

    /// A client that lost its connection and comes back.
    struct Resume {
        std::int64_t window_ms = 60'000;   ///< 0: off
        std::int64_t events_max = 256, events_bytes_max = 256 << 10;
        std::int64_t audio_ms_max = 10'000;
        std::int64_t waiting_max = 1'000;
    } resume;

    struct Relay {
        std::int64_t coalesce_us = 0;
    } relay;

    struct Limits {
        std::int64_t client_message_bytes_max = 1 << 20;
        std::int64_t client_event_bytes_max = 16 << 20;  ///< /v1/realtime: append events up to 15 MiB
        std::int64_t uplink_buffer_ms = 10'000;
        std::int64_t downlink_buffer_ms = 240'000;
        std::int64_t pending_events_max = 1'024;
        std::int64_t unsent_bytes_max = 4 << 20;
        std::int64_t uploads_bytes_max = 256 << 20;      ///< all together
        std::int64_t ping_interval_ms = 20'000, idle_limit_ms = 60'000, write_limit_ms = 15'000;
    } limits;

    struct Local {
        std::string model = "repartee-local";
        std::string espeak_program = "espeak-ng";
        std::int64_t speech_limit_ms = 20'000;
        std::int64_t reply_chars_max = 4'000;
        std::int64_t items_max = 1'000;
        std::int64_t input_buffer_ms = 300'000;
        std::int64_t context_tokens_max = 12'000;
        std::int64_t pieces_ahead = 1;
        std::int64_t first_piece_chars = 12, piece_chars_max = 200;
        std::int64_t turn_limit_ms = 45'000;  ///< a chain of three with retries has limits that add up: this one bounds the turn
    } local;

    struct Characters {
        std::string dir;                   ///< empty: the embedded six only
        std::int64_t reload_interval_ms = 2'000;  ///< 0: only at start and on SIGHUP
    } characters;

    /// One provider of a role: [stt], [llm_2] … Empty members: the provider's own defaults.
    struct Service {
        std::string provider{};            ///< auto (openai when there is a key or an url, else embedded), embedded, openai …; empty: none
        std::string url{}, path{};
        std::string api_key{};             ///< secret; OPENAI_API_KEY fills it when empty and meant for api.openai.com
        std::string model{};
        std::string ca_file{};
    };

    /// The first provider of a role, and what all of that role share.
    struct Role : Service {
        std::int64_t connect_limit_ms = 5'000, first_byte_limit_ms = 30'000, idle_limit_ms = 15'000, limit_ms = 60'000;
        std::int64_t retries = 1, retry_wait_max_ms = 2'000;
    };

    struct Stt : Role {
        Stt() : Role{{.provider = "auto", .model = "gpt-transcribe"}} {}
        std::string language, prompt;
        std::string response_format = "json";  ///< json, verbose_json, text
        bool stream = true;
        std::string accepts = "any";       ///< any, wav
        std::int64_t wav_hz = 16'000;
        double no_speech_max = 0.6;
        std::int64_t audio_bytes_max = 25 << 20;
    } stt;
    Service stt_2, stt_3;

    struct Llm : Role {
        Llm() : Role{{.provider = "auto"}, 5'000, 60'000, 30'000, 120'000} {}  // the first byte may wait for a model that is loaded
        double temperature = -1;           ///< below 0: not sent
        std::int64_t output_tokens_max = 0;
        std::string tokens_field = "auto";
        std::string extra;                 ///< a JSON object
        std::string think = "auto", keep_alive = "5m";  ///< Ollama
        std::int64_t context_tokens = 8'192;
    } llm;
    Service llm_2, llm_3;

    struct SpeechService : Service {
        std::string fallback_voice{};      ///< empty: that of [tts]
    };
    struct Tts : Role {
        Tts() : Role{{.provider = "auto", .model = "tts-1"}, 5'000, 30'000, 15'000, 120'000} {}
        std::string fallback_voice = "nova", instructions;
        std::string response_format = "pcm";  ///< pcm, wav
        std::int64_t pcm_hz = 24'000;
        std::string voices_file;
        std::int64_t streaming_mode = 2;   ///< GPT-SoVITS
        std::string media_type = "wav", split_method = "cut0";
        std::int64_t requests_at_once = 0; ///< 0: any number, but 1 of GPT-SoVITS
        std::int64_t audio_ms_max = 300'000;
    } tts;
    SpeechService tts_2, tts_3;

    struct Providers {
        std::int64_t cooldown_ms = 15'000;
    } providers;

    struct HttpClient {
        std::string proxy = "environment"; ///< environment, none
        std::int64_t idle_connections_max = 8, idle_limit_ms = 30'000;
    } http_client;

    struct Decode {
        std::string program = "ffmpeg";
        std::int64_t limit_ms = 15'000, programs_max = 4, memory_bytes_max = 512 << 20, audio_ms_max = 600'000;
    } decode;

    struct Introductions {
        double speed = 0.95;
        std::int64_t limit_ms = 60'000;
    } introductions;

    struct Interview {
        std::string questions;             ///< separated by '|'
        std::string closing_line, topic, language = "ko", voice = "nova", model;
        double speed = 1.0;
        std::string format = "mp3";
        std::int64_t bitrate_kbps = 64, chunk_bytes = 1'024;
        std::int64_t follow_ups_max = 0, questions_max = 10;
        std::int64_t answer_bytes_max = 25 << 20, answer_limit_ms = 180'000, stage_limit_ms = 60'000, resume_limit_ms = 1'800'000;
        std::int64_t sessions_max = 1'000;
        std::string character;
    } interview;

    struct VoiceChat {
        std::string character, instructions, language = "ko", voice = "nova", fallback_line;
        std::string classify = "auto";     ///< auto, words, model, off
        std::int64_t classify_limit_ms = 1'500;
        std::int64_t upload_bytes_max = 25 << 20, limit_ms = 120'000, bitrate_kbps = 64;
    } voice_chat;

    struct Listen {
        std::string language = "ko";
        std::int64_t limit_ms = 30'000, utterance_bytes_max = 8 << 20, waiting_max = 8;
        bool debug = false;                ///< keep what was heard as WAV files in server.data_dir
        std::int64_t debug_files_max = 100;
        double vad_threshold = 0.5;
        std::int64_t vad_silence_duration_ms = 500, utterance_ms_max = 30'000;
    } listen;

    struct Memory {
        std::int64_t sessions_max = 10'000, turns_max = 200, age_days_max = 30, recording_bytes_max = 256 << 20;
        std::int64_t turns_in_context = 40;
    } memory;

    struct Transcripts {
        bool enabled = true;
        std::int64_t sessions_max = 10'000, lines_max = 2'000, age_days_max = 30;
    } transcripts;

    struct Recording {
        bool enabled = false;
        std::int64_t file_bytes_max = 512 << 20, total_bytes_max = 10LL << 30, age_days_max = 30;
    } recording;

    struct Log {
        std::string level = "info";        ///< debug, info, warn, error, off
        std::string format = "text";       ///< text, json
    } log;

    /// "openai" or "local", with "auto" decided.
    std::string effective_upstream() const;
    std::string effective_model() const;   ///< realtime.model, or local.model
    realtime::TurnDetection turn_detection() const;

    /// One Realtime service, with everything that its section leaves to [realtime].
    struct RealtimeService {
        std::string section;               ///< "realtime", "realtime_2"
        std::string url, api_key, organization, project, model, ca_file;
        bool names_model = false;          ///< the section itself: what [realtime]'s service calls a model means nothing here
    };
    /// The services in the order they are tried; none when the engine built in speaks. Model and ca_file are [realtime]'s unless named. So are key,
    /// organization and project, but only at the same host and port, and never from wss to ws.
    std::vector<RealtimeService> realtime_services() const;

    /// One section of a role's chain.
    struct Link {
        std::string section;               ///< "llm", "llm_2"
        const Service* service = nullptr;  ///< in this Config
        std::string provider;              ///< with "auto" decided: embedded, openai, ollama, sovits
    };
    /// The providers of "stt", "llm" or "tts" in the order they are tried: 1…3.
    std::vector<Link> chain(std::string_view role) const;
};

/// What the command line and the surroundings contribute; later sources win: defaults, file, environment, overrides.
struct ConfigSources {
    std::string file;                                      ///< empty: none
    std::function<const char*(const char*)> environment;   ///< getenv in the product, a map in tests
    std::vector<std::pair<std::string, std::string>> overrides;  ///< {"server.listen", "0.0.0.0:80"}
    std::vector<std::string> environment_names;            ///< all names starting with REPARTEE_, to refuse unknown ones
};

/// Unknown keys are refused with the nearest known one; values out of bounds with the bounds; every message names the source (file:line, variable, option).
Result<Config> load_config(const ConfigSources& sources);
/// The effective configuration as TOML, secrets as "***".
std::string to_toml_masked(const Config& config);
/// config/repartee.toml: every key commented with its default and description.
std::string documented_defaults();

}  // namespace repartee::app
