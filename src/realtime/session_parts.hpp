#pragma once
#include "field_reader.hpp"
#include "repartee/realtime/session_config.hpp"

/// Members that a session and a single response have in common. Each reads one member of the reader's object.
namespace repartee::realtime {

/// Over the present value; with the rules of read_turn_detection().
TurnDetection turn_detection_over(const json::value& v, const TurnDetection& present, const std::string& path,
                                  std::optional<Error>& first_error);

void read_format(FieldReader& audio_side, AudioFormat& format);                ///< "format"
/// "voice": a built-in name in any case, the present voice, or {id} for any other.
void read_voice(FieldReader& output, std::string& voice);
void read_output_modalities(FieldReader& session, bool& audio_output);         ///< "output_modalities"
void read_tools(FieldReader& session, json::array& tools);                     ///< "tools"
void read_tool_choice(FieldReader& session, json::value& tool_choice);         ///< "tool_choice"
void read_max_output_tokens(FieldReader& session, json::value& limit);         ///< "max_output_tokens"
void read_prompt(FieldReader& session, json::value& prompt);                   ///< "prompt", null allowed
/// "reasoning" and "parallel_tool_calls": kept as given.
void read_model_options(FieldReader& session, json::object& extra);

/// ["audio"] or ["text"].
json::array output_modalities(bool audio_output);

}  // namespace repartee::realtime
