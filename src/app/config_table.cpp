#include "config_section.hpp"

namespace repartee::app {
namespace {

void add_server(std::vector<Setting>& all, Config::Server& c)
{
    Section s(all, "server");
    s.text("listen", c.listen, "Address of the plain HTTP and WebSocket listener, HOST:PORT. Port 0 picks a free one.\n"
                               "The default is reachable from this machine only; 0.0.0.0:8000 or [::]:8000 from everywhere.");
    s.text("tls_listen", c.tls_listen, "Address of the TLS listener (https, wss), HOST:PORT. Empty: none.");
    s.path("tls_cert", c.tls_cert, "PEM file with the server's certificate chain. Empty, with tls_key: a self-signed one in data_dir/tls.");
    s.path("tls_key", c.tls_key, "PEM file with the private key of tls_cert.");
    s.path("data_dir", c.data_dir, "Folder of the database, introductions and self-signed certificate. Created when missing.");
    s.secret("api_keys", c.api_keys, "Keys that clients may connect with, separated by commas. Empty: anyone may.");
    s.text("allowed_origins", c.allowed_origins, "Web sites besides the server's own whose pages may connect, separated by commas,\n"
                                                 "e.g. https://game.example,http://localhost:5173. *: all.");
    s.integer("threads", c.threads, 0, 64, "Worker threads. 0: one a core, at most 4.");
    s.integer("connections_max", c.connections_max, 1, 1e6, "Open client connections; more are answered with 503.");
    s.integer("sessions_max", c.sessions_max, 1, 1e6, "Voice sessions at a time; more are answered with 503.");
    s.integer("drain_limit_ms", c.drain_limit_ms, 0, hour_ms, "How long running sessions may go on after SIGTERM.");
    s.integer("header_limit_ms", c.header_limit_ms, 10, hour_ms, "Time for a client to send the header of a request.");
    s.integer("body_limit_ms", c.body_limit_ms, 10, hour_ms, "Time for a client to send the body of a request.");
    s.integer("keep_alive_limit_ms", c.keep_alive_limit_ms, 10, hour_ms, "How long a connection may wait between two requests.");
    s.integer("header_bytes_max", c.header_bytes_max, 1024, 1 << 20, "Largest request header.");
    s.integer("body_bytes_max", c.body_bytes_max, 1024, bytes_cap, "Largest request body.");
}

void add_realtime(std::vector<Setting>& all, Config::Realtime& c)
{
    Section s(all, "realtime");
    s.choice("upstream", c.upstream, {"auto", "openai", "local"},
             "Who speaks for the characters: an OpenAI Realtime service, or the engine built in (no account, no network).\n"
             "auto: openai when there is a key or another url, else local.");
    s.text("url", c.url, "Address of the Realtime service, wss://HOST/PATH (ws:// without TLS). Any compatible server may stand here.");
    s.secret("api_key", c.api_key, "Key for that service. When empty, OPENAI_API_KEY or the file OPENAI_API_KEY_FILE is used.");
    s.text("organization", c.organization, "Sent as OpenAI-Organization when not empty.");
    s.text("project", c.project, "Sent as OpenAI-Project when not empty.");
    s.text("model", c.model, "Realtime model.");
    s.path("ca_file", c.ca_file, "PEM file with the certificate authorities to trust for url. Empty: those of the system.");
    s.text("transcription_model", c.transcription_model, "Model that writes down what the person says. Empty: no transcripts of it.");
    s.choice("noise_reduction", c.noise_reduction, {"", "near_field", "far_field"},
             "Noise reduction of the service: near_field (headset), far_field (room microphone). Empty: none.");
    s.integer("output_tokens_max", c.output_tokens_max, 0, 4096, "Longest reply in tokens. 0: no limit.");
    s.integer("warm_connections", c.warm_connections, 0, 100, "Connections opened ahead, so that a session starts without a handshake.");
    s.integer("warm_age_ms", c.warm_age_ms, 1000, hour_ms, "A connection opened ahead is replaced when it is older than this.");
    s.integer("connect_limit_ms", c.connect_limit_ms, 10, hour_ms,
              "Time for TCP, TLS, the WebSocket upgrade and session.created together.");
    s.integer("session_limit_ms", c.session_limit_ms, 10, hour_ms, "Time between session.update and session.updated.");
    s.integer("backoff_min_ms", c.backoff_min_ms, 1, hour_ms, "Wait after the first failed connection; it doubles with each failure.");
    s.integer("backoff_max_ms", c.backoff_max_ms, 1, hour_ms, "Longest such wait.");
    s.integer("breaker_failures", c.breaker_failures, 1, 1000, "After so many failures in a row sessions are refused at once.");
    s.integer("breaker_open_ms", c.breaker_open_ms, 1, hour_ms, "How long, before one connection is tried again.");
    s.integer("message_bytes_max", c.message_bytes_max, 1 << 16, bytes_cap, "Largest message taken from the service.");
}

void add_conversation(std::vector<Setting>& all, Config::Conversation& c)
{
    Section s(all, "conversation");
    s.rate("input_rate_hz", c.input_rate_hz, "Sample rate of the client's microphone, unless it says ?input_rate=.");
    s.rate("output_rate_hz", c.output_rate_hz, "Sample rate of the client's loudspeaker, unless it says ?output_rate=.");
    s.choice("turn_detection", c.turn_detection, {"server_vad", "semantic_vad", "none"},
             "How the end of the person's turn is found: by silence, by meaning, or by the client's commit (none: push-to-talk).");
    s.number("vad_threshold", c.vad_threshold, 0, 1, "server_vad: how surely a sound must be speech. Higher in noisy places.");
    s.integer("vad_prefix_padding_ms", c.vad_prefix_padding_ms, 0, 10'000, "server_vad: audio kept from before the speech was noticed.");
    s.integer("vad_silence_duration_ms", c.vad_silence_duration_ms, 0, 30'000, "server_vad: silence that ends a turn.");
    s.choice("semantic_eagerness", c.semantic_eagerness, {"auto", "low", "medium", "high"},
             "semantic_vad: how soon the character takes its turn.");
    s.integer(
        "lead_ms", c.lead_ms, 20, 60'000,
        "How far ahead of the loudspeaker reply audio is sent. Less: an interruption is heard sooner; more: better over bad networks.");
    s.flag("greeting", c.greeting, "Whether the character speaks first.");
    s.text("default_character", c.default_character, "Character for /v1/realtime without ?character=. Empty: none, a plain session.");
    s.integer("limit_ms", c.limit_ms, 0, 24 * hour_ms, "Longest conversation. 0: no limit.");
    s.integer("warning_ms", c.warning_ms, 0, hour_ms, "How long before that session.warning is sent. 0: none.");
}

void add_relay(std::vector<Setting>& all, Config::Relay& c)
{
    Section s(all, "relay");
    s.integer("coalesce_us", c.coalesce_us, 0, 5'000,
              "A worker that was woken waits so long before it looks again, and then takes everything that has come. Saves CPU on a machine with free cores; "
              "delays audio by up to this much each way. 0: off.");
}

void add_limits(std::vector<Setting>& all, Config::Limits& c)
{
    Section s(all, "limits");
    s.integer("client_message_bytes_max", c.client_message_bytes_max, 1024, bytes_cap, "Largest message on /ws/conversations.");
    s.integer("client_event_bytes_max", c.client_event_bytes_max, 1024, bytes_cap,
              "Largest event on /v1/realtime; append events may be 15 MiB.");
    s.integer("uplink_buffer_ms", c.uplink_buffer_ms, 500, hour_ms, "Speech kept while the service is slow; then the client is held back.");
    s.integer("downlink_buffer_ms", c.downlink_buffer_ms, 6000, hour_ms,
              "Longest part of a reply kept for the client (replies come faster than they are spoken).");
    s.integer("pending_events_max", c.pending_events_max, 16, 1e6, "Events kept for a client that reads slowly; then its session ends.");
    s.integer("unsent_bytes_max", c.unsent_bytes_max, 1 << 16, bytes_cap,
              "Bytes kept for a client that reads slowly; then its session ends.");
    s.integer("uploads_bytes_max", c.uploads_bytes_max, 1 << 20, 64.0 * bytes_cap,
              "All uploads under way together (POST /voice-chat); more are answered with 503.");
    s.integer("ping_interval_ms", c.ping_interval_ms, 10, hour_ms, "Time between WebSocket pings to a client.");
    s.integer("idle_limit_ms", c.idle_limit_ms, 10, hour_ms, "A client of which nothing (not even a pong) is heard for so long is gone.");
    s.integer("write_limit_ms", c.write_limit_ms, 10, hour_ms, "Time for a client to take one message.");
}

void add_local(std::vector<Setting>& all, Config::Local& c)
{
    Section s(all, "local");
    s.text("model", c.model, "The name under which the engine built in shows itself as a model.");
    s.text("espeak_program", c.espeak_program,
           "Program that synthesises speech when installed, by name or path. Empty or missing: the voice built in.");
    s.integer("speech_limit_ms", c.speech_limit_ms, 100, hour_ms, "Time for that program to speak one sentence.");
    s.integer("reply_chars_max", c.reply_chars_max, 100, 100'000, "Longest reply in characters.");
    s.integer("items_max", c.items_max, 10, 100'000, "Items kept of a conversation; then the oldest are dropped.");
    s.integer("input_buffer_ms", c.input_buffer_ms, 1000, hour_ms, "Audio kept of one turn of the person; then its front is dropped.");
    s.integer("context_tokens_max", c.context_tokens_max, 500, 1e6,
              "What the model is told of a conversation, in tokens by estimate; older turns are left out.");
    s.integer("pieces_ahead", c.pieces_ahead, 0, 3, "Sentences of a reply in synthesis beside the one that is being heard.");
    s.integer("first_piece_chars", c.first_piece_chars, 4, 200,
              "From so many characters on the first piece of a reply may end at a comma: it is heard sooner.");
    s.integer("piece_chars_max", c.piece_chars_max, 20, 1000, "A longer sentence is spoken in pieces.");
    s.integer("turn_limit_ms", c.turn_limit_ms, 100, hour_ms,
              "From the end of the person's turn to the first word or sound of the reply, all providers together.");
}

void add_characters(std::vector<Setting>& all, Config::Characters& c)
{
    Section s(all, "characters");
    s.path("dir", c.dir, "Folder of characters, one JSON file each, read into the database. Empty: the six built in.");
    s.integer("reload_interval_ms", c.reload_interval_ms, 0, hour_ms,
              "How often that folder and the database are looked at for changes. 0: at start and on SIGHUP only.");
}

void add_log(std::vector<Setting>& all, Config::Log& c)
{
    Section s(all, "log");
    s.choice("level", c.level, {"debug", "info", "warn", "error", "off"}, "The least grave records that are written.");
    s.choice("format", c.format, {"text", "json"}, "One line a record: text for people, JSON for log collectors.");
}

}  // namespace

std::vector<Setting> settings_of(Config& config)
{
    std::vector<Setting> all;
    add_server(all, config.server);
    add_realtime(all, config.realtime);
    add_other_realtimes(all, config);
    add_recovery(all, config.recovery);
    add_conversation(all, config.conversation);
    add_turn_taking(all, config.turn_taking);
    add_resume(all, config.resume);
    add_relay(all, config.relay);
    add_limits(all, config.limits);
    add_local(all, config.local);
    add_characters(all, config.characters);
    add_roles(all, config);
    add_voice(all, config);
    add_transcripts(all, config.transcripts);
    add_recording(all, config.recording);
    add_log(all, config.log);
    return all;
}

}  // namespace repartee::app
