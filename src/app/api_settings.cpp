#include "api_settings.hpp"

#include "role_settings.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/base/version.hpp"

#include <algorithm>

namespace repartee::app {
namespace {

std::vector<std::string> split(const std::string& list)
{
    std::vector<std::string> parts;
    std::string part;
    for (const char c : list + ",") {
        if (c == ',') {
            if (!part.empty()) parts.push_back(std::move(part));
            part.clear();
        } else if (c != ' ') {
            part += c;
        }
    }
    return parts;
}

conversation::ResumeSettings downlink_resume(const Config::Resume& c)
{
    conversation::ResumeSettings to;
    to.events_max = c.window_ms > 0 ? static_cast<std::size_t>(c.events_max) : 0;
    to.events_bytes_max = static_cast<std::size_t>(c.events_bytes_max);
    to.audio_max = milliseconds(c.audio_ms_max);
    return to;
}

conversation::RecoverySettings session_recovery(const Config::Recovery& c)
{
    conversation::RecoverySettings to;
    to.enabled = c.enabled;
    to.rotate_age = milliseconds(c.rotate_age_ms);
    to.rotate_force_age = milliseconds(c.rotate_force_age_ms);
    to.speech_bytes_max = audio::bytes_of_ms(c.speech_ms_max, audio::realtime_hz);
    to.history.items_max = static_cast<std::size_t>(c.items_max);
    to.history.replay_tokens_max = c.replay_tokens_max;
    return to;
}

conversation::TurnTakingSettings turn_taking(const Config::TurnTaking& c)
{
    conversation::TurnTakingSettings to;
    to.echo_guard = milliseconds(c.echo_guard_ms);
    to.backchannel_max = milliseconds(c.backchannel_ms_max);
    to.go_on_after_false_interruption = c.go_on_after_false_interruption;
    to.idle_prompt = milliseconds(c.idle_prompt_ms);
    to.idle_prompts_max = static_cast<int>(c.idle_prompts_max);
    to.turn_max = milliseconds(c.turn_ms_max);
    to.warning = milliseconds(c.warning_ms);
    return to;
}

conversation::SessionSettings session_defaults(const Config& config)
{
    conversation::SessionSettings session;
    session.transcription_model = config.realtime.transcription_model;
    session.noise_reduction = config.realtime.noise_reduction;
    session.turn_detection = config.turn_detection();
    session.output_tokens_max = config.realtime.output_tokens_max;
    session.input_hz = static_cast<int>(config.conversation.input_rate_hz);
    session.greeting = config.conversation.greeting;
    session.uplink_bytes = audio::bytes_of_ms(config.limits.uplink_buffer_ms, audio::realtime_hz);
    session.uplink_events_max = static_cast<std::size_t>(config.limits.pending_events_max);
    session.downlink.output_hz = static_cast<int>(config.conversation.output_rate_hz);
    session.downlink.capacity_bytes = audio::bytes_of_ms(config.limits.downlink_buffer_ms, audio::realtime_hz);
    session.events_bytes_max = session.downlink.events_bytes_max = static_cast<std::size_t>(config.limits.unsent_bytes_max);
    session.downlink.events_max = static_cast<std::size_t>(config.limits.pending_events_max);
    session.downlink.suspends = config.turn_taking.go_on_after_false_interruption;
    session.downlink.resume = downlink_resume(config.resume);
    session.limit = milliseconds(config.conversation.limit_ms);
    session.warning = milliseconds(config.conversation.warning_ms);
    session.recovery = session_recovery(config.recovery);
    session.turn_taking = turn_taking(config.turn_taking);
    return session;
}

std::vector<std::string> general_questions(std::string_view language)
{
    if (language == "ko")
        return {"먼저 간단히 자기소개를 부탁드립니다.", "지금까지 해 오신 일 가운데 가장 보람 있었던 일은 무엇이었고, 그때 어떤 역할을 하셨나요?",
                "일하면서 겪은 어려움을 하나 들고, 어떻게 풀어 나갔는지 말씀해 주세요."};
    return {"Please introduce yourself briefly.", "Which of the things you have worked on are you most content with, and what was your part in it?",
            "Tell me about a difficulty you met at work, and how you dealt with it."};
}

voice::InterviewSettings interview_settings(const Config& config)
{
    const Config::Interview& c = config.interview;
    voice::InterviewSettings to;
    to.questions = split_questions(c.questions);
    if (to.questions.empty() && speaks_prepared_lines(config)) to.questions = general_questions(c.language);
    to.closing_line = c.closing_line;
    to.follow_ups_max = static_cast<int>(c.follow_ups_max);
    to.questions_max = static_cast<int>(c.questions_max);
    to.topic = c.topic;
    to.language = c.language;
    to.voice = c.voice;
    to.model = c.model;
    to.speed = c.speed;
    to.format = audio::parse_reply_format(c.format).value();  // one of the choices
    to.bitrate_kbps = static_cast<int>(c.bitrate_kbps);
    to.chunk_bytes = static_cast<std::size_t>(c.chunk_bytes);
    to.answer_bytes_max = static_cast<std::size_t>(c.answer_bytes_max);
    to.answer_limit = milliseconds(c.answer_limit_ms);
    to.stage_limit = milliseconds(c.stage_limit_ms);
    to.resume_limit = milliseconds(c.resume_limit_ms);
    return to;
}

voice::VoiceChatSettings voice_chat_settings(const Config& config)
{
    const Config::VoiceChat& c = config.voice_chat;
    voice::VoiceChatSettings to;
    to.instructions = c.instructions;
    to.language = c.language;
    to.voice = c.voice;
    to.fallback_line = c.fallback_line;
    to.classify = c.classify == "auto" && speaks_prepared_lines(config) ? "words" : c.classify;
    to.classify_limit = milliseconds(c.classify_limit_ms);
    to.upload_bytes_max = static_cast<std::size_t>(c.upload_bytes_max);
    to.bitrate_kbps = static_cast<int>(c.bitrate_kbps);
    to.limit = milliseconds(c.limit_ms);
    return to;
}

voice::ListenSettings listen_settings(const Config::Listen& c)
{
    voice::ListenSettings to;
    to.language = c.language;
    to.utterance_bytes_max = static_cast<std::size_t>(c.utterance_bytes_max);
    to.waiting_max = static_cast<std::size_t>(c.waiting_max);
    to.limit = milliseconds(c.limit_ms);
    to.cutting.threshold = c.vad_threshold;
    to.cutting.silence_ms = c.vad_silence_duration_ms;
    to.cutting.utterance_ms_max = c.utterance_ms_max;
    return to;
}

}  // namespace

api::Settings api_settings(const Config& config)
{
    api::Settings settings;
    settings.version = version;
    settings.model = config.effective_model();
    settings.upstream = config.effective_upstream();
    settings.api_keys = split(config.server.api_keys);
    settings.allowed_origins = split(config.server.allowed_origins);
    settings.default_character = config.conversation.default_character;
    settings.audio_dir = config.server.data_dir + "/audio";
    settings.sessions_max = config.server.sessions_max;
    settings.session_limit = milliseconds(config.realtime.session_limit_ms);
    settings.session = session_defaults(config);
    settings.lead = milliseconds(config.conversation.lead_ms);
    net::WebSocketLimits socket;
    socket.ping_interval = milliseconds(config.limits.ping_interval_ms);
    socket.idle_limit = milliseconds(config.limits.idle_limit_ms);
    socket.write_limit = milliseconds(config.limits.write_limit_ms);
    socket.message_bytes_max = static_cast<std::size_t>(config.limits.client_message_bytes_max);
    settings.conversation_socket = socket;
    socket.message_bytes_max = static_cast<std::size_t>(config.limits.client_event_bytes_max);
    settings.realtime_socket = socket;
    settings.interview_socket = settings.conversation_socket;
    // One message may be a whole utterance; what is over that gets a text that says so, and only twice as much ends the connection.
    socket.message_bytes_max = 2 * static_cast<std::size_t>(config.listen.utterance_bytes_max);
    settings.listen_socket = socket;
    settings.interview = interview_settings(config);
    // A recording may come as one message; what is over its limit gets an error, and only much more ends the connection.
    settings.interview_socket.message_bytes_max = std::max(settings.interview_socket.message_bytes_max, settings.interview.answer_bytes_max + (64 << 10));
    settings.interview_character = config.interview.character;
    settings.voice_chat = voice_chat_settings(config);
    settings.voice_chat_character = config.voice_chat.character;
    settings.listen = listen_settings(config.listen);
    settings.body_bytes_max = static_cast<std::size_t>(config.server.body_bytes_max);
    settings.body_limit = milliseconds(config.server.body_limit_ms);
    settings.uploads_bytes_max = static_cast<std::size_t>(config.limits.uploads_bytes_max);
    settings.resume.window = milliseconds(config.resume.window_ms);
    settings.resume.waiting_max = static_cast<std::size_t>(config.resume.waiting_max);
    settings.resume.events_bytes_max = static_cast<std::size_t>(config.resume.events_bytes_max);
    settings.recovery.attempts_max = static_cast<int>(config.recovery.attempts_max);
    settings.recovery.backoff_min = milliseconds(config.recovery.backoff_min_ms);
    settings.recovery.backoff_max = milliseconds(config.recovery.backoff_max_ms);
    settings.recovery.limit = milliseconds(config.recovery.limit_ms);
    settings.recovery.spoken_line = config.recovery.spoken_line;
    return settings;
}

}  // namespace repartee::app
