#pragma once
#include "repartee/net/awaitable.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The three services a voice conversation is made of. Implementations are made by create.hpp from the config.
/// Cancelling: `Stop` is asked between pieces; when it answers true the call ends soon with Code::cancelled.
namespace repartee::providers {

using Stop = std::function<bool()>;

struct SpeechRequest {
    std::string text;
    std::string voice;         ///< a provider's voice name, e.g. "sage"; unknown ones fall back with a warning
    std::string language = "ko";
    double speed = 1.0;        ///< 0.25…4
    double pitch = 1.0;        ///< 0.5…2, relative to the voice; only the embedded voice uses it
};

class TextToSpeech {
public:
    virtual ~TextToSpeech() = default;
    /// Calls `sink` with PCM16 mono 24 kHz in order as it is made; samples are never split.
    virtual Task<> speak(SpeechRequest request, std::function<void(std::span<const std::int16_t>)> sink, Stop stop) = 0;
    virtual std::string_view provider_name() const = 0;
};

struct ChatMessage {
    std::string role;  ///< system, user, assistant
    std::string text;
};

struct ChatRequest {
    std::vector<ChatMessage> messages;
    int max_output_tokens = 0;  ///< 0: the provider's default
};

struct ChatUsage {
    int input_tokens = 0, output_tokens = 0;
};

class LanguageModel {
public:
    virtual ~LanguageModel() = default;
    /// Calls `sink` with pieces of the answer's text in order.
    virtual Task<ChatUsage> chat(ChatRequest request, std::function<void(std::string_view)> sink, Stop stop) = 0;
    virtual std::string_view provider_name() const = 0;
};

class SpeechToText {
public:
    virtual ~SpeechToText() = default;
    /// PCM16 mono 24 kHz → text. Code::not_configured when there is no recogniser.
    virtual Task<std::string> transcribe(std::vector<std::int16_t> samples, std::string language, Stop stop) = 0;
    virtual std::string_view provider_name() const = 0;
};

}  // namespace repartee::providers
