#include "repartee/net/deadline.hpp"

#include <boost/asio/steady_timer.hpp>

namespace repartee::net {

struct Deadline::State {
    asio::steady_timer timer;
    std::function<void()> on_expiry;
    bool armed = true;
    bool expired = false;

    State(asio::any_io_executor executor, std::chrono::milliseconds limit, std::function<void()> action)
        : timer(std::move(executor), limit), on_expiry(std::move(action))
    {
    }
};

Deadline::Deadline(asio::any_io_executor executor, std::chrono::milliseconds limit, std::function<void()> on_expiry)
    : state_(std::make_shared<State>(std::move(executor), limit, std::move(on_expiry)))
{
    state_->timer.async_wait([state = state_](boost::system::error_code) {
        // Asked of the flag, not of the error: an expiry may already be queued when the owner leaves.
        if (!state->armed) return;
        state->armed = false;
        state->expired = true;
        const auto action = std::move(state->on_expiry);
        action();
    });
}

Deadline::~Deadline()
{
    state_->armed = false;
    state_->on_expiry = nullptr;
    state_->timer.cancel();
}

bool Deadline::expired() const { return state_->expired; }

}  // namespace repartee::net
