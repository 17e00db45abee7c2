#pragma once
#include <benchmark/benchmark.h>

#include <cstdint>

/// Calls of malloc and its relatives, by this program and by the libraries it uses.
std::uint64_t allocations_so_far();

/// Reports the allocations of the loop it stands before. The first round is not counted: buffers grow then.
class AllocationCount {
public:
    explicit AllocationCount(benchmark::State& state) : state_(state), at_start_(allocations_so_far()) {}
    ~AllocationCount()
    {
        const auto rounds = static_cast<double>(state_.iterations());
        state_.counters["allocations"] = static_cast<double>(allocations_so_far() - at_start_) / rounds;
    }
    AllocationCount(const AllocationCount&) = delete;
    AllocationCount& operator=(const AllocationCount&) = delete;

private:
    benchmark::State& state_;
    std::uint64_t at_start_;
};
