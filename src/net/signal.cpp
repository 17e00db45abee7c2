#include "repartee/net/signal.hpp"

#include <boost/asio/append.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cassert>
#include <mutex>
#include <optional>
#include <utility>

namespace repartee::net {
namespace {

/// The concrete handler: no type erasure, no allocation. (Asio 1.26's any_completion_handler wraps itself without end when a lambda
/// captures it.)
using Waiter = asio::async_result<asio::use_awaitable_t<>, void(bool)>::handler_type;

struct Link {
    Link* previous = nullptr;
    Link* next = nullptr;
    std::optional<Waiter> waiter;
};

/// Knows every Signal of one io_context. A suspended coroutine often owns the very Signal whose state owns the coroutine; when the
/// io_context ends, somebody outside of that ring has to let go of it.
class SignalService : public asio::execution_context::service {
public:
    inline static asio::execution_context::id id;

    explicit SignalService(asio::execution_context& context) : asio::execution_context::service(context) {}

    void add(Link& link)
    {
        const std::lock_guard lock(mutex_);
        link.next = first_;
        if (first_) first_->previous = &link;
        first_ = &link;
    }

    void remove(Link& link)
    {
        const std::lock_guard lock(mutex_);
        if (link.previous) link.previous->next = link.next;
        if (link.next) link.next->previous = link.previous;
        if (first_ == &link) first_ = link.next;
    }

private:
    void shutdown() override
    {
        while (auto waiter = take_any_waiter()) {
            // Destroyed here, outside of the lock: its coroutine may own Signals that leave the list.
        }
    }

    std::optional<Waiter> take_any_waiter()
    {
        const std::lock_guard lock(mutex_);
        for (Link* link = first_; link; link = link->next)
            if (link->waiter) return std::exchange(link->waiter, std::nullopt);
        return std::nullopt;
    }

    std::mutex mutex_;
    Link* first_ = nullptr;
};

}  // namespace

struct Signal::State : Link, std::enable_shared_from_this<Signal::State> {
    asio::any_io_executor executor;
    SignalService& service;
    asio::steady_timer timer;
    Instant deadline = Instant::max();  ///< the waiter's
    Instant armed_for = Instant::max();
    unsigned arming = 0;
    bool notified = false;

    explicit State(asio::any_io_executor on)
        : executor(std::move(on)),
          service(asio::use_service<SignalService>(asio::query(executor, asio::execution::context))),
          timer(executor)
    {
        service.add(*this);
    }
    ~State() { service.remove(*this); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void wake(bool by_notification)
    {
        // Posted, so that notify() never runs the other coroutine inside of its caller.
        Waiter taken = std::move(*waiter);
        waiter.reset();
        asio::post(executor, asio::append(std::move(taken), by_notification));
    }

    /// A timer armed for an earlier instant stays as it is and re-arms itself when it fires: most waits end by a notification, and
    /// then cost no timer operation.
    void arm()
    {
        if (armed_for <= deadline) return;
        armed_for = deadline;
        timer.expires_at(deadline);
        timer.async_wait([self = shared_from_this(), mine = ++arming](boost::system::error_code) { self->on_timer(mine); });
    }

    void on_timer(unsigned which)
    {
        if (which != arming) return;
        armed_for = Instant::max();
        if (!waiter || deadline == Instant::max()) return;
        if (std::chrono::steady_clock::now() < deadline) return arm();
        wake(false);
    }

    void disarm()
    {
        ++arming;
        armed_for = Instant::max();
        timer.cancel();
    }
};

namespace {

template <class State>
struct StoreWaiter {
    State* state;
    void operator()(Waiter waiter) const
    {
        assert(!state->waiter && "one coroutine at a time waits for a Signal");
        state->waiter.emplace(std::move(waiter));
        state->arm();
    }
};

template <class State>
awaitable<bool> wait_for(std::shared_ptr<State> state, Instant deadline)
{
    if (std::exchange(state->notified, false)) co_return true;
    const bool no_time_left = deadline != Instant::max() && deadline <= std::chrono::steady_clock::now();
    if (no_time_left) co_return false;
    state->deadline = deadline;
    const StoreWaiter<State> store{state.get()};
    const bool notified = co_await asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(store, asio::use_awaitable);
    co_return notified;
}

template <class State>
awaitable<void> wait_without_limit(std::shared_ptr<State> state)
{
    const bool notified = co_await wait_for(state, Instant::max());
    static_cast<void>(notified);
}

}  // namespace

Signal::Signal(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

Signal::~Signal()
{
    if (state_->waiter) state_->wake(false);
    state_->disarm();
}

void Signal::notify()
{
    if (state_->waiter) return state_->wake(true);
    state_->notified = true;
}

// Neither is a member coroutine: the wait goes on safely, with the state, when the Signal is destroyed under it.
awaitable<void> Signal::wait() { return wait_without_limit(state_); }

awaitable<bool> Signal::wait_until(Instant deadline) { return wait_for(state_, deadline); }

}  // namespace repartee::net
