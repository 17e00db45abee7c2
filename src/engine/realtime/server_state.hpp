#pragma once
#include "conversation_items.hpp"
#include "idle_timer.hpp"
#include "repartee/engine/realtime_server.hpp"
#include "repartee/realtime/client_event.hpp"
#include "response_run.hpp"
#include "user_audio.hpp"

#include <memory>
#include <vector>

namespace repartee::engine {

/// Everything a session knows. Its functions are in four files, by what they are about: commands.cpp (client events), item_commands.cpp
/// (conversation.item.*), turns.cpp (the user's speech) and responses.cpp.
struct RealtimeServer::State {
    State(realtime::SessionConfig config, ServerLimits limits);

    ServerLimits limits;
    realtime::SessionConfig session;
    std::string conversation_id;
    bool transcribe_every_turn = false;
    bool voice_locked = false;  ///< the model has spoken
    Output output;
    ConversationItems items;
    UserAudio user_audio;
    IdleTimer idle;
    std::vector<std::unique_ptr<ResponseRun>> runs;

    /// The turn being spoken: its item's id and where it begins. Empty id: nobody speaks.
    struct Speech {
        std::string item_id;
        std::uint64_t begin = 0;
    } speech;

    std::size_t item_samples_max() const { return limits.item_audio_ms_max * static_cast<std::size_t>(samples_per_ms); }

    // commands.cpp
    void on_client_event(std::string_view json, Instant now);
    void send(std::string_view type, json::object members = {});
    void send_error(const Error& error, std::string_view client_event_id = {});
    Result<void> dispatch(const realtime::ClientEvent& event, Instant now);
    Result<void> update_session(const json::object& event, Instant now);
    Result<void> refuse_output_buffer_clear(const json::object& event, Instant now);

    // item_commands.cpp
    Result<void> create_item(const json::object& event, Instant now);
    Result<void> retrieve_item(const json::object& event, Instant now);
    Result<void> truncate_item(const json::object& event, Instant now);
    Result<void> delete_item(const json::object& event, Instant now);
    Result<ItemPtr> named_item(const json::object& event) const;

    // turns.cpp
    Result<void> append_event(const json::object& event, Instant now);
    Result<void> append_base64(std::string_view audio, Instant now);
    Result<void> commit_event(const json::object& event, Instant now);
    Result<void> clear_event(const json::object& event, Instant now);
    void on_turn_edge(const TurnEdge& edge, Instant now);
    enum class Heard { words, nothing };
    void commit(std::uint64_t from, std::uint64_t to, std::string item_id, Heard heard);
    void request_transcript(const ItemPtr& item, std::vector<std::int16_t> samples);
    void respond_to_turn(Instant now);
    std::optional<Instant> idle_deadline() const;
    void on_idle(Instant now);
    void on_transcript_delta(std::string_view item_id, std::string_view delta);
    void send_transcript_delta(const Item& item, std::string_view delta);
    void on_transcript(std::string_view item_id, std::string_view text, TranscriptTokens tokens);
    void on_transcription_failed(std::string_view item_id, const Error& error);

    // responses.cpp
    Result<void> create_response_event(const json::object& event, Instant now);
    Result<void> cancel_response_event(const json::object& event, Instant now);
    void start_response(realtime::ResponseConfig config, std::span<const ItemPtr> context);
    ResponseRun* active_run() const;  ///< of the default conversation
    ResponseRun* find_run(std::string_view response_id) const;
    Error already_active(const ResponseRun& run) const;
    void complete(ResponseRun& run, Instant now);
    void end_at_token_limit(ResponseRun& run, Instant now);
    void cancel(ResponseRun& run, std::string_view reason, Instant now);
    void fail(ResponseRun& run, const Error& error);
    void end_run(ResponseRun& run, std::string_view status, json::value status_details);
    void after_natural_end(bool in_conversation, std::int64_t audio_ms, Instant now);
};

}  // namespace repartee::engine
