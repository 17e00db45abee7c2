#include "event_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <sys/timerfd.h>
#include <system_error>
#include <unistd.h>

namespace repartee::bench {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

timespec to_timespec(std::int64_t ns) { return {static_cast<time_t>(ns / ns_per_s), static_cast<long>(ns % ns_per_s)}; }

}  // namespace

Timer::Timer(EventLoop& loop, std::function<void()> callback) : loop_(loop), callback_(std::move(callback)) {}

Timer::~Timer() { disarm(); }

void Timer::arm(std::int64_t at_ns)
{
    if (armed_) {
        auto node = loop_.due_.extract({at_ns_, this});
        node.value().first = at_ns;
        loop_.due_.insert(std::move(node));
    } else {
        loop_.due_.emplace(at_ns, this);
    }
    at_ns_ = at_ns;
    armed_ = true;
}

void Timer::disarm()
{
    if (armed_) loop_.due_.erase({at_ns_, this});
    armed_ = false;
}

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC))
{
    if (epoll_ < 0 || timer_ < 0) fail("epoll_create1 or timerfd_create");
    // Edge-triggered, so that it need not be read.
    epoll_event event{EPOLLIN | EPOLLET, {nullptr}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event) != 0) fail("epoll_ctl(ADD)");
}

EventLoop::~EventLoop()
{
    ::close(timer_);
    ::close(epoll_);
}

void EventLoop::add(int fd, std::uint32_t events, Watcher& watcher)
{
    epoll_event event{events, {&watcher}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl(ADD)");
}

void EventLoop::modify(int fd, std::uint32_t events, Watcher& watcher)
{
    epoll_event event{events, {&watcher}};
    if (::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event) != 0) fail("epoll_ctl(MOD)");
}

void EventLoop::remove(int fd, const Watcher& watcher)
{
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    for (int i = 0; i < events_found_; ++i)
        if (events_[static_cast<std::size_t>(i)].data.ptr == &watcher) events_[static_cast<std::size_t>(i)].data.ptr = nullptr;
}

// One timer that stays armed: a time limit of epoll_wait would be set and cancelled with each round, and in a virtual machine that is what
// costs most of all.
int EventLoop::wait(std::int64_t until_ns)
{
    if (until_ns != wake_at_ns_) {
        const itimerspec at{{}, to_timespec(std::max<std::int64_t>(until_ns, 1))};
        if (::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &at, nullptr) != 0) fail("timerfd_settime");
        wake_at_ns_ = until_ns;
    }
    const int found = ::epoll_wait(epoll_, events_.data(), events_a_round_max, -1);
    if (found < 0 && errno != EINTR) fail("epoll_wait");
    return std::max(found, 0);
}

void EventLoop::run_due()
{
    if (due_.empty()) return;
    const std::int64_t now = now_ns();
    while (!due_.empty() && due_.begin()->first <= now) {
        Timer& timer = *due_.begin()->second;
        timer.disarm();
        timer.callback_();
    }
}

void EventLoop::run_later()
{
    std::vector<std::function<void()>> actions;
    actions.swap(later_);
    for (const auto& action : actions) action();
}

void EventLoop::run_until(std::int64_t deadline_ns)
{
    run_until(deadline_ns, [] { return false; });
}

void EventLoop::run_until(std::int64_t deadline_ns, const std::function<bool()>& done)
{
    while (!stopped_ && now_ns() < deadline_ns && !done()) {
        const std::int64_t timer_ns = due_.empty() ? std::numeric_limits<std::int64_t>::max() : due_.begin()->first;
        events_found_ = wait(std::min(timer_ns, deadline_ns));
        run_due();
        for (int i = 0; i < events_found_; ++i) {
            const epoll_event event = events_[static_cast<std::size_t>(i)];
            if (!event.data.ptr) continue;
            static_cast<Watcher*>(event.data.ptr)->on_ready(event.events);
            run_due();  // a frame that is due must not wait behind a round of readable sockets
        }
        events_found_ = 0;
        run_later();
    }
}

}  // namespace repartee::bench
