#include "repartee/providers/gate.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <mutex>

namespace repartee::providers {
namespace {

struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    bool admitted = false;
};

}  // namespace

struct Gate::State {
    std::mutex mutex;
    std::size_t free_places;
    std::deque<std::shared_ptr<Waiter>> waiting;

    explicit State(std::size_t places) : free_places(places) {}

    void leave()
    {
        const std::lock_guard lock(mutex);
        leave_locked();
    }

    // Under the lock throughout: a waiter's executor lives at least until its ticket has taken the lock to go.
    void leave_locked()
    {
        if (waiting.empty()) {
            ++free_places;
            return;
        }
        auto next = std::move(waiting.front());
        waiting.pop_front();
        next->admitted = true;
        const auto executor = next->timer.get_executor();
        asio::post(executor, [next = std::move(next)] { next->timer.cancel(); });
    }
};

/// A place in the queue, or inside. Gives back whatever it holds.
struct Gate::Ticket {
    Ticket(std::shared_ptr<State> state_, const asio::any_io_executor& executor)
        : state(std::move(state_)), waiter(std::make_shared<Waiter>(executor))
    {
        const std::lock_guard lock(state->mutex);
        if (state->free_places == 0) {
            state->waiting.push_back(waiter);
            return;
        }
        --state->free_places;
        waiter->admitted = true;
    }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket()
    {
        if (!state) return;
        const std::lock_guard lock(state->mutex);
        if (waiter->admitted)
            state->leave_locked();
        else
            std::erase(state->waiting, waiter);
    }

    bool admitted() const
    {
        const std::lock_guard lock(state->mutex);
        return waiter->admitted;
    }

    std::shared_ptr<State> state;
    std::shared_ptr<Waiter> waiter;
};

Gate::Pass::Pass(std::shared_ptr<State> state) : state_(std::move(state)) {}

Gate::Pass::~Pass()
{
    if (state_) state_->leave();
}

Gate::Gate(std::size_t places) : state_(std::make_shared<State>(places)) {}

Task<Gate::Pass> Gate::enter(Stop stop, std::chrono::milliseconds limit)
{
    const auto executor = co_await asio::this_coro::executor;
    Ticket ticket(state_, executor);
    const auto deadline = std::chrono::steady_clock::now() + limit;
    const auto wake = [&ticket] { ticket.waiter->timer.cancel(); };
    const std::stop_callback on_stop(stop, wake);
    while (!ticket.admitted()) {
        if (stop.stop_requested()) co_return Error{Code::cancelled, "Stopped while waiting for a free place."};
        if (std::chrono::steady_clock::now() >= deadline)
            co_return Error{Code::busy, "All places at this service are in use. Try again in a moment."};
        ticket.waiter->timer.expires_at(deadline);
        co_await ticket.waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_return Pass(std::move(ticket.state));
}

}  // namespace repartee::providers
