#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Tokens of text by estimate: no tokenizer is loaded for a count. Four ASCII bytes are a token, every other character (a Hangul syllable, a CJK
/// ideograph, an accented letter) is one. Parts of a token count as one.
namespace repartee {

class TokenCounter {
public:
    void add(std::string_view text);
    std::int64_t tokens() const { return (ascii_ + 3) / 4 + wide_; }
    /// Bytes of the longest prefix of `text` (whole characters) with which the count stays within `tokens_max`.
    std::size_t prefix_bytes_within(std::string_view text, std::int64_t tokens_max) const;

private:
    std::int64_t ascii_ = 0;
    std::int64_t wide_ = 0;
};

std::int64_t estimated_tokens(std::string_view text);

}  // namespace repartee
