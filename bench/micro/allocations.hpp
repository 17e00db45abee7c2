#pragma once
#include <benchmark/benchmark.h>

#include <cstdint>

/// Calls of malloc, calloc and realloc so far, by this program and by the libraries it uses.
std::uint64_t allocations_so_far();

/// Put before the loop of a benchmark, when its buffers have grown; report() behind it.
class AllocationCount {
public:
    void report(benchmark::State& state) const
    {
        const std::uint64_t now = allocations_so_far();
        state.counters["allocations"] = static_cast<double>(now - at_start_) / static_cast<double>(state.iterations());
    }

private:
    std::uint64_t at_start_ = allocations_so_far();
};
