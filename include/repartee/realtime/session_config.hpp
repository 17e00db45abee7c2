#pragma once
#include "repartee/base/json.hpp"

#include <cstdint>
#include <optional>
#include <string>

/// The Realtime session object, both directions. Source: OpenAI Realtime GA, "Session".
namespace repartee::realtime {

struct TurnDetection {
    enum class Type { none, server_vad, semantic_vad };  ///< none: push-to-talk, `turn_detection: null`
    Type type = Type::server_vad;
    double threshold = 0.5;                   ///< 0…1
    std::int64_t prefix_padding_ms = 300;     ///< 0…10 000
    std::int64_t silence_duration_ms = 500;   ///< 0…30 000 (sent explicitly: servers differ in their default)
    std::optional<std::int64_t> idle_timeout_ms{};  ///< 5 000…30 000, server_vad only
    bool create_response = true;
    bool interrupt_response = true;
    std::string eagerness = "auto";           ///< low, medium, high, auto; semantic_vad only

    bool operator==(const TurnDetection&) const = default;
};

/// null, or the object with the fields that belong to its type.
json::value to_json(const TurnDetection& turn_detection);
/// Reads `{type,…}` or null over the present value: absent fields keep theirs (unless the type changes: then the defaults of this struct).
/// `type` is required; fields of the other type are refused.
/// `path` names the field in errors, e.g. "session.audio.input.turn_detection".
Result<TurnDetection> read_turn_detection(const json::value& v, const TurnDetection& present, std::string_view path);

struct AudioFormat {
    enum class Type { pcm, pcmu, pcma };
    Type type = Type::pcm;
    int rate_hz = 24'000;  ///< pcm: 24 000; G.711: 8 000
    bool operator==(const AudioFormat&) const = default;
};

json::object to_json(const AudioFormat& format);

/// A realtime (or transcription) session as a server keeps it. Fields that a server only echoes stay JSON.
struct SessionConfig {
    bool transcription_only = false;  ///< session `type: "transcription"`: never a response
    std::string id;                   ///< "sess_…"
    std::string model;
    std::int64_t expires_at = 0;      ///< Unix s
    std::string instructions;
    bool audio_output = true;         ///< output_modalities ["audio"] or ["text"]
    std::string voice = "alloy";
    double speed = 1.0;               ///< 0.25…1.5
    AudioFormat input_format, output_format;
    TurnDetection turn_detection{.silence_duration_ms = 200};  ///< the wire default of real servers
    json::value input_transcription = nullptr;  ///< {model, language?, prompt?, …} or null
    json::value noise_reduction = nullptr;
    json::array tools;
    json::value tool_choice = "auto";
    json::value max_output_tokens = "inf";      ///< 1…4096 or "inf"
    json::value truncation = "auto";
    json::value tracing = nullptr;
    json::value prompt = nullptr;
    json::value include = nullptr;
    json::object extra;  ///< accepted but not interpreted: reasoning, parallel_tool_calls, …; echoed as given
};

/// The full object of session.created / session.updated (valid by OpenAI's strict schema).
json::object to_json(const SessionConfig& config);

/// Applies the `session` member of a session.update. All or nothing: on error `config` is unchanged.
/// - `type` is required and cannot change. `model` is accepted and ignored: the URL fixes it, yet the official SDK sends one.
/// - A voice is a built-in name in any case, the present voice, or {id} for any other. `voice_locked`: the model has spoken, so another
///   voice is refused (upstream_code "cannot_update_voice").
/// - `transcription` is merged: a null member is taken out, null itself turns it off.
/// - Members the GA API does not have are refused with Code::unknown_parameter, the flat beta ones with their mend ("session.voice" → "Use
///   'session.audio.output.voice'.").
Result<void> apply_session_update(SessionConfig& config, const json::object& session, bool voice_locked);

/// Built-in Realtime voices: alloy ash ballad coral echo sage shimmer verse marin cedar.
bool is_realtime_voice(std::string_view lower_case_name);
/// ASCII lower case ("Cedar" → "cedar").
std::string normalise_voice(std::string_view voice);

}  // namespace repartee::realtime
