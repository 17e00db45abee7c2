#pragma once
#include "repartee/base/quoted.hpp"

#include <cstddef>
#include <string_view>

namespace repartee::engine {

struct CodePoint {
    char32_t value = 0xFFFD;  ///< U+FFFD for a byte that is no UTF-8
    std::size_t bytes = 1;
    bool whole = true;        ///< false: the text ends within a character, and more bytes may complete it
};

/// The character at `at`, which is inside of `text`.
inline CodePoint code_point_at(std::string_view text, std::size_t at)
{
    const std::string_view rest = text.substr(at);
    const auto lead = static_cast<unsigned char>(rest.front());
    if (lead < 0x80) return {lead, 1, true};
    const std::size_t bytes = utf8_character_bytes(rest);
    if (bytes == 0) {
        const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        bool may_be_cut = rest.size() < length;
        for (std::size_t i = 1; i < rest.size() && may_be_cut; ++i) may_be_cut = continues_utf8_character(rest[i]);
        return {0xFFFD, 1, !may_be_cut};
    }
    char32_t value = lead & (0xFFU >> (bytes + 1));
    for (std::size_t i = 1; i < bytes; ++i) value = value << 6 | (static_cast<unsigned char>(rest[i]) & 0x3FU);
    return {value, bytes, true};
}

constexpr bool is_digit(char32_t c) { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char32_t c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char32_t c) { return c >= 'A' && c <= 'Z'; }
constexpr bool is_letter(char32_t c) { return is_lower(c) || is_upper(c); }
constexpr bool is_hangul(char32_t c) { return c >= 0xAC00 && c <= 0xD7A3; }
constexpr bool is_space(char32_t c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x3000; }

/// Whether a voice makes a sound of it: letters, digits, and signs that are read (% $ € ℃).
bool has_sound(char32_t c);

}  // namespace repartee::engine
