#pragma once
#include "repartee/base/token_estimate.hpp"

#include <cstdint>
#include <string_view>

/// What the history has to know of text itself. All of it takes valid UTF-8.
namespace repartee::conversation {

/// How long text takes to speak, in a unit of its own: 5 a letter, 12 a Hangul syllable or an ideograph, nothing an emoji.
std::int64_t speech_weight(std::string_view text);
/// 16 letters or 6.7 syllables a second; voices that are known to be sensible lie between the other two.
inline constexpr double typical_ms_per_weight = 12.5, fastest_ms_per_weight = 6.0, slowest_ms_per_weight = 30.0;

/// What is said in the first `share` of the time that the text takes: whole words only, in scripts without spaces whole characters.
std::string_view leading_words(std::string_view text, double share);

bool has_hangul(std::string_view text);

}  // namespace repartee::conversation
