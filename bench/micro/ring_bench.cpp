#include "allocations.hpp"
#include "benches.hpp"
#include "repartee/audio/ring.hpp"

#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

using namespace repartee::audio;

namespace {

/// One piece in, one piece copied out, with `waiting` bytes always behind: none is the usual case, some make the ring wrap.
void write_and_read(benchmark::State& state, std::size_t waiting_bytes)
{
    const auto piece_bytes = static_cast<std::size_t>(state.range(0));
    Ring ring(64 << 10);
    const std::vector<std::byte> in(piece_bytes), waiting(waiting_bytes);
    std::vector<std::byte> out(piece_bytes);
    ring.write(waiting);
    const AllocationCount allocations;
    for (auto _ : state) {
        ring.write(in);
        const auto parts = ring.readable(piece_bytes);
        std::memcpy(out.data(), parts[0].data(), parts[0].size());
        if (!parts[1].empty()) std::memcpy(out.data() + parts[0].size(), parts[1].data(), parts[1].size());
        ring.consume(piece_bytes);
        benchmark::ClobberMemory();
    }
    allocations.report(state);
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * piece_bytes));
}

}  // namespace

void register_ring()
{
    benchmark::RegisterBenchmark("ring/write_and_read", write_and_read, 0)->Arg(960)->Arg(9'600);
    benchmark::RegisterBenchmark("ring/write_and_read_behind", write_and_read, 4'800)->Arg(960)->Arg(9'600);
}
