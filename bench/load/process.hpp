#pragma once
#include "event_loop.hpp"

#include <cstdint>
#include <functional>

namespace repartee::bench {

/// CPU time of this process.
struct CpuTime {
    double user_s = 0, system_s = 0;
    double total_s() const { return user_s + system_s; }
};
CpuTime cpu_time();

/// As many descriptors as this user may have, timers that fire when they are due, and no death by SIGPIPE.
void prepare_process();

/// SIGINT and SIGTERM as an event of the loop.
class TerminationSignal final : private Watcher {
public:
    TerminationSignal(EventLoop& loop, std::function<void()> action);
    ~TerminationSignal();

private:
    void on_ready(std::uint32_t events) override;

    EventLoop& loop_;
    std::function<void()> action_;
    int fd_;
};

}  // namespace repartee::bench
