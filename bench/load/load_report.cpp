#include "load_report.hpp"

#include <cmath>
#include <fmt/format.h>

namespace repartee::bench {
namespace {

/// Above it a run says more about the generator than about what was measured.
constexpr double lag_p99_ms_max = 2;

double rounded_us(double ns) { return std::round(ns / 100) / 10; }

json::object quantiles(const Histogram& histogram)
{
    return {{"count", histogram.count()},
            {"p50", rounded_us(histogram.quantile_ns(0.5))},
            {"p90", rounded_us(histogram.quantile_ns(0.9))},
            {"p99", rounded_us(histogram.quantile_ns(0.99))},
            {"p99_9", rounded_us(histogram.quantile_ns(0.999))},
            {"max", rounded_us(histogram.max_ns())},
            {"mean", rounded_us(histogram.mean_ns())}};
}

bool generator_was_late(const LoadStats& stats) { return stats.lag.quantile_ns(0.99) > lag_p99_ms_max * ns_per_ms; }

json::object report_errors(const LoadStats& stats)
{
    json::array messages;
    std::uint64_t total = 0;
    for (const auto& [message, count] : stats.errors) {
        messages.push_back(json::object{{"message", message}, {"count", count}});
        total += count;
    }
    return {{"total", total}, {"sessions_lost", stats.sessions_lost}, {"error_events", stats.error_events}, {"messages", std::move(messages)}};
}

std::string_view word(LoadMode mode) { return mode == LoadMode::echo ? "echo" : mode == LoadMode::burst ? "burst" : "talk"; }

std::string latency_line(const char* name, const Histogram& histogram)
{
    if (histogram.count() == 0) return {};
    const auto us = [&](double part) { return histogram.quantile_ns(part) / ns_per_us; };
    return fmt::format("{:<22}p50 {:.0f}  p90 {:.0f}  p99 {:.0f}  p99.9 {:.0f}  max {:.0f} µs  ({} of them)\n", name, us(0.5), us(0.9), us(0.99),
                       us(0.999), histogram.max_ns() / ns_per_us, histogram.count());
}

}  // namespace

json::object report_connects(const LoadStats& stats)
{
    json::object report{{"tcp", quantiles(stats.connect_tcp)},
                        {"tls", quantiles(stats.connect_tls)},
                        {"upgrade", quantiles(stats.connect_upgrade)},
                        {"session_created", quantiles(stats.connect_created)}};
    if (stats.connect_live.count() > 0) report["live"] = quantiles(stats.connect_live);
    return report;
}

json::object report_window(const LoadConfig& config, const WindowResult& result)
{
    const LoadStats& stats = result.stats;
    const double seconds = result.seconds();
    json::object report{
        {"tool", "repartee-bench-load"},
        {"url", config.url_text},
        {"dialect", config.dialect == Dialect::conversation ? "conversation" : "realtime"},
        {"mode", word(config.mode)},
        {"sessions", result.sessions},
        {"frame_ms", config.frame_ms},
        {"rate_hz", config.rate_hz},
        {"frame_bytes", config.frame_bytes()},
        {"window", json::object{{"begin_ns", result.begin_ns}, {"end_ns", result.end_ns}, {"seconds", seconds}}},
        {"frames", json::object{{"sent", stats.frames_sent}, {"received", stats.frames_received}, {"sent_in_run", stats.frames_sent_total}}},
        {"audio_bytes", json::object{{"sent", stats.audio_bytes_sent}, {"received", stats.audio_bytes_received}}},
        {"events_received", stats.events_received},
        {"latency_us", quantiles(stats.latency)},
        {"generator_lag_us", quantiles(stats.lag)},
        {"generator",
         json::object{{"cpu_user_s", result.generator.user_s},
                      {"cpu_system_s", result.generator.system_s},
                      {"cpu_s", result.generator.total_s()},
                      {"cpu_share", seconds > 0 ? result.generator.total_s() / seconds : 0.0},
                      {"was_late", generator_was_late(stats)}}},
        {"integrity",
         json::object{{"verified", config.verifies()},
                      {"lost", stats.integrity.lost},
                      {"altered", stats.integrity.altered},
                      {"reordered", stats.integrity.reordered},
                      {"ok", stats.integrity.ok()}}},
        {"connect_us", report_connects(stats)},
        {"errors", report_errors(stats)},
    };
    if (config.mode == LoadMode::burst)
        report["burst"] = json::object{{"replies_complete", stats.replies_complete},
                                       {"first_audio_us", quantiles(stats.latency)},
                                       {"reply_duration_us", quantiles(stats.reply_duration)},
                                       {"audio_bytes_per_s", seconds > 0 ? static_cast<double>(stats.audio_bytes_received) / seconds : 0.0}};
    if (config.mode == LoadMode::talk)
        report["talk"] = json::object{{"turns", stats.turns},
                                      {"replies_complete", stats.replies_complete},
                                      {"replies_cut", stats.replies_cut},
                                      {"interruptions", stats.interruptions},
                                      {"audio_clears", stats.audio_clears},
                                      {"late_audio_bytes", stats.late_audio_bytes},
                                      {"speech_to_started_us", quantiles(stats.speech_to_started)},
                                      {"turn_to_audio_us", quantiles(stats.turn_to_audio)},
                                      {"speech_to_clear_us", quantiles(stats.speech_to_clear)}};
    return report;
}

std::string summary_of(const LoadConfig& config, const WindowResult& result)
{
    const LoadStats& stats = result.stats;
    std::string text = fmt::format("{} sessions × {} ms, mode {}, {:.1f} s: {} frames sent, {} received\n", result.sessions, config.frame_ms,
                                   word(config.mode), result.seconds(), stats.frames_sent, stats.frames_received);
    text += latency_line("latency", stats.latency);
    text += latency_line("speech → started", stats.speech_to_started);
    text += latency_line("turn → audio", stats.turn_to_audio);
    text += latency_line("speech → audio.clear", stats.speech_to_clear);
    text += latency_line("reply, whole", stats.reply_duration);
    text += latency_line("generator's lag", stats.lag);
    if (config.mode == LoadMode::talk)
        text += fmt::format("turns {}, replies complete {}, cut {}, interruptions {}, audio.clear {}\n", stats.turns, stats.replies_complete,
                            stats.replies_cut, stats.interruptions, stats.audio_clears);
    text += fmt::format("frames lost {}, altered {}, reordered {}{}; the generator used {:.1f} % of a CPU{}\n", stats.integrity.lost,
                        stats.integrity.altered, stats.integrity.reordered, config.verifies() ? "" : " (counted only: resampled)",
                        result.seconds() > 0 ? 100 * result.generator.total_s() / result.seconds() : 0.0,
                        generator_was_late(stats) ? " and was late, which is part of the latency: see whether it had a CPU" : "");
    return text;
}

std::string summary_of_connects(const LoadStats& stats)
{
    return latency_line("TCP", stats.connect_tcp) + latency_line("TLS", stats.connect_tls) + latency_line("upgrade", stats.connect_upgrade) +
           latency_line("session.created", stats.connect_created) + latency_line("live", stats.connect_live);
}

}  // namespace repartee::bench
