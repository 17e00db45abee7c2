#include "repartee/engine/realtime_server.hpp"

#include "repartee/base/ids.hpp"
#include "server_state.hpp"

#include <utility>

namespace repartee::engine {

RealtimeServer::RealtimeServer(std::string model, std::string voice, std::string instructions, ServerLimits limits,
                               std::int64_t unix_time_s, bool transcription_only)
{
    constexpr std::int64_t session_seconds_max = 3600;
    realtime::SessionConfig config;
    config.transcription_only = transcription_only;
    config.id = make_id("sess_");
    config.model = std::move(model);
    config.voice = realtime::normalise_voice(voice);
    config.instructions = std::move(instructions);
    config.expires_at = unix_time_s + session_seconds_max;
    state_ = std::make_unique<State>(std::move(config), limits);
}

RealtimeServer::~RealtimeServer() = default;
RealtimeServer::RealtimeServer(RealtimeServer&&) noexcept = default;

void RealtimeServer::transcribe_every_turn(bool on) { state_->transcribe_every_turn = on; }

void RealtimeServer::on_client_event(std::string_view json, Instant now) { state_->on_client_event(json, now); }

void RealtimeServer::on_tick(Instant now)
{
    const auto deadline = state_->idle_deadline();
    if (deadline && now >= *deadline) state_->on_idle(now);
}

std::optional<Instant> RealtimeServer::next_tick() const { return state_->idle_deadline(); }

void RealtimeServer::on_reply_text(std::string_view response_id, std::string_view delta, Instant now)
{
    ResponseRun* run = state_->find_run(response_id);
    if (run && !run->add_text(delta)) state_->end_at_token_limit(*run, now);
}

void RealtimeServer::on_reply_audio(std::string_view response_id, std::span<const std::int16_t> samples_24khz, Instant now)
{
    ResponseRun* run = state_->find_run(response_id);
    if (!run) return;
    const bool within_limit = run->add_audio(samples_24khz);
    if (run->config().in_conversation && run->has_spoken()) state_->voice_locked = true;
    if (!within_limit) state_->end_at_token_limit(*run, now);
}

void RealtimeServer::on_reply_function_call(std::string_view response_id, std::string_view name, std::string_view arguments_json,
                                            Instant now)
{
    ResponseRun* run = state_->find_run(response_id);
    if (run && !run->add_function_call(name, arguments_json)) state_->end_at_token_limit(*run, now);
}

void RealtimeServer::on_reply_done(std::string_view response_id, Instant now)
{
    if (ResponseRun* run = state_->find_run(response_id)) state_->complete(*run, now);
}

void RealtimeServer::on_reply_failed(std::string_view response_id, const Error& error, Instant)
{
    if (ResponseRun* run = state_->find_run(response_id)) state_->fail(*run, error);
}

void RealtimeServer::on_reply_usage(std::string_view response_id, std::int64_t input_tokens, std::int64_t output_tokens)
{
    if (ResponseRun* run = state_->find_run(response_id)) run->set_text_tokens(input_tokens, output_tokens);
}

void RealtimeServer::on_transcript_delta(std::string_view item_id, std::string_view delta, Instant) { state_->on_transcript_delta(item_id, delta); }

void RealtimeServer::on_transcript(std::string_view item_id, std::string_view text, Instant, TranscriptTokens tokens)
{
    state_->on_transcript(item_id, text, tokens);
}

void RealtimeServer::on_transcription_failed(std::string_view item_id, const Error& error, Instant)
{
    state_->on_transcription_failed(item_id, error);
}

RealtimeServer::Output RealtimeServer::take_output() { return std::exchange(state_->output, {}); }

const realtime::SessionConfig& RealtimeServer::session() const { return state_->session; }

}  // namespace repartee::engine
