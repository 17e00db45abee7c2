#include "benches.hpp"
#include "median_table.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

// Google Benchmark's own options work. Without any, each benchmark runs seven times, all of them mixed, so that what disturbs the machine
// for a while does not hit one alone.
int main(int argc, char** argv)
{
    std::vector<char*> arguments(argv, argv + argc);
    std::string defaults[] = {"--benchmark_repetitions=7", "--benchmark_enable_random_interleaving=true", "--benchmark_min_time=0.05"};
    if (argc <= 1)
        for (std::string& option : defaults) arguments.push_back(option.data());
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

    register_base64();
    register_events();
    register_websocket();
    register_ring();
    register_resampler();
    MedianTable table;
    benchmark::RunSpecifiedBenchmarks(&table);
    benchmark::Shutdown();
    return table.has_errors() ? 1 : 0;
}
