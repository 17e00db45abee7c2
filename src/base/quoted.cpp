#include "repartee/base/quoted.hpp"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>

namespace repartee {
namespace {

std::uint32_t code_point(std::string_view character)
{
    const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(character[i])); };
    switch (character.size()) {
    case 1: return byte(0);
    case 2: return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3: return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    default: return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    }
}

// What a terminal would act on instead of showing: C0, DEL, C1, line and paragraph separators, direction marks.
bool is_control(std::uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

void append_escape(std::string& out, std::uint32_t c)
{
    switch (c) {
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: out += fmt::format("\\u{:04x}", c);
    }
}

}  // namespace

std::size_t utf8_character_bytes(std::string_view text)
{
    if (text.empty()) return 0;
    const auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xC2 && first <= 0xDF ? 2 : (first & 0xF0) == 0xE0 ? 3 : first >= 0xF0 && first <= 0xF4 ? 4 : 0;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if (!continues_utf8_character(text[i])) return 0;
    const std::uint32_t c = code_point(text.substr(0, length));
    const bool overlong = (length == 3 && c < 0x800) || (length == 4 && c < 0x10000);
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    return overlong || surrogate || c > 0x10FFFF ? 0 : length;
}

bool is_utf8(std::string_view text)
{
    while (!text.empty()) {
        const std::size_t length = utf8_character_bytes(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::size_t utf8_characters(std::string_view text)
{
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues_utf8_character(c); }));
}

bool needs_quotes(std::string_view text)
{
    if (text.empty()) return true;
    while (!text.empty()) {
        const std::size_t length = utf8_character_bytes(text);
        if (length == 0) return true;
        const char c = text[0];
        if (c == ' ' || c == '"' || c == '\\' || c == '=' || is_control(code_point(text.substr(0, length)))) return true;
        text.remove_prefix(length);
    }
    return false;
}

void append_quoted(std::string& out, std::string_view text)
{
    out += '"';
    while (!text.empty()) {
        const std::size_t length = utf8_character_bytes(text);
        if (length == 0) {
            out += "\xEF\xBF\xBD";
            text.remove_prefix(1);
            continue;
        }
        const std::string_view character = text.substr(0, length);
        const std::uint32_t c = code_point(character);
        if (c == '"' || c == '\\')
            out += '\\', out += character;
        else if (is_control(c))
            append_escape(out, c);
        else
            out += character;
        text.remove_prefix(length);
    }
    out += '"';
}

std::string quoted(std::string_view text)
{
    std::string out;
    out.reserve(text.size() + 2);
    append_quoted(out, text);
    return out;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max)
{
    if (text.size() <= bytes_max) return text;
    // A character has at most three continuation bytes; more of them are not UTF-8 and may be cut anywhere.
    std::size_t end = bytes_max;
    for (int back = 0; back < 3 && end > 0 && continues_utf8_character(text[end]); ++back) --end;
    return text.substr(0, end);
}

}  // namespace repartee
