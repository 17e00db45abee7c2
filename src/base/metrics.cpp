#include "repartee/base/metrics.hpp"

#include "repartee/base/version.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fmt/format.h>
#include <fstream>
#include <optional>

namespace repartee {
namespace {

/// Text exposition format 0.0.4: HELP and TYPE once a name, then its samples.
class Exposition {
public:
    void family(std::string_view name, std::string_view type, std::string_view help)
    {
        text_ += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
    }

    template <class T>
    void sample(std::string_view name, std::string_view labels, T value)
    {
        text_ += name;
        if (!labels.empty()) text_ += fmt::format("{{{}}}", labels);
        text_ += fmt::format(" {}\n", value);
    }

    void gauge(std::string_view name, std::string_view help, const Gauge& gauge)
    {
        family(name, "gauge", help);
        sample(name, "", gauge.value());
    }

    void counter(std::string_view name, std::string_view help, const Counter& counter)
    {
        family(name, "counter", help);
        sample(name, "", counter.value());
    }

    void two_counters(std::string_view name, std::string_view help, std::string_view first_label, const Counter& first,
                      std::string_view second_label, const Counter& second)
    {
        family(name, "counter", help);
        sample(name, first_label, first.value());
        sample(name, second_label, second.value());
    }

    void histogram(std::string_view name, std::string_view help, const Histogram& histogram)
    {
        family(name, "histogram", help);
        histogram_samples(name, "", histogram);
    }

