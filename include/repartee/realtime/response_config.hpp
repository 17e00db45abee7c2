#pragma once
#include "repartee/realtime/session_config.hpp"

#include <optional>
#include <string>

/// What one response is to be. Source: OpenAI Realtime GA, response.create.
namespace repartee::realtime {

/// The session's values, overridden by what the client said for this response.
struct ResponseConfig {
    bool audio_output = true;
    std::string instructions;
    std::string voice;
    AudioFormat output_format;
    json::array tools;
    json::value tool_choice = "auto";
    json::value max_output_tokens = "inf";   ///< 1…4096 or "inf"
    bool in_conversation = true;             ///< `conversation: "auto"`; false: out of band, items stay outside
    json::value metadata = nullptr;          ///< null, or at most 16 pairs of strings
    std::optional<json::array> input;        ///< replaces the context: items as of normalise_item(), or item_reference; may be empty
    json::value prompt = nullptr;
    json::object extra;                      ///< accepted but not interpreted: reasoning, parallel_tool_calls

    /// The limit as a number; 0: none.
    std::int64_t output_tokens_limit() const;
};

/// Reads the `response` member of response.create; an empty object means a response like the session.
/// Paths in errors start with "response". Unknown members are refused; the beta ones are named with their mend.
Result<ResponseConfig> read_response_create(const json::object& response, const SessionConfig& session);

}  // namespace repartee::realtime
