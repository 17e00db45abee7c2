#pragma once
#include "repartee/base/error.hpp"
#include "repartee/realtime/session_config.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
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

    struct Conversation {
        std::int64_t input_rate_hz = 16'000, output_rate_hz = 24'000;
        std::string turn_detection = "server_vad";  ///< server_vad, semantic_vad, none
        double vad_threshold = 0.5;
        std::int64_t vad_prefix_padding_ms = 300, vad_silence_duration_ms = 500;
        std::string semantic_eagerness = "auto";
        std::int64_t lead_ms = 400;
        bool greeting = false;             ///< the character speaks first
        std::string default_character;     ///< for /v1/realtime without &character=; empty: none
    } conversation;

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
        std::int64_t ping_interval_ms = 20'000, idle_limit_ms = 60'000, write_limit_ms = 15'000;
    } limits;

    struct Local {
        std::string model = "repartee-local";
        std::string espeak_program = "espeak-ng";
        std::int64_t speech_limit_ms = 20'000;
        std::int64_t reply_chars_max = 4'000;
        std::int64_t items_max = 1'000;
        std::int64_t input_buffer_ms = 300'000;
    } local;

    struct Characters {
        std::string dir;                   ///< empty: the embedded six only
        std::int64_t reload_interval_ms = 2'000;  ///< 0: only at start and on SIGHUP
    } characters;

    struct Tts {                           ///< introductions
        std::string provider = "embedded"; ///< embedded, openai
        std::string url = "https://api.openai.com/v1";
        std::string api_key;               ///< secret; OPENAI_API_KEY fills it when empty
        std::string model = "tts-1";
        std::string fallback_voice = "nova";
        std::string ca_file;
        double speed = 0.95;
        std::int64_t limit_ms = 60'000;
    } tts;

    struct Log {
        std::string level = "info";        ///< debug, info, warn, error, off
        std::string format = "text";       ///< text, json
    } log;

    /// "openai" or "local", with "auto" decided.
    std::string effective_upstream() const;
    std::string effective_model() const;   ///< realtime.model, or local.model
    realtime::TurnDetection turn_detection() const;
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
