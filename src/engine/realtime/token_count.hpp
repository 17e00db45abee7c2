#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Tokens as the engine estimates them, for `usage` and max_output_tokens: no tokenizer is loaded for a count. Four ASCII bytes are a token,
/// every other character (a Hangul syllable, a CJK ideograph, an accented letter) is one. Audio by the service's rate: the user's 1 a 100 ms,
/// the assistant's 1 a 50 ms. Parts of a token count as one.
namespace repartee::engine {

inline constexpr std::int64_t user_audio_token_ms = 100;
inline constexpr std::int64_t assistant_audio_token_ms = 50;

class TextTokenCounter {
public:
    void add(std::string_view text);
    std::int64_t tokens() const { return (ascii_ + 3) / 4 + wide_; }
    /// Bytes of the longest prefix of `text` (whole characters) with which the count stays within `tokens_max`.
    std::size_t prefix_bytes_within(std::string_view text, std::int64_t tokens_max) const;

private:
    std::int64_t ascii_ = 0;
    std::int64_t wide_ = 0;
};

std::int64_t text_tokens(std::string_view text);
constexpr std::int64_t user_audio_tokens(std::int64_t ms) { return (ms + user_audio_token_ms - 1) / user_audio_token_ms; }
constexpr std::int64_t assistant_audio_tokens(std::int64_t ms) { return (ms + assistant_audio_token_ms - 1) / assistant_audio_token_ms; }

}  // namespace repartee::engine
