#pragma once
#include <cstdint>
#include <string>

namespace decisions {

struct Options {
    std::string program;            ///< echo, load, relay
    std::string relay = "epoll";    ///< epoll, split, uring, uring-nested, uring-nested-deferred
    int sessions = 1;
    std::uint16_t port = 0;         ///< whom to connect to
    int threads = 1;
    int tick_us = 0;                ///< coalescing: the shortest time between two wake-ups; 0 = none
    bool probe = false;             ///< recv until EAGAIN before every wait
    std::string send = "copy";      ///< copy, writev, zerocopy
    bool own_buffers = false;       ///< 4 KiB a connection instead of 64 KiB a thread
    bool quickack = false;
    int busy_poll_us = 0;
    std::string counters;           ///< file to count in
    bool direct = false;            ///< load: talk to the echo without a relay
    int warm_up_ms = 700, window_ms = 4000;
};

/// Throws std::invalid_argument with the name of what is wrong.
Options parse_options(int argc, char** argv);

}  // namespace decisions
