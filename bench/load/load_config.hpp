#pragma once
#include "ws_handshake.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace repartee::bench {

enum class Dialect {
    conversation,  ///< PCM16 in binary frames, events as JSON: /ws/conversations of Repartee, or a relay like it
    realtime,      ///< the Realtime API itself: a direct connection, or a proxy that does not look into it
};
enum class LoadMode {
    echo,   ///< every frame comes back
    burst,  ///< a short turn is answered with a long reply, faster than real time
    talk,   ///< people speak a third of the time, are answered, and interrupt one time in ten
};
enum class Plan {
    window,   ///< one measuring window
    ramp,     ///< more and more sessions, until the limit
    connect,  ///< sessions one after another, only opened and closed
    hold,     ///< sessions that have spoken and are silent now
};

struct LoadConfig {
    WsUrl url;
    std::string url_text, ca_file;
    Headers headers;
    Dialect dialect = Dialect::conversation;
    LoadMode mode = LoadMode::echo;
    Plan plan = Plan::window;

    int sessions = 1;
    int frame_ms = 20;
    int rate_hz = 24'000;
    double seconds = 10, warmup_s = 2;

    int connect_limit_ms = 10'000;
    int connects_at_once = 32;
    int connect_interval_ms = 0;  ///< connect: pause between two, e.g. for a pool to fill again
    int drain_limit_ms = 5'000;

    int ramp_step = 50, ramp_sessions_max = 10'000;
    double p99_limit_ms = 20;

    int turn_ms = 200, turn_gap_ms = 500;  ///< burst

    bool progress = false, json = false;

    std::size_t frame_bytes() const { return static_cast<std::size_t>(frame_ms) * static_cast<std::size_t>(rate_hz) / 1000 * 2; }
    /// At other rates the relay resamples, and audio can only be counted.
    bool verifies() const { return rate_hz == 24'000; }
};

/// nullopt: nothing to run; `exit_status` says how to end, and what was to be said has been said.
std::optional<LoadConfig> parse_load_options(int argc, char** argv, int& exit_status);

}  // namespace repartee::bench
