#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/base/json.hpp"
#include "repartee/realtime/session_config.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The local engine's protocol half: a Realtime server without I/O. It is fed client events and time, says what to send, and asks its owner to
/// recognise speech and to produce replies. Same events, same order as the OpenAI service. Source: OpenAI Realtime GA; order: sections 3–7 of the
/// protocol notes in docs/protocol.md.
namespace repartee::engine {

struct ServerLimits {
    std::size_t items_max = 1000;                 ///< oldest are dropped beyond
    std::size_t input_buffer_ms_max = 300'000;    ///< audio kept for one user turn; older audio is dropped from its front
    std::size_t append_bytes_max = 15 << 20;
    std::size_t commit_ms_min = 100;
    std::size_t item_audio_ms_max = 120'000;      ///< an item's audio kept for conversation.item.retrieve
    std::size_t conversation_bytes_max = 32 << 20;  ///< all items: the oldest lose their audio, then go
    std::size_t out_of_band_responses_max = 8;    ///< running at once with conversation "none"
    std::int64_t output_tokens_max = 32'000;      ///< of a response: what max_output_tokens "inf" means
};

struct FunctionCall {
    std::string call_id, name, arguments;
};

/// One turn of context for a brain, oldest first. Assistant text is cut to what was heard (truncate, or an interruption).
struct ContextMessage {
    std::string role;  ///< system, user, assistant, tool (the output of a call: text and call_id)
    std::string text;  ///< empty for user audio whose transcript is not (yet) known
    bool spoken = false;
    std::int64_t audio_ms = 0;
    std::string item_id{};  ///< that of a TranscriptionRequest, when the text is still to come
    std::optional<FunctionCall> call{};  ///< assistant: it called a function, and `text` is empty
    std::string call_id{};               ///< tool
    bool silence = false;                ///< user: nobody spoke until an idle time limit
};

struct ReplyRequest {
    std::string response_id;
    std::string instructions;
    std::vector<ContextMessage> context;
    bool audio = true;
    std::string voice;
    double speed = 1.0;
    std::int64_t max_output_tokens = 0;  ///< 0: no limit
    json::array tools{};                 ///< functions the brain may call; empty for most
    json::value tool_choice = "auto";
};

struct TranscriptionRequest {
    std::string item_id;
    std::vector<std::int16_t> samples;  ///< 24 kHz
    std::string language;               ///< may be empty
};

/// As the recogniser counted; both 0: not told, estimated.
struct TranscriptTokens {
    std::int64_t input = 0, output = 0;
};

class RealtimeServer {
public:
    /// `transcription_only`: a session of type "transcription" (connected with intent=transcription), which never responds.
    RealtimeServer(std::string model, std::string voice, std::string instructions, ServerLimits limits, std::int64_t unix_time_s,
                   bool transcription_only = false);
    ~RealtimeServer();
    RealtimeServer(RealtimeServer&&) noexcept;

    /// A brain that reads instead of hearing wants the words of every spoken turn: then each yields a TranscriptionRequest, also where the
    /// session asks for no transcription (such a transcript goes into the context only, without events).
    void transcribe_every_turn(bool on);

    /// One client event (JSON text). `append` is handled in place. Everything wrong becomes an `error` event.
    void on_client_event(std::string_view json, Instant now);
    /// Time passes: idle_timeout_ms.
    void on_tick(Instant now);
    /// The next moment at which on_tick() would do something.
    std::optional<Instant> next_tick() const;

    // The owner's answers to a ReplyRequest, by response id; ignored when that response is over (cancelled meanwhile).
    void on_reply_text(std::string_view response_id, std::string_view delta, Instant now);
    void on_reply_audio(std::string_view response_id, std::span<const std::int16_t> samples_24khz, Instant now);
    /// A whole call of one of the request's tools. It ends the message spoken so far; a reply may hold several.
    void on_reply_function_call(std::string_view response_id, std::string_view name, std::string_view arguments_json, Instant now);
    /// A reply that said nothing leaves no item: so ends the one to a turn of which nothing was understood.
    void on_reply_done(std::string_view response_id, Instant now);
    void on_reply_failed(std::string_view response_id, const Error& error, Instant now);
    /// What the model says it has read and written: in place of the estimate of text tokens. Before on_reply_done().
    void on_reply_usage(std::string_view response_id, std::int64_t input_tokens, std::int64_t output_tokens);
    // … and to a TranscriptionRequest, by item id. Deltas are optional; on_transcript() sends what they left out.
    void on_transcript_delta(std::string_view item_id, std::string_view delta, Instant now);
    void on_transcript(std::string_view item_id, std::string_view text, Instant now, TranscriptTokens tokens = TranscriptTokens());
    void on_transcription_failed(std::string_view item_id, const Error& error, Instant now);

    /// What there is to do, in order; empties it. `events` are server events (JSON text) to send at once.
    struct Output {
        std::vector<std::string> events;
        std::vector<ReplyRequest> replies;
        std::vector<std::string> cancelled_responses;  ///< stop working on these
        std::vector<TranscriptionRequest> transcriptions;
        bool empty() const { return events.empty() && replies.empty() && cancelled_responses.empty() && transcriptions.empty(); }
    };
    Output take_output();

    const realtime::SessionConfig& session() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace repartee::engine
