#pragma once
#include "repartee/base/log.hpp"

#include <chrono>
#include <span>
#include <string>

namespace repartee::log {

inline constexpr std::size_t value_bytes_max = 2 << 10;

std::string_view name(Level level);
/// One record with its '\n': `time level event key=value …`.
std::string format_text(std::chrono::system_clock::time_point time, Level level, std::string_view event, std::span<const Field> fields);
/// The same as one JSON object in one line.
std::string format_json(std::chrono::system_clock::time_point time, Level level, std::string_view event, std::span<const Field> fields);

}  // namespace repartee::log
