#pragma once
#include "clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <sys/epoll.h>
#include <utility>
#include <vector>

/// epoll and timers for one thread, and nothing else: what measures must cost less than what is measured.
namespace repartee::bench {

class EventLoop;

/// Told when its file descriptor can be read or written (level-triggered).
class Watcher {
public:
    virtual void on_ready(std::uint32_t events) = 0;

protected:
    ~Watcher() = default;
};

/// Fires once at an instant, as near to it as the kernel's high-resolution timers come; arm it again from the callback.
class Timer {
public:
    Timer(EventLoop& loop, std::function<void()> callback);
    ~Timer();
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void arm(std::int64_t at_ns);
    void disarm();
    bool armed() const { return armed_; }

private:
    friend EventLoop;
    EventLoop& loop_;
    std::function<void()> callback_;
    std::int64_t at_ns_ = 0;
    bool armed_ = false;
};

class EventLoop {
public:
    EventLoop();
    ~EventLoop();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    void add(int fd, std::uint32_t events, Watcher& watcher);
    void modify(int fd, std::uint32_t events, Watcher& watcher);
    /// The watcher is not called any more, not even for what this round has already found.
    void remove(int fd, const Watcher& watcher);

    /// Runs `action` after the current round of events: the place to destroy what an event came from.
    void later(std::function<void()> action) { later_.push_back(std::move(action)); }

    /// Until `deadline_ns`, stop(), or `done`, which is asked after each round; whichever comes first.
    void run_until(std::int64_t deadline_ns, const std::function<bool()>& done);
    void run_until(std::int64_t deadline_ns);
    void stop() { stopped_ = true; }
    /// After stop(), to run on, e.g. for the goodbyes.
    void restart() { stopped_ = false; }
    bool stopped() const { return stopped_; }

private:
    friend Timer;
    using Due = std::set<std::pair<std::int64_t, Timer*>>;
    static constexpr int events_a_round_max = 64;

    int wait(std::int64_t until_ns);
    void run_due();
    void run_later();

    int epoll_, timer_;
    std::int64_t wake_at_ns_ = 0;
    bool stopped_ = false;
    std::array<epoll_event, events_a_round_max> events_{};
    int events_found_ = 0;
    Due due_;
    std::vector<std::function<void()>> later_;
};

}  // namespace repartee::bench
