#pragma once
#include "repartee/base/error.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace repartee {

/// A count that only grows. Relaxed atomics: exact in sum, unordered between counters.
class Counter {
public:
    void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

/// A value that goes up and down.
class Gauge {
public:
    void add(std::int64_t n) { value_.fetch_add(n, std::memory_order_relaxed); }
    void set(std::int64_t n) { value_.store(n, std::memory_order_relaxed); }
    std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::int64_t> value_{0};
};

/// Durations in fixed buckets from 0.1 ms to 30 s, as Prometheus wants them (cumulative, seconds).
class Histogram {
public:
    static constexpr std::array<double, 15> upper_bounds_s{0.0001, 0.0003, 0.001, 0.003, 0.005, 0.01, 0.02, 0.05,
                                                           0.1,    0.2,    0.5,   1,     3,     10,   30};
    void observe(std::chrono::nanoseconds duration);
    /// Count in bucket i (not cumulative); index upper_bounds_s.size() is the overflow.
    std::uint64_t bucket(std::size_t i) const { return buckets_[i].load(std::memory_order_relaxed); }
    std::uint64_t sum_ns() const { return sum_ns_.load(std::memory_order_relaxed); }

private:
    std::array<std::atomic<std::uint64_t>, upper_bounds_s.size() + 1> buckets_{};
    std::atomic<std::uint64_t> sum_ns_{0};
};

/// What one provider role did. By role only: which providers there are is configuration, and stands in the log.
struct RoleMetrics {
    Counter requests, failures, cancelled, fallbacks, retries;
    Counter input_tokens, output_tokens;  ///< as the services told
    Counter characters;                   ///< tts: spoken
    Counter audio_ms;                     ///< stt: heard; tts: made
    Histogram first_byte;                 ///< request → first text or sound
    Histogram duration;                   ///< request → end
};

/// Everything /metrics shows. One object a server, handed down by reference; all members are thread-safe.
struct Metrics {
    Gauge sessions_active, connections_active, upstream_warm;
    Counter sessions_total, connections_total, connections_refused, http_requests_total;
    Counter client_frames_in, client_frames_out, client_bytes_in, client_bytes_out;
    Counter upstream_frames_in, upstream_frames_out, upstream_bytes_in, upstream_bytes_out;
    Counter upstream_connects_total, upstream_lease_warm, upstream_lease_cold, tls_resumed_total;
    Counter upstream_fallbacks_total;  ///< times that the next Realtime service took over
    Counter rotations_total, recoveries_total, resumes_total;  ///< upstreams replaced in time and after a loss; clients that came back
    Counter interruptions_total, responses_total, audio_dropped_bytes;
    Histogram session_start;        ///< client upgrade → session.created
    Histogram upstream_connect;     ///< TCP + TLS + upgrade + session.created
    Histogram reply_first_audio;    ///< end of speech (or response.create) → first reply byte to the client
    Histogram relay_uplink;         ///< client frame read → event handed to the upstream socket
    Histogram relay_downlink;       ///< upstream frame read → first byte of it handed to the client socket (unpaced part)
    RoleMetrics stt, llm, tts;
    Counter provider_connects_total, provider_connections_reused_total;
    Counter turns_failed_total;     ///< replies of the local engine that ended in an error
    Counter voice_chats_total, interviews_total, interviews_resumed_total, utterances_total;
    Histogram voice_chat_first_byte;  ///< upload complete → first byte of the answer
    Counter memory_writes_dropped_total;
    Counter transcript_lines_dropped_total, recording_dropped_bytes;
    std::array<Counter, static_cast<std::size_t>(Code::internal) + 1> errors;

    void count_error(Code code) { errors[static_cast<std::size_t>(code)].add(); }

    /// The Prometheus text exposition (version 0.0.4), names `repartee_…`, base units (seconds, bytes).
    std::string prometheus_text() const;
};

}  // namespace repartee
