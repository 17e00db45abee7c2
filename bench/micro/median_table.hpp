#pragma once
#include <benchmark/benchmark.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// One line a benchmark, in the order of registration: median CPU time, bytes a second, allocations, and beside base64 the part of
/// memcpy's speed with the same PCM in the same run. Shows progress on standard error.
class MedianTable : public benchmark::BenchmarkReporter {
public:
    bool ReportContext(const Context& context) override;
    void ReportRuns(const std::vector<Run>& runs) override;
    void Finalize() override;
    bool has_errors() const { return !errors_.empty(); }

private:
    struct Line {
        std::string name;
        double cpu_ns = 0, bytes_per_s = 0, allocations = -1;
    };
    const Line* memcpy_beside(const Line& line) const;

    std::map<std::pair<std::int64_t, std::int64_t>, Line> lines_;  ///< by place of registration
    std::vector<std::string> errors_;
};
