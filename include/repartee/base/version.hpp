#pragma once
#include <string_view>

namespace repartee {

/// The same as the project version in CMakeLists.txt; src/app/command_line.cpp asserts it.
inline constexpr std::string_view version = "0.1.0";

}  // namespace repartee
