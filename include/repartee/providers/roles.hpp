#pragma once
#include "repartee/net/awaitable.hpp"
#include "repartee/providers/messages.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string_view>

/// The three services a voice conversation is made of. Implementations are made by create.hpp from the config; one object a worker.
/// Every call ends soon with Code::cancelled once its Stop is requested, in whatever stage, and what it had begun (a request, a program) is ended
/// with it. Sinks are called on the call's executor, in order, never after the call has ended, and must not throw.
namespace repartee::providers {

using Stop = std::stop_token;

using SpeechSink = std::function<void(std::span<const std::int16_t>)>;
using TextSink = std::function<void(std::string_view)>;

class TextToSpeech {
public:
    virtual ~TextToSpeech() = default;
    /// Calls `sink` with PCM16 mono 24 kHz in order as it is made; samples are never split.
    virtual Task<SpeechUsage> speak(SpeechRequest request, SpeechSink sink, Stop stop) = 0;
    virtual std::string_view provider_name() const = 0;
};

/// What a model says. `call` comes whole, after all text that belongs before it.
struct ChatSink {
    TextSink text;
    std::function<void(const ToolCall&)> call;
};

class LanguageModel {
public:
    virtual ~LanguageModel() = default;
    /// Text comes as the service streams it, without reasoning (reasoning fields, <think>…</think>), and whole UTF-8 characters only.
    virtual Task<ChatResult> chat(ChatRequest request, ChatSink sink, Stop stop) = 0;
    virtual std::string_view provider_name() const = 0;
    /// Whether it wants to know what was said: else a spoken turn need not wait for its transcript.
    virtual bool reads_words() const { return true; }
};

class SpeechToText {
public:
    virtual ~SpeechToText() = default;
    /// `delta` gets the text as it comes, where the service streams; else once, at the end. May be empty.
    /// Code::not_configured when there is no recogniser, Code::invalid_audio when the file cannot be read.
    virtual Task<Transcript> transcribe(TranscribeRequest request, TextSink delta, Stop stop) = 0;
    virtual std::string_view provider_name() const = 0;
};

/// One worker's.
struct Roles {
    std::shared_ptr<SpeechToText> stt;
    std::shared_ptr<LanguageModel> llm;
    std::shared_ptr<TextToSpeech> tts;
};

}  // namespace repartee::providers
