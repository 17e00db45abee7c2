#pragma once
#include "repartee/engine/speech_pieces.hpp"
#include "repartee/providers/roles.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string>

/// Model → pieces → voice, for everything that answers: local Realtime sessions, voice chat, interviews.
namespace repartee::engine {

struct ReplyVoice {
    std::string voice;
    std::string language = "ko";
    double speed = 1.0, pitch = 1.0;
    providers::Choice choice{};
};

struct ReplyPlan {
    providers::ChatRequest chat;
    std::optional<ReplyVoice> voice;      ///< none: text only, and every delta goes out as it comes
    PieceRules rules;
    std::size_t text_bytes_max = 16'000;  ///< what the model says beyond is not used, and the model is stopped
    std::chrono::milliseconds first_output_limit{45'000};  ///< nothing said or heard until then: Code::timeout
    std::size_t ahead = 1;                ///< pieces in synthesis beside the one that is being handed out; 0…3
};

/// Who gets the reply. Called on the reply's executor, in order: a piece's text comes with its first sound (or, when it has none, in its turn),
/// then its sound.
class ReplySink {
public:
    virtual ~ReplySink() = default;
    virtual void on_text(std::string_view text) = 0;
    virtual void on_audio(std::span<const std::int16_t> samples_24khz) = 0;
    virtual void on_call(const providers::ToolCall& call) = 0;
    /// Awaited before each on_audio(): returns when there is room. A stop must end it.
    virtual awaitable<void> wait_for_room() = 0;
};

struct ReplyEnd {
    providers::ChatResult chat;
    providers::SpeechUsage speech;
    bool said_anything = false;
};

/// Runs one reply to its end, to the first failure, which is returned, or to `stop`, soon after which it ends with Code::cancelled. No call of a
/// provider is left behind when this returns, and nothing is handed to the sink any more. What can still be heard before a failure is: of a model
/// that broke off, all whole pieces; of a voice, what it had made up to where it broke off. Functions are called only at a good end.
/// `sink` outlives the call.
Task<ReplyEnd> run_reply(providers::Roles roles, ReplyPlan plan, ReplySink& sink, providers::Stop stop);

/// The same for a text that is known: a question, an apology.
Task<providers::SpeechUsage> speak_text(std::shared_ptr<providers::TextToSpeech> tts, std::string text, ReplyVoice voice, ReplySink& sink,
                                        providers::Stop stop);

}  // namespace repartee::engine
