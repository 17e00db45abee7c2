#pragma once
#include "repartee/audio/container.hpp"
#include "repartee/base/json.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// What goes to the three services of a conversation and comes back. Values only.
namespace repartee::providers {

/// A character's wish among the configured providers; empty: as configured.
struct Choice {
    std::string provider;  ///< a section of the configuration to try first: "llm_2"
    std::string model;     ///< in place of that provider's (the first one's when `provider` is empty)
};

// --- speech to text

/// A recording: a file as somebody sent it, or samples.
struct AudioClip {
    std::string file;                      ///< the bytes, when it is a file
    audio::Container container = audio::Container::unknown;
    std::vector<std::int16_t> samples;     ///< PCM16 mono, when it is none
    int hz = 24'000;                       ///< of the samples

    bool is_file() const { return !file.empty(); }
};

struct TranscribeRequest {
    AudioClip audio;
    std::string language;  ///< ISO-639-1; empty: the provider finds out
    std::string prompt;    ///< words to expect; empty: as configured
    Choice choice;
};

struct TranscriptSegment {
    double start_s = 0, end_s = 0;
    std::string text;
};

struct Transcript {
    std::string text;      ///< trimmed; empty: nothing was understood
    std::string language;  ///< as the provider says it; may be empty
    std::optional<double> duration_s;
    std::vector<TranscriptSegment> segments;  ///< verbose_json only
    std::int64_t input_tokens = 0, output_tokens = 0;  ///< 0: not told
};

// --- language model

struct ToolCall {
    std::string id, name;
    std::string arguments;  ///< JSON text as the model wrote it; "{}" when it wrote nothing
};

struct ChatMessage {
    std::string role;  ///< system, user, assistant, tool
    std::string text;
    std::vector<ToolCall> tool_calls{};  ///< assistant
    std::string tool_call_id{};          ///< tool: whose result this is
    std::string tool_name{};             ///< tool: Ollama asks for the name
};

/// What a conversation says without an AI service: written lines, in order.
struct Script {
    std::vector<std::string> lines;  ///< the first is the greeting; none: a polite generic script
    std::string closing_line;        ///< answers a good-bye; empty: a generic one
    std::string language = "ko";     ///< "ko", else English
};

struct ChatRequest {
    std::vector<ChatMessage> messages;
    json::array tools;                 ///< as the Realtime API has them (flat); providers bring them into their own form
    json::value tool_choice = "auto";  ///< "auto", "none", "required", or {"type":"function","name":…}
    int max_output_tokens = 0;         ///< 0: as configured
    std::optional<double> temperature; ///< nullopt: as configured
    bool json = false;                 ///< ask for a JSON object
    std::shared_ptr<const Script> script;  ///< for the embedded brain; others do not look at it
    Choice choice;
};

struct ChatUsage {
    std::int64_t input_tokens = 0, output_tokens = 0;
    bool told = false;  ///< the service said so; else both are 0
};

struct ChatResult {
    ChatUsage usage;
    std::string finish_reason;  ///< stop, length, tool_calls, content_filter, or what the service said
};

// --- text to speech

struct SpeechRequest {
    std::string text;
    std::string voice;         ///< a provider's voice name or the id of a configured one; unknown ones fall back with a warning
    std::string language = "ko";
    double speed = 1.0;        ///< 0.25…4
    double pitch = 1.0;        ///< 0.5…2, relative to the voice; only the embedded voice uses it
    std::string instructions{};  ///< how to speak, for models that take it
    Choice choice{};
};

struct SpeechUsage {
    std::int64_t characters = 0;
    std::int64_t input_tokens = 0, output_tokens = 0;  ///< 0: not told
};

}  // namespace repartee::providers
