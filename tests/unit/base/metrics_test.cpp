#include "repartee/base/metrics.hpp"
#include "repartee/base/version.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

using namespace repartee;
using namespace std::chrono_literals;

namespace {

/// Reads the exposition strictly: HELP, TYPE, then only samples of that family.
std::map<std::string, double> read_samples(const std::string& text)
{
    std::map<std::string, double> samples;
    std::set<std::string> families;
    std::string family, type;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string hash, keyword;
        if (line.starts_with("# HELP ")) {
            words >> hash >> keyword >> family;
            CHECK(families.insert(family).second);
            continue;
        }
        if (line.starts_with("# TYPE ")) {
            std::string name;
            words >> hash >> keyword >> name >> type;
            CHECK(name == family);
            CHECK((type == "gauge" || type == "counter" || type == "histogram"));
            CHECK(name.ends_with("_total") == (type == "counter"));
            continue;
        }
        const auto space = line.rfind(' ');
        REQUIRE(space != std::string::npos);
        const std::string series = line.substr(0, space);
        CHECK(series.starts_with(family));
        char* end = nullptr;
        const double value = std::strtod(line.c_str() + space + 1, &end);
        CHECK(*end == '\0');
        CHECK(samples.emplace(series, value).second);
    }
    return samples;
}

}  // namespace

