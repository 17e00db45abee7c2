#include "load_report.hpp"
#include "load_run.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fmt/format.h>

/// repartee-bench-load: clients that speak to a voice server or relay and measure what comes back.
namespace repartee::bench {
namespace {

constexpr const char* ramp_max_reached = "--ramp-max is reached";
constexpr int exit_ok = 0, exit_failed = 1, exit_audio_differs = 3;

void print(const std::string& text)
{
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

void print_line(const json::object& report) { print(json::to_text(report) + "\n"); }

void complain(const std::string& what) { std::fprintf(stderr, "repartee-bench-load: %s\n", what.c_str()); }

int fail(const LoadConfig& config, const std::string& why)
{
    complain(why);
    if (config.json) print_line({{"tool", "repartee-bench-load"}, {"error", why}});
    return exit_failed;
}

/// Says on standard error what was wrong, and how to exit.
int judge(const LoadStats& stats)
{
    const Integrity& integrity = stats.integrity;
    for (const auto& [message, count] : stats.errors) complain(fmt::format("{} (× {})", message, count));
    if (!integrity.ok()) {
        complain(fmt::format("what came is not what was sent: {} frames lost, {} altered, {} reordered", integrity.lost, integrity.altered,
                             integrity.reordered));
        return exit_audio_differs;
    }
    return stats.failed() ? exit_failed : exit_ok;
}

int run_window(const LoadConfig& config, LoadRun& run)
{
    if (const auto failure = run.open(config.sessions); !failure.empty()) return fail(config, failure);
    const WindowResult result = config.plan == Plan::hold ? run.hold() : run.measure();
    run.close_all();
    if (run.interrupted()) return fail(config, "interrupted");
    if (config.json) print_line(report_window(config, result));
    else print(summary_of(config, result));
    return judge(result.stats);
}

int run_connects(const LoadConfig& config, LoadRun& run)
{
    if (const auto failure = run.connect_one_by_one(); !failure.empty()) return fail(config, failure);
    if (config.json)
        print_line({{"tool", "repartee-bench-load"},
                    {"url", config.url_text},
                    {"connects", config.sessions},
                    {"connect_us", report_connects(run.stats())}});
    else
        print(summary_of_connects(run.stats()));
    return judge(run.stats());
}

/// Why the ramp ends after this step; empty: it goes on.
std::string limit_reached(const LoadConfig& config, const WindowResult& step)
{
    const LoadStats& stats = step.stats;
    if (!stats.integrity.ok()) return "audio was lost or altered";
    if (stats.failed()) return stats.errors.begin()->first;
    if (stats.latency.quantile_ns(0.99) > config.p99_limit_ms * ns_per_ms) return "p99 is over its limit";
    if (step.sessions >= config.ramp_sessions_max) return ramp_max_reached;
    return {};
}

int run_ramp(const LoadConfig& config, LoadRun& run)
{
    json::array steps;
    json::object best;
    std::string ended_by;
    int sessions = config.sessions, sessions_max = 0;
    bool spoilt = false;
    while (ended_by.empty()) {
        if (ended_by = run.open(sessions); !ended_by.empty()) break;
        const WindowResult step = run.measure();
        if (run.interrupted()) return fail(config, "interrupted");
        ended_by = limit_reached(config, step);
        const json::object report = report_window(config, step);
        if (ended_by.empty() || ended_by == ramp_max_reached) {
            sessions_max = sessions;
            best = report;
        }
        spoilt = step.stats.integrity.altered > 0 || step.stats.integrity.reordered > 0;
        steps.push_back(report);
        if (!config.json) print(summary_of(config, step) + "\n");
        sessions = std::min(sessions + config.ramp_step, config.ramp_sessions_max);
    }
    run.close_all();
    if (config.json)
        print_line({{"tool", "repartee-bench-load"},
                    {"url", config.url_text},
                    {"p99_limit_ms", config.p99_limit_ms},
                    {"sessions_max", sessions_max},
                    {"ended_by", ended_by},
                    {"best", best},
                    {"steps", std::move(steps)}});
    else
        print("Most sessions: " + std::to_string(sessions_max) + "; ended by: " + ended_by + "\n");
    // A relay that gives up under too much load may lose audio, but must not change it.
    if (spoilt) return exit_audio_differs;
    if (sessions_max > 0) return exit_ok;
    complain("already the first step failed: " + ended_by);
    return exit_failed;
}

int run_plan(const LoadConfig& config)
{
    prepare_process();
    LoadRun run(config);
    switch (config.plan) {
    case Plan::ramp: return run_ramp(config, run);
    case Plan::connect: return run_connects(config, run);
    case Plan::window:
    case Plan::hold: return run_window(config, run);
    }
    return exit_failed;
}

}  // namespace
}  // namespace repartee::bench

int main(int argc, char** argv)
{
    using namespace repartee::bench;
    int exit_status = 0;
    const auto config = parse_load_options(argc, argv, exit_status);
    if (!config) return exit_status;
    try {
        return run_plan(*config);
    } catch (const std::exception& failure) {
        return fail(*config, failure.what());
    }
}
