#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Text on its way to and from providers. Pure; UTF-8, lengths in characters.
namespace repartee::providers {

/// The first `characters_max` characters: never a part of one.
std::string_view cut(std::string_view text, std::size_t characters_max);

/// One line fit to be spoken or quoted: control characters become spaces, runs of spaces one; trimmed, then cut.
std::string one_line(std::string_view text, std::size_t characters_max);

std::string lower_case(std::string_view text);  ///< ASCII only

/// Without white space at both ends.
std::string_view trim(std::string_view text);

/// Pieces of at most `characters_max` characters, ended after a sentence where one ends, else between words, else anywhere.
std::vector<std::string> split_for_speech(std::string_view text, std::size_t characters_max);

}  // namespace repartee::providers
