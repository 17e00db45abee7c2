#pragma once
#include <chrono>
#include <cstdint>

namespace repartee {

/// Time as pure code sees it: handed in by the caller, never asked for.
using Instant = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

/// The wall clock, for what is written down; only code that writes asks for it.
inline std::int64_t unix_ms_now()
{
    return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace repartee
