#include "benches.hpp"
#include "repartee/audio/base64.hpp"

#include <benchmark/benchmark.h>

#include <map>
#include <ostream>
#include <string>
#include <vector>

// Google Benchmark's own options work; without any, each benchmark runs seven times, all of them mixed, and medians are shown.
namespace {

/// The usual table, and at its end base64 as a part of what memcpy does with the same PCM, measured in the same run.
class Reporter : public benchmark::ConsoleReporter {
public:
    Reporter() : ConsoleReporter(OO_Tabular) {}

    void ReportRuns(const std::vector<Run>& runs) override
    {
        for (const Run& run : runs) {
            const auto rate = run.counters.find("bytes_per_second");
            const bool is_median = run.aggregate_name == "median" || (run.run_type == Run::RT_Iteration && run.repetitions <= 1);
            if (is_median && !run.error_occurred && rate != run.counters.end()) bytes_per_s_[run.run_name.function_name] = rate->second.value;
        }
        ConsoleReporter::ReportRuns(runs);
    }

    void Finalize() override
    {
        ConsoleReporter::Finalize();
        std::ostream& out = GetOutputStream();
        bool has_title = false;
        for (const auto& [name, rate] : bytes_per_s_) {
            if (!name.starts_with("encode/") && !name.starts_with("decode/")) continue;
            const auto copied = bytes_per_s_.find("memcpy" + name.substr(name.find('/', sizeof "encode/" - 1)));
            if (copied == bytes_per_s_.end()) continue;
            if (!has_title) out << "\nBytes of PCM a second ÷ those of memcpy with the same PCM (base64 is " << kernel() << " here):\n";
            has_title = true;
            char line[100];
            std::snprintf(line, sizeof line, "  %-32s %6.1f GB/s  ÷ %6.1f GB/s  = %.2f\n", name.c_str(), rate / 1e9, copied->second / 1e9,
                          rate / copied->second);
            out << line;
        }
    }

private:
    static const char* kernel() { return repartee::audio::base64_kernel_in_use().name; }

    std::map<std::string, double> bytes_per_s_;
};

}  // namespace

int main(int argc, char** argv)
{
    std::vector<char*> arguments(argv, argv + argc);
    std::string defaults[] = {"--benchmark_repetitions=7", "--benchmark_enable_random_interleaving=true", "--benchmark_min_time=0.05",
                              "--benchmark_display_aggregates_only=true"};
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
    Reporter reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    benchmark::Shutdown();
}
