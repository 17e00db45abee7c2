#include "allocations.hpp"
#include "benches.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/audio/resampler.hpp"

#include <benchmark/benchmark.h>

#include <cmath>
#include <vector>

using namespace repartee::audio;

namespace {

void convert_20_ms(benchmark::State& state)
{
    const int in_hz = static_cast<int>(state.range(0)), out_hz = static_cast<int>(state.range(1));
    std::vector<std::int16_t> in(bytes_of_ms(20, in_hz) / sample_bytes), out;
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::int16_t>(8'000 * std::sin(static_cast<double>(i) * 0.07));
    Resampler resampler(in_hz, out_hz);
    resampler.process(in, out);
    const AllocationCount allocations;
    for (auto _ : state) {
        out.clear();
        resampler.process(in, out);
        benchmark::ClobberMemory();
    }
    allocations.report(state);
}

}  // namespace

void register_resampler()
{
    benchmark::RegisterBenchmark("resample_20_ms", convert_20_ms)
        ->Args({16'000, 24'000})
        ->Args({24'000, 48'000})
        ->Args({44'100, 24'000})
        ->Args({24'000, 24'000});
}
