#include "usage.hpp"

#include "audio_tokens.hpp"
#include "repartee/base/token_estimate.hpp"

namespace repartee::engine {

json::object response_usage(const Tokens& input, const Tokens& output)
{
    return {
        {"total_tokens", input.total() + output.total()},
        {"input_tokens", input.total()},
        {"output_tokens", output.total()},
        {"input_token_details",
         {{"text_tokens", input.text},
          {"audio_tokens", input.audio},
          {"image_tokens", 0},
          {"cached_tokens", 0},
          {"cached_tokens_details", {{"text_tokens", 0}, {"audio_tokens", 0}, {"image_tokens", 0}}}}},
        {"output_token_details", {{"text_tokens", output.text}, {"audio_tokens", output.audio}}},
    };
}

json::object transcription_usage(std::string_view model, std::int64_t audio_ms, std::string_view transcript, TranscriptTokens told)
{
    if (model.starts_with("whisper")) return {{"type", "duration"}, {"seconds", static_cast<double>(audio_ms) / 1000}};
    const bool counted = told.input > 0 || told.output > 0;
    const std::int64_t heard = counted ? told.input : user_audio_tokens(audio_ms);
    const std::int64_t written = counted ? told.output : estimated_tokens(transcript);
    return {
        {"type", "tokens"},
        {"total_tokens", heard + written},
        {"input_tokens", heard},
        {"input_token_details", {{"text_tokens", 0}, {"audio_tokens", heard}}},
        {"output_tokens", written},
    };
}

}  // namespace repartee::engine
