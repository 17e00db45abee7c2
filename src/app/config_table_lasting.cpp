#include "config_section.hpp"

namespace repartee::app {
namespace {

constexpr double day_ms = 24 * hour_ms;

void add_other_realtime(std::vector<Setting>& all, Config::OtherRealtime& c, const std::string& name)
{
    Section s(all, name);
    s.text("url", c.url, "Address of a Realtime service that takes over when the one before cannot be had, wss://HOST/PATH.\n"
                         "Empty, with a key: that of [realtime]. Empty without a key: none.");
    s.secret("api_key", c.api_key, "Key for that service. Empty: that of [realtime] when url is at the same host and port.\n"
                                   "Else, at api.openai.com, OPENAI_API_KEY or the file OPENAI_API_KEY_FILE is used.");
    s.text("organization", c.organization, "Sent as OpenAI-Organization. Empty: that of [realtime] when the key is, else none.");
    s.text("project", c.project, "Sent as OpenAI-Project. Empty: that of [realtime] when the key is, else none.");
    s.text("model", c.model, "Realtime model. Empty: that of [realtime].");
    s.path("ca_file", c.ca_file, "PEM file with the certificate authorities to trust for url. Empty: that of [realtime].");
}

}  // namespace

void add_other_realtimes(std::vector<Setting>& all, Config& config)
{
    add_other_realtime(all, config.realtime_2, "realtime_2");
    add_other_realtime(all, config.realtime_3, "realtime_3");
}

void add_recovery(std::vector<Setting>& all, Config::Recovery& c)
{
    Section s(all, "recovery");
    s.flag("enabled", c.enabled, "Whether a conversation goes on with a new session of the service when it has lost its own.");
    s.integer("rotate_age_ms", c.rotate_age_ms, 0, day_ms,
              "A session this old is replaced at the next quiet moment. OpenAI ends sessions after 60 minutes. 0: never.");
    s.integer("rotate_force_age_ms", c.rotate_force_age_ms, 0, day_ms, "A session this old is replaced, quiet or not. 0: never.");
    s.integer("attempts_max", c.attempts_max, 1, 100, "New sessions that are tried after a loss, all services together.");
    s.integer("backoff_min_ms", c.backoff_min_ms, 1, hour_ms, "Wait before the second try; it doubles with each.");
    s.integer("backoff_max_ms", c.backoff_max_ms, 1, hour_ms, "Longest such wait.");
    s.integer("limit_ms", c.limit_ms, 100, hour_ms, "Time for all tries together; then the conversation ends.");
    s.integer("speech_ms_max", c.speech_ms_max, 1'000, 600'000,
              "Of what the person says now, so much is kept to be sent again. It takes memory only while somebody speaks.");
    s.integer("replay_tokens_max", c.replay_tokens_max, 100, 1e6,
              "What a new session is told of the conversation, in tokens by estimate; the oldest turns are left out.");
    s.integer("items_max", c.items_max, 10, 100'000, "Turns kept to be told; then the oldest go.");
    s.flag("spoken_line", c.spoken_line, "Whether a conversation that could not be saved ends with a spoken line, beside the error event.");
    s.flag("local_last", c.local_last, "Whether the engine built in takes over when all services fail. It is ready at once, and a different voice.");
}

void add_turn_taking(std::vector<Setting>& all, Config::TurnTaking& c)
{
    Section s(all, "turn_taking");
    s.integer("echo_guard_ms", c.echo_guard_ms, 0, 10'000,
              "A voice in the first moments of a reply, e.g. its own echo, does not stop it unless it lasts longer than this. 0: off.");
    s.integer("backchannel_ms_max", c.backchannel_ms_max, 0, 10'000,
              "Speech shorter than this (\"mm-hm\", a cough) does not stop a reply. 0: all speech does.");
    s.flag("go_on_after_false_interruption", c.go_on_after_false_interruption,
           "Whether a reply that was stopped goes on when what stopped it was no more than a sound.");
    s.integer("idle_prompt_ms", c.idle_prompt_ms, 0, hour_ms, "After so long a silence the character speaks. 0: it waits.");
    s.integer("idle_prompts_max", c.idle_prompts_max, 1, 100, "How often in a row.");
    s.integer("turn_ms_max", c.turn_ms_max, 0, hour_ms, "A longer turn of the person is ended. 0: no limit.");
    s.integer("warning_ms", c.warning_ms, 0, hour_ms, "How long before that session.warning is sent. 0: none.");
}

void add_resume(std::vector<Setting>& all, Config::Resume& c)
{
    Section s(all, "resume");
    s.integer("window_ms", c.window_ms, 0, hour_ms, "How long a conversation waits for a client that lost its connection. 0: not at all.");
    s.integer("events_max", c.events_max, 0, 1e6, "Events kept for one that comes back.");
    s.integer("events_bytes_max", c.events_bytes_max, 1024, bytes_cap, "Their size together.");
    s.integer("audio_ms_max", c.audio_ms_max, 0, 600'000, "Audio that it was sent but has not heard, kept for its return.");
    s.integer("waiting_max", c.waiting_max, 1, 1e6, "Conversations that may wait; then those that have waited longest end.");
}

void add_transcripts(std::vector<Setting>& all, Config::Transcripts& c)
{
    Section s(all, "transcripts");
    s.flag("enabled", c.enabled, "Whether what was said in conversations is kept in the database.");
    s.integer("sessions_max", c.sessions_max, 1, 1e6, "Conversations kept; then the oldest go.");
    s.integer("lines_max", c.lines_max, 2, 100'000, "Lines kept of one; then its oldest go.");
    s.integer("age_days_max", c.age_days_max, 0, 36'500, "Days after which a conversation goes. 0: never.");
}

void add_recording(std::vector<Setting>& all, Config::Recording& c)
{
    // A WAV file says its size in 32 bits.
    constexpr double file_bytes_cap = 4'000'000'000;
    Section s(all, "recording");
    s.flag("enabled", c.enabled,
           "Whether conversations are recorded, as WAV files in server.data_dir: the person left, the character right. Tell them so.");
    s.integer("file_bytes_max", c.file_bytes_max, 1 << 16, file_bytes_cap, "Largest recording, 96 kB a second; what comes later is not recorded.");
    s.integer("total_bytes_max", c.total_bytes_max, 1 << 16, 1024.0 * bytes_cap, "All recordings together; then the oldest go.");
    s.integer("age_days_max", c.age_days_max, 0, 36'500, "Days after which a recording goes. 0: never.");
}

}  // namespace repartee::app
