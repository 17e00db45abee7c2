#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace repartee::voice {

/// Any text as the value of a header, percent-encoded as decodeURIComponent() reads it: whole characters, at most `bytes_max` bytes. Pure.
std::string header_text(std::string_view text, std::size_t bytes_max);

/// All headers together fit the 4 KiB that proxies give them.
inline constexpr std::size_t header_text_bytes_max = 1'500;
/// A trailer stands alone; Node's clients take 16 KiB.
inline constexpr std::size_t trailer_text_bytes_max = 12'000;

}  // namespace repartee::voice
