#pragma once
#include "repartee/base/json.hpp"
#include "repartee/engine/realtime_server.hpp"

#include <cstdint>
#include <string_view>

/// `usage` objects: every member that the protocol knows, so that a client's billing code has something to read.
namespace repartee::engine {

struct Tokens {
    std::int64_t text = 0;
    std::int64_t audio = 0;
    std::int64_t total() const { return text + audio; }
};

/// response.usage. Nothing is ever cached here, and images are not looked at: those counts are 0.
json::object response_usage(const Tokens& input, const Tokens& output);

/// `usage` of …input_audio_transcription.completed: by duration for whisper models, as the service bills them; by tokens for others, as
/// the recogniser counted them or, when it did not, estimated.
json::object transcription_usage(std::string_view model, std::int64_t audio_ms, std::string_view transcript, TranscriptTokens told);

}  // namespace repartee::engine
