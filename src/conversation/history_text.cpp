#include "history_text.hpp"

#include <algorithm>
#include <array>

namespace repartee::conversation {
namespace {

struct Range {
    char32_t first, last;
};

// Thai and Lao; Myanmar; Khmer; CJK punctuation and kana; ideographs and their extensions; full width forms.
constexpr std::array<Range, 8> scripts_without_spaces = {{{0x0E00, 0x0EFF}, {0x1000, 0x109F}, {0x1780, 0x17FF}, {0x3000, 0x30FF},
                                                          {0x3400, 0x9FFF}, {0xF900, 0xFAFF}, {0xFF00, 0xFFEF}, {0x20000, 0x3FFFF}}};
// Joiners and marks of direction, variation selectors, emoji.
constexpr std::array<Range, 4> silent = {{{0x200B, 0x200F}, {0x2600, 0x27BF}, {0xFE00, 0xFE0F}, {0x1F000, 0x1FAFF}}};
constexpr char32_t first_wide = 0x1100;  // alphabets stand before it, syllables and ideographs from here on

template <std::size_t N>
bool in(const std::array<Range, N>& ranges, char32_t c)
{
    return std::any_of(ranges.begin(), ranges.end(), [c](const Range& range) { return c >= range.first && c <= range.last; });
}

bool is_space(char32_t c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x3000; }

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// The character at `at`, which moves behind it.
char32_t take_character(std::string_view text, std::size_t& at)
{
    const auto lead = static_cast<unsigned char>(text[at++]);
    char32_t c = lead < 0x80 ? lead : lead < 0xE0 ? lead & 0x1F : lead < 0xF0 ? lead & 0x0F : lead & 0x07;
    while (at < text.size() && continues_character(text[at])) c = (c << 6) | (static_cast<unsigned char>(text[at++]) & 0x3F);
    return c;
}

std::int64_t weight_of(char32_t c)
{
    if (in(silent, c)) return 0;
    return c < first_wide ? 5 : 12;
}

}  // namespace

std::int64_t speech_weight(std::string_view text)
{
    std::int64_t weight = 0;
    for (std::size_t at = 0; at < text.size();) weight += weight_of(take_character(text, at));
    return weight;
}

std::string_view leading_words(std::string_view text, double share)
{
    if (share >= 1) return text;
    const double limit = static_cast<double>(speech_weight(text)) * share;
    std::size_t words_end = 0;
    std::int64_t said = 0;
    bool after_word = false, after_unspaced = false;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t begin = at;
        const char32_t c = take_character(text, at);
        const bool space = is_space(c), unspaced = in(scripts_without_spaces, c);
        if (after_word && (space || unspaced || after_unspaced)) words_end = begin;
        said += weight_of(c);
        if (static_cast<double>(said) > limit) return text.substr(0, words_end);
        after_word = !space;
        after_unspaced = unspaced;
    }
    return text.substr(0, words_end);
}

bool has_hangul(std::string_view text)
{
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = take_character(text, at);
        if (c >= 0xAC00 && c <= 0xD7A3) return true;
    }
    return false;
}

}  // namespace repartee::conversation
