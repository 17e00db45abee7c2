#pragma once
#include <cstdint>
#include <ctime>

namespace repartee::bench {

inline constexpr std::int64_t ns_per_us = 1'000, ns_per_ms = 1'000'000, ns_per_s = 1'000'000'000;

/// CLOCK_MONOTONIC, the clock that an orchestrator on the same machine shares with us.
inline std::int64_t now_ns()
{
    timespec time;
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::int64_t>(time.tv_sec) * ns_per_s + time.tv_nsec;
}

}  // namespace repartee::bench
