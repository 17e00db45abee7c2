#pragma once
#include "frame_checker.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace repartee::bench {

enum class UpstreamMode {
    echo,   ///< every append's audio comes back at once, its base64 untouched
    burst,  ///< a turn is answered with a long reply, faster than real time
    talk,   ///< turns are taken by server-side voice detection, replies can be interrupted
};

std::optional<UpstreamMode> upstream_mode(std::string_view word);

struct UpstreamConfig {
    UpstreamMode mode = UpstreamMode::echo;
    int frame_ms = 20;            ///< of the microphone's frames; burst and talk look into them
    int reply_ms = 3'000;
    double reply_factor = 5;      ///< how many times faster than real time; 0: as fast as it is taken
    int delta_ms = 200;
    int silence_ms = 200;         ///< talk: ends a turn
};

struct UpstreamCounts {
    std::uint64_t connections = 0, open = 0, open_max = 0, lost = 0;
    std::uint64_t appends = 0, append_base64_bytes = 0, deltas = 0, delta_base64_bytes = 0;
    std::uint64_t replies = 0, replies_cancelled = 0, truncations = 0, errors_sent = 0;
    Integrity microphone;  ///< of what came up; not looked at in echo, where the client sees it come back
};

}  // namespace repartee::bench
