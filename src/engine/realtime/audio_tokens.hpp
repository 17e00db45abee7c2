#pragma once
#include <cstdint>

/// Tokens of sound by the service's rate: the user's 1 a 100 ms, the assistant's 1 a 50 ms. Parts of a token count as one.
namespace repartee::engine {

inline constexpr std::int64_t user_audio_token_ms = 100;
inline constexpr std::int64_t assistant_audio_token_ms = 50;

constexpr std::int64_t user_audio_tokens(std::int64_t ms) { return (ms + user_audio_token_ms - 1) / user_audio_token_ms; }
constexpr std::int64_t assistant_audio_tokens(std::int64_t ms) { return (ms + assistant_audio_token_ms - 1) / assistant_audio_token_ms; }

}  // namespace repartee::engine
