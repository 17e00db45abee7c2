#pragma once
#include <cstdint>
#include <string>

namespace decisions {

/// What one thread of the relay has done so far. Only its owner writes; bench/decisions/run reads it through the file.
struct alignas(64) Counters {
    std::uint64_t syscalls = 0, frames = 0, wakeups = 0;
};

constexpr int threads_max = 2;

/// `threads_max` counters in a shared mapping of `path`, which must exist; in private memory if `path` is empty.
Counters* map_counters(const std::string& path);

}  // namespace decisions
