#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/net/awaitable.hpp"

#include <memory>

namespace repartee::net {

/// Wakes one waiting coroutine of the same executor. A notify() without a waiter is remembered (once), so none is lost.
class Signal {
public:
    explicit Signal(asio::any_io_executor executor);
    ~Signal();
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    void notify();
    awaitable<void> wait();
    /// Returns at the notification or at `deadline`, whichever is first; true when notified.
    awaitable<bool> wait_until(Instant deadline);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace repartee::net