    /// `labels` of every sample, beside `le`.
    void histogram_samples(std::string_view name, std::string_view labels, const Histogram& histogram)
    {
        const std::string bucket_name = fmt::format("{}_bucket", name);
        const std::string before_le = labels.empty() ? "" : fmt::format("{},", labels);
        std::uint64_t count = 0;
        for (std::size_t i = 0; i < Histogram::upper_bounds_s.size(); ++i) {
            count += histogram.bucket(i);
            sample(bucket_name, fmt::format("{}le=\"{}\"", before_le, Histogram::upper_bounds_s[i]), count);
        }
        // Counted up from the buckets as read, so that _count always equals +Inf while observations go on.
        count += histogram.bucket(Histogram::upper_bounds_s.size());
        sample(bucket_name, fmt::format("{}le=\"+Inf\"", before_le), count);
        sample(fmt::format("{}_sum", name), labels, static_cast<double>(histogram.sum_ns()) / 1e9);
        sample(fmt::format("{}_count", name), labels, count);
    }

    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

std::optional<std::uint64_t> resident_memory_bytes()
{
    std::ifstream statm("/proc/self/statm");
    std::uint64_t total_pages = 0, resident_pages = 0;
    if (!(statm >> total_pages >> resident_pages)) return std::nullopt;
    return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<double> cpu_seconds()
{
    std::timespec used{};
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) return std::nullopt;
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

void write_traffic(Exposition& out, const Metrics& m)
{
    constexpr std::string_view in = "direction=\"in\"", out_label = "direction=\"out\"";
    out.two_counters("repartee_client_frames_total", "WebSocket messages from (in) and to (out) clients.", in, m.client_frames_in,
                     out_label, m.client_frames_out);
    out.two_counters("repartee_client_bytes_total", "Payload bytes of WebSocket messages from (in) and to (out) clients.", in,
                     m.client_bytes_in, out_label, m.client_bytes_out);
    out.two_counters("repartee_upstream_frames_total", "Events from (in) and to (out) upstreams.", in, m.upstream_frames_in, out_label,
                     m.upstream_frames_out);
    out.two_counters("repartee_upstream_bytes_total", "Payload bytes of events from (in) and to (out) upstreams.", in, m.upstream_bytes_in,
                     out_label, m.upstream_bytes_out);
}

struct Role {
    std::string_view label;
    const RoleMetrics& metrics;
};

void write_role_counter(Exposition& out, std::string_view name, std::string_view help, const std::array<Role, 3>& roles,
                        Counter RoleMetrics::*counter)
{
    out.family(name, "counter", help);
    for (const Role& role : roles) out.sample(name, role.label, (role.metrics.*counter).value());
}

void write_role_histogram(Exposition& out, std::string_view name, std::string_view help, const std::array<Role, 3>& roles,
                          Histogram RoleMetrics::*histogram)
{
    out.family(name, "histogram", help);
    for (const Role& role : roles) out.histogram_samples(name, role.label, role.metrics.*histogram);
}

void write_roles(Exposition& out, const Metrics& m)
{
    const std::array<Role, 3> roles{Role{"role=\"stt\"", m.stt}, Role{"role=\"llm\"", m.llm}, Role{"role=\"tts\"", m.tts}};
    write_role_counter(out, "repartee_provider_requests_total", "Calls of the services that hear (stt), think (llm) and speak (tts).", roles,
                       &RoleMetrics::requests);
    write_role_counter(out, "repartee_provider_failures_total", "Calls that failed, each provider of a chain for itself.", roles,
                       &RoleMetrics::failures);
    write_role_counter(out, "repartee_provider_cancelled_total", "Calls that were stopped, e.g. by an interruption.", roles, &RoleMetrics::cancelled);
    write_role_counter(out, "repartee_provider_fallbacks_total", "Times that the next provider of a chain took over.", roles,
                       &RoleMetrics::fallbacks);
    write_role_counter(out, "repartee_provider_retries_total", "Requests that were repeated.", roles, &RoleMetrics::retries);
    constexpr std::string_view tokens = "repartee_provider_tokens_total";
    out.family(tokens, "counter", "Tokens as the services counted them.");
    for (const Role& role : roles) {
        out.sample(tokens, fmt::format("{},direction=\"in\"", role.label), role.metrics.input_tokens.value());
        out.sample(tokens, fmt::format("{},direction=\"out\"", role.label), role.metrics.output_tokens.value());
    }
    out.counter("repartee_provider_characters_total", "Characters given to the services that speak.", m.tts.characters);
    constexpr std::string_view audio = "repartee_provider_audio_seconds_total";
    out.family(audio, "counter", "Sound heard (stt) and made (tts).");
    out.sample(audio, roles[0].label, static_cast<double>(m.stt.audio_ms.value()) / 1e3);
    out.sample(audio, roles[2].label, static_cast<double>(m.tts.audio_ms.value()) / 1e3);
    write_role_histogram(out, "repartee_provider_first_byte_seconds", "From a call to its first text or sound.", roles, &RoleMetrics::first_byte);
    write_role_histogram(out, "repartee_provider_request_seconds", "From a call to its end.", roles, &RoleMetrics::duration);
    out.counter("repartee_provider_connects_total", "Connections opened to providers.", m.provider_connects_total);
    out.counter("repartee_provider_connections_reused_total", "Requests that went over a connection which was open already.",
                m.provider_connections_reused_total);
}

void write_errors(Exposition& out, const Metrics& m)
{
    constexpr std::string_view family = "repartee_errors_total";
    out.family(family, "counter", "Errors by code: the word of the log and of the client's error event.");
    for (std::size_t i = static_cast<std::size_t>(Code::ok) + 1; i < m.errors.size(); ++i) {
        const std::uint64_t count = m.errors[i].value();
        if (count > 0) out.sample(family, fmt::format("code=\"{}\"", name(static_cast<Code>(i))), count);
    }
}

void write_process(Exposition& out)
{
    if (const auto bytes = resident_memory_bytes()) {
        out.family("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
        out.sample("process_resident_memory_bytes", "", *bytes);
    }
    if (const auto seconds = cpu_seconds()) {
        out.family("process_cpu_seconds_total", "counter", "User and system CPU time spent, in seconds.");
        out.sample("process_cpu_seconds_total", "", *seconds);
    }
    out.family("repartee_build_info", "gauge", "Always 1; the labels say which build runs.");
    out.sample("repartee_build_info", fmt::format("version=\"{}\"", version), 1);
}

}  // namespace

void Histogram::observe(std::chrono::nanoseconds duration)
{
    const auto ns = std::max<std::int64_t>(duration.count(), 0);
    // A bound belongs to its bucket; the 0.5 keeps 0.0003 s, which no double is, on its side.
    const double s = (static_cast<double>(ns) - 0.5) / 1e9;
    const auto bucket = std::ranges::lower_bound(upper_bounds_s, s) - upper_bounds_s.begin();
    buckets_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
    sum_ns_.fetch_add(static_cast<std::uint64_t>(ns), std::memory_order_relaxed);
}

std::string Metrics::prometheus_text() const
{
    Exposition out;
    out.gauge("repartee_sessions_active", "Voice sessions that run now.", sessions_active);
    out.gauge("repartee_connections_active", "Client connections that are open now.", connections_active);
    out.gauge("repartee_upstream_warm_connections", "Upstream connections opened ahead that wait for a session.", upstream_warm);
    out.counter("repartee_sessions_total", "Voice sessions started.", sessions_total);
    out.counter("repartee_connections_total", "Client connections accepted.", connections_total);
    out.counter("repartee_connections_refused_total", "Client connections refused because a cap was reached.", connections_refused);
    out.counter("repartee_http_requests_total", "HTTP requests answered.", http_requests_total);
    write_traffic(out, *this);
    out.counter("repartee_upstream_connects_total", "Upstream connections opened.", upstream_connects_total);
    out.two_counters("repartee_upstream_leases_total", "Upstream connections given to sessions: opened ahead (warm) or on demand (cold).",
                     "kind=\"warm\"", upstream_lease_warm, "kind=\"cold\"", upstream_lease_cold);
    out.counter("repartee_upstream_fallbacks_total", "Times that the next Realtime service took over because one could not be had.",
                upstream_fallbacks_total);
    out.counter("repartee_tls_resumed_total", "Upstream TLS handshakes that resumed an earlier session.", tls_resumed_total);
    out.counter("repartee_rotations_total", "Sessions of the Realtime service that were replaced before their time was over.", rotations_total);
    out.counter("repartee_recoveries_total", "Sessions of the Realtime service that were lost and replaced amid a conversation.", recoveries_total);
    out.counter("repartee_resumes_total", "Clients that came back to their conversation.", resumes_total);
    out.counter("repartee_interruptions_total", "Replies interrupted by the person speaking.", interruptions_total);
    out.counter("repartee_responses_total", "Replies of characters.", responses_total);
    out.counter("repartee_audio_dropped_bytes_total", "Audio dropped because a buffer was full.", audio_dropped_bytes);
    out.histogram("repartee_session_start_seconds", "From a client's upgrade to session.created.", session_start);
    out.histogram("repartee_upstream_connect_seconds", "From opening an upstream connection to its session.created.", upstream_connect);
    out.histogram("repartee_reply_first_audio_seconds", "From the end of speech to the first reply audio sent to the client.",
                  reply_first_audio);
    out.histogram("repartee_relay_uplink_seconds", "From a client frame read to its event handed to the upstream.", relay_uplink);
    out.histogram("repartee_relay_downlink_seconds", "From an upstream event read to its first byte handed to the client.", relay_downlink);
    write_roles(out, *this);
    out.counter("repartee_turns_failed_total", "Replies of the engine built in that ended in an error.", turns_failed_total);
    out.counter("repartee_voice_chats_total", "Requests of POST /voice-chat.", voice_chats_total);
    out.counter("repartee_interviews_total", "Interviews started.", interviews_total);
    out.counter("repartee_interviews_resumed_total", "Interviews that went on after a lost connection.", interviews_resumed_total);
    out.counter("repartee_utterances_total", "Utterances recognised for /ws/audio.", utterances_total);
    out.histogram("repartee_voice_chat_first_byte_seconds", "From the end of an upload to the first byte of its answer.", voice_chat_first_byte);
    out.counter("repartee_memory_writes_dropped_total", "Writes of conversations dropped because the database was behind.",
                memory_writes_dropped_total);
    out.counter("repartee_transcript_lines_dropped_total", "Lines of transcripts dropped because the database was behind.",
                transcript_lines_dropped_total);
    out.counter("repartee_recording_dropped_bytes_total", "Sound of recordings dropped: the disk was behind or full, or it came far ahead of its time.",
                recording_dropped_bytes);
    write_errors(out, *this);
    write_process(out);
    return out.take();
}

}  // namespace repartee