TEST_CASE("every counter and gauge shows under its name")
{
    Metrics m;
    m.sessions_active.set(3);
    m.sessions_active.add(-1);
    m.client_frames_in.add(7);
    m.client_bytes_out.add(1'000);
    m.upstream_lease_warm.add();
    m.audio_dropped_bytes.add(960);
    const auto samples = read_samples(m.prometheus_text());
    CHECK(samples.at("repartee_sessions_active") == 2);
    CHECK(samples.at("repartee_client_frames_total{direction=\"in\"}") == 7);
    CHECK(samples.at("repartee_client_frames_total{direction=\"out\"}") == 0);
    CHECK(samples.at("repartee_client_bytes_total{direction=\"out\"}") == 1'000);
    CHECK(samples.at("repartee_upstream_leases_total{kind=\"warm\"}") == 1);
    CHECK(samples.at("repartee_upstream_leases_total{kind=\"cold\"}") == 0);
    CHECK(samples.at("repartee_audio_dropped_bytes_total") == 960);
    CHECK(samples.at("repartee_build_info{version=\"" + std::string(version) + "\"}") == 1);
    CHECK(samples.at("process_resident_memory_bytes") > 100'000);
    CHECK(samples.at("process_cpu_seconds_total") > 0);
}

TEST_CASE("histogram buckets are cumulative, in seconds, and agree with the count")
{
    Metrics m;
    m.relay_uplink.observe(-5ns);
    m.relay_uplink.observe(100us);
    m.relay_uplink.observe(100'001ns);
    m.relay_uplink.observe(2ms);
    m.relay_uplink.observe(31s);
    const auto samples = read_samples(m.prometheus_text());
    CHECK(samples.at("repartee_relay_uplink_seconds_bucket{le=\"0.0001\"}") == 2);
    CHECK(samples.at("repartee_relay_uplink_seconds_bucket{le=\"0.0003\"}") == 3);
    CHECK(samples.at("repartee_relay_uplink_seconds_bucket{le=\"0.001\"}") == 3);
    CHECK(samples.at("repartee_relay_uplink_seconds_bucket{le=\"0.003\"}") == 4);
    CHECK(samples.at("repartee_relay_uplink_seconds_bucket{le=\"30\"}") == 4);
    CHECK(samples.at("repartee_relay_uplink_seconds_bucket{le=\"+Inf\"}") == 5);
    CHECK(samples.at("repartee_relay_uplink_seconds_count") == 5);
    CHECK(samples.at("repartee_relay_uplink_seconds_sum") == Approx(31.002200001));
    CHECK(samples.at("repartee_relay_downlink_seconds_count") == 0);
}

TEST_CASE("what the providers of each role did shows by role")
{
    Metrics m;
    m.stt.requests.add(2);
    m.llm.failures.add();
    m.llm.input_tokens.add(120);
    m.llm.output_tokens.add(30);
    m.llm.first_byte.observe(2ms);
    m.tts.fallbacks.add();
    m.tts.characters.add(45);
    m.tts.audio_ms.add(1'500);
    m.provider_connects_total.add(3);
    m.voice_chat_first_byte.observe(1ms);
    const auto samples = read_samples(m.prometheus_text());
    CHECK(samples.at("repartee_provider_requests_total{role=\"stt\"}") == 2);
    CHECK(samples.at("repartee_provider_requests_total{role=\"tts\"}") == 0);
    CHECK(samples.at("repartee_provider_failures_total{role=\"llm\"}") == 1);
    CHECK(samples.at("repartee_provider_cancelled_total{role=\"llm\"}") == 0);
    CHECK(samples.at("repartee_provider_retries_total{role=\"llm\"}") == 0);
    CHECK(samples.at("repartee_provider_fallbacks_total{role=\"tts\"}") == 1);
    CHECK(samples.at("repartee_provider_tokens_total{role=\"llm\",direction=\"in\"}") == 120);
    CHECK(samples.at("repartee_provider_tokens_total{role=\"llm\",direction=\"out\"}") == 30);
    CHECK(samples.at("repartee_provider_characters_total") == 45);
    CHECK(samples.at("repartee_provider_audio_seconds_total{role=\"tts\"}") == 1.5);
    CHECK(samples.at("repartee_provider_audio_seconds_total{role=\"stt\"}") == 0);
    CHECK(samples.at("repartee_provider_first_byte_seconds_bucket{role=\"llm\",le=\"0.001\"}") == 0);
    CHECK(samples.at("repartee_provider_first_byte_seconds_bucket{role=\"llm\",le=\"0.003\"}") == 1);
    CHECK(samples.at("repartee_provider_first_byte_seconds_count{role=\"llm\"}") == 1);
    CHECK(samples.at("repartee_provider_first_byte_seconds_sum{role=\"llm\"}") == Approx(0.002));
    CHECK(samples.at("repartee_provider_request_seconds_count{role=\"stt\"}") == 0);
    CHECK(samples.at("repartee_provider_connects_total") == 3);
    CHECK(samples.at("repartee_provider_connections_reused_total") == 0);
    CHECK(samples.at("repartee_voice_chat_first_byte_seconds_count") == 1);
    for (const char* name : {"repartee_turns_failed_total", "repartee_voice_chats_total", "repartee_interviews_total", "repartee_interviews_resumed_total",
                             "repartee_utterances_total", "repartee_memory_writes_dropped_total"})
        CHECK(samples.at(name) == 0);
}

TEST_CASE("a duration of exactly a bound belongs to that bound's bucket")
{
    for (std::size_t i = 0; i < Histogram::upper_bounds_s.size(); ++i) {
        const std::chrono::nanoseconds bound(static_cast<std::int64_t>(Histogram::upper_bounds_s[i] * 1e9 + 0.5));
        Histogram h;
        h.observe(bound);
        h.observe(bound + 1ns);
        CHECK(h.bucket(i) == 1);
        CHECK(h.bucket(i + 1) == 1);
    }
}

TEST_CASE("errors are shown by code, only those that happened")
{
    Metrics m;
    m.count_error(Code::slow_client);
    m.count_error(Code::slow_client);
    m.count_error(Code::internal);
    const auto samples = read_samples(m.prometheus_text());
    CHECK(samples.at("repartee_errors_total{code=\"slow_client\"}") == 2);
    CHECK(samples.at("repartee_errors_total{code=\"internal_error\"}") == 1);
    CHECK(samples.count("repartee_errors_total{code=\"timeout\"}") == 0);
    CHECK(samples.count("repartee_errors_total{code=\"ok\"}") == 0);
}

TEST_CASE("counts from many threads add up")
{
    Metrics m;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&m] {
                for (int i = 0; i < 10'000; ++i) {
                    m.responses_total.add();
                    m.sessions_active.add(i % 2 == 0 ? 1 : -1);
                    m.session_start.observe(1ms);
                }
            });
    }
    CHECK(m.responses_total.value() == 40'000);
    CHECK(m.sessions_active.value() == 0);
    CHECK(m.session_start.bucket(2) == 40'000);
    CHECK(m.session_start.sum_ns() == 40'000'000'000);
}
