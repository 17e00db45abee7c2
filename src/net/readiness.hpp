#pragma once
#include "repartee/net/awaitable.hpp"

#include <memory>

namespace repartee::net {

/// When a non-blocking socket is worth another try. The socket is registered with the event loop once, edge-triggered, for its whole life: waiting
/// costs no system call, and no event is lost while nobody waits. One waiter for each direction at a time.
class Readiness {
public:
    Readiness(asio::any_io_executor executor, int native_socket);
    ~Readiness();
    Readiness(const Readiness&) = delete;
    Readiness& operator=(const Readiness&) = delete;

    /// False: the event loop could not take the socket (out of memory, or of watches); no wait would ever end.
    bool is_registered() const;
    /// False from drained() to the next arrival.
    bool readable() const;
    void drained();
    /// As if something had arrived. An error that follows the last bytes at once comes with their event, and the read of the bytes does not tell.
    void look_again();

    /// False: cancelled, or forget() was called.
    awaitable<bool> wait_readable();
    awaitable<bool> wait_writable();
    void cancel_wait_readable();
    bool is_awaited() const;  ///< to be readable

    /// To be called before the descriptor is closed; ends both waits.
    void forget();
    /// The same for a descriptor that stays open: it may then be registered with another event loop.
    void leave();

private:
    struct State;
    std::shared_ptr<State> state_;  ///< shared with the event loop
};

}  // namespace repartee::net
