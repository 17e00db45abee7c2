#include "microphone.hpp"

#include <catch2/catch.hpp>

using namespace repartee::bench;

namespace {

struct Port final : ClientPort {
    std::size_t frames = 0;
    void send_audio(std::span<const std::byte>) override { ++frames; }
    void send_event(std::string_view) override {}
};

}  // namespace

TEST_CASE("a frame that goes out late counts from when it was due, and the delay is the generator's lag too")
{
    const LoadConfig config;
    LoadStats stats;
    Port port;
    Microphone microphone(config, 1, port, stats);
    const std::int64_t due_ns = now_ns() - 500 * ns_per_ms;
    stats.window_begin_ns = due_ns;
    stats.window_end_ns = due_ns + ns_per_s;

    const std::uint32_t sequence = microphone.send(due_ns, 0);
    stats.add_latency(microphone.due_at_ns(sequence), now_ns());
    REQUIRE(port.frames == 1);
    REQUIRE(stats.frames_sent == 1);
    REQUIRE(stats.latency.quantile_ns(0.5) >= 500 * ns_per_ms);
    REQUIRE(stats.lag.quantile_ns(0.5) >= 500 * ns_per_ms);
}

TEST_CASE("a frame that was due in the window and goes out after it is one of its latencies, not of its frames")
{
    const LoadConfig config;
    LoadStats stats;
    Port port;
    Microphone microphone(config, 1, port, stats);
    const std::int64_t due_ns = now_ns() - 500 * ns_per_ms;
    stats.window_begin_ns = due_ns;
    stats.window_end_ns = due_ns + 1;

    stats.add_latency(microphone.due_at_ns(microphone.send(due_ns, 0)), now_ns());
    REQUIRE(stats.frames_sent == 0);
    REQUIRE(stats.latency.count() == 1);
    REQUIRE(stats.lag.count() == 1);
}
