#pragma once
#include <cstddef>
#include <string>
#include <string_view>

/// Text from outside, made safe to show: in the log, in messages, in TOML.
namespace repartee {

/// Bytes of the well-formed UTF-8 character at the start of `text`; 0 when there is none.
std::size_t utf8_character_bytes(std::string_view text);
bool is_utf8(std::string_view text);
/// A byte of a character that is not its first.
constexpr bool continues_utf8_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }
/// Characters of a text that is UTF-8.
std::size_t utf8_characters(std::string_view text);

/// Whether `text` holds anything that append_quoted would escape, or a space or '=', or is empty.
bool needs_quotes(std::string_view text);

/// Appends `text` in double quotes, valid both as a JSON string and as a TOML basic string. Control characters (C1 and
/// direction marks too) are escaped, bytes that are not UTF-8 become U+FFFD.
void append_quoted(std::string& out, std::string_view text);
std::string quoted(std::string_view text);

/// The longest prefix of at most `bytes_max` bytes that does not cut a character in two.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max);

}  // namespace repartee
