#pragma once
#include <chrono>

namespace repartee {

/// Time as pure code sees it: handed in by the caller, never asked for.
using Instant = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

}  // namespace repartee
