#include "median_table.hpp"

#include "repartee/audio/base64.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>

namespace {

double counter(const benchmark::BenchmarkReporter::Run& run, const char* name, double absent)
{
    const auto found = run.counters.find(name);
    return found == run.counters.end() ? absent : found->second.value;
}

}  // namespace

bool MedianTable::ReportContext(const Context& context)
{
    PrintBasicContext(&std::cerr, context);
    return true;
}

void MedianTable::ReportRuns(const std::vector<Run>& runs)
{
    for (const Run& run : runs) {
        if (run.error_occurred) {
            errors_.push_back(run.benchmark_name() + ": " + run.error_message);
            continue;
        }
        if (run.aggregate_name != "median" && (run.run_type == Run::RT_Aggregate || run.repetitions > 1)) continue;
        lines_[{run.family_index, run.per_family_instance_index}] = {run.run_name.str(), run.GetAdjustedCPUTime(),
                                                                     counter(run, "bytes_per_second", 0), counter(run, "allocations", -1)};
        std::cerr << '.' << std::flush;
    }
}

/// encode/avx2/L2/4800 → memcpy/L2/4800
const MedianTable::Line* MedianTable::memcpy_beside(const Line& line) const
{
    if (!line.name.starts_with("encode/") && !line.name.starts_with("decode/")) return nullptr;
    const std::string wanted = "memcpy" + line.name.substr(line.name.find('/', sizeof "encode/" - 1));
    const auto found = std::find_if(lines_.begin(), lines_.end(), [&](const auto& entry) { return entry.second.name == wanted; });
    return found == lines_.end() ? nullptr : &found->second;
}

void MedianTable::Finalize()
{
    std::cerr << '\n';
    std::printf("%-38s %10s %9s %12s %9s\n", "median", "CPU ns", "GB/s", "allocations", "÷ memcpy");
    for (const auto& [place, line] : lines_) {
        std::printf("%-38s %10.1f", line.name.c_str(), line.cpu_ns);
        if (line.bytes_per_s > 0)
            std::printf(" %9.2f", line.bytes_per_s / 1e9);
        else
            std::printf(" %9s", "");
        if (line.allocations >= 0)
            std::printf(" %12g", line.allocations);
        else if (const Line* const copied = memcpy_beside(line))
            std::printf(" %12s %8.2f", "", line.bytes_per_s / copied->bytes_per_s);
        std::printf("\n");
    }
    std::printf("\nbase64: bytes of PCM, read by encode and memcpy, written by decode; in use here: %s\n", repartee::audio::base64_kernel_in_use().name);
    for (const std::string& error : errors_) std::printf("failed: %s\n", error.c_str());
}
