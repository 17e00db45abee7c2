#include "readiness.hpp"

#include <boost/asio/append.hpp>
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/version.hpp>

#include <cassert>
#include <optional>
#include <utility>

// Asio's public interface can wait for a socket only at the price of a system call each time (an epoll_ctl, or a read that finds nothing). One call a
// frame less is worth leaning on its reactor's internals here, and only here. They are those of the release that Debian 12 has.
#if BOOST_VERSION != 108100
#error "src/net/readiness.cpp uses internals of Boost.Asio 1.81: check Readiness::State::Op against this release's reactive_wait_op.hpp."
#endif

namespace repartee::net {
namespace {

namespace detail = asio::detail;
using boost::system::error_code;

/// The concrete handler: no type erasure, no allocation.
using Waiter = asio::async_result<asio::use_awaitable_t<>, void(bool)>::handler_type;

}  // namespace

struct Readiness::State : std::enable_shared_from_this<Readiness::State> {
    /// An operation in the reactor's queue of one direction. It keeps the state alive while it is there.
    struct Op : detail::reactor_op {
        State& state;
        const int direction;
        std::shared_ptr<State> queued{};
        bool queueing = false;
        std::optional<Waiter> waiter{};

        Op(State& owner, int which) : reactor_op(error_code(), &Op::perform, &Op::complete), state(owner), direction(which) {}

        // The reactor tries an operation before it queues it; this one only ever ends by an event.
        static status perform(reactor_op* base) { return static_cast<Op*>(base)->queueing ? not_done : done; }

        static void complete(void* loop, detail::operation* base, const error_code&, std::size_t)
        {
            Op& op = *static_cast<Op*>(base);
            const std::shared_ptr<State> keep = std::move(op.queued);
            if (loop) return keep->on_event(op);
            // The event loop is going away, and the waiting coroutine with it.
            const auto abandoned = std::exchange(op.waiter, std::nullopt);
        }

        void enqueue()
        {
            ec_ = error_code();
            queued = state.shared_from_this();
            queueing = true;
            state.reactor.start_op(direction, state.descriptor, state.registration, this, false, true);
            queueing = false;
        }

        void resume(bool ready)
        {
            Waiter taken = std::move(*waiter);
            waiter.reset();
            std::move(taken)(ready);
        }
    };

    asio::any_io_executor executor;
    detail::reactor& reactor;
    const int descriptor;
    detail::reactor::per_descriptor_data registration{};
    Op read{*this, detail::reactor::read_op}, write{*this, detail::reactor::write_op};
    bool readable = true;
    bool registered = false;

    State(asio::any_io_executor on, int native_socket)
        : executor(std::move(on)),
          reactor(asio::use_service<detail::reactor>(asio::query(executor, asio::execution::context))),
          descriptor(native_socket)
    {
        reactor.init_task();
        registered = reactor.register_descriptor(descriptor, registration) == 0;
    }

    void on_event(Op& op)
    {
        if (registered && &op == &read) {
            readable = true;
            read.enqueue();
        }
        if (op.waiter) op.resume(registered);
    }

    /// Posted, so that the other coroutine never runs inside of the caller.
    void resume_later(Op& op, bool ready)
    {
        Waiter taken = std::move(*op.waiter);
        op.waiter.reset();
        asio::post(executor, asio::append(std::move(taken), ready));
    }

    void forget(bool is_closed_next)
    {
        if (!std::exchange(registered, false)) return;
        // Both operations come back through complete(), later.
        reactor.deregister_descriptor(descriptor, registration, is_closed_next);
        reactor.cleanup_descriptor_data(registration);
    }
};

namespace {

template <class Op>
struct StoreWaiter {
    Op* op;
    void operator()(Waiter waiter) const
    {
        assert(!op->waiter && "one coroutine at a time waits for a direction of a socket");
        op->waiter.emplace(std::move(waiter));
        if (!op->queued) op->enqueue();
    }
};

awaitable<bool> not_registered() { co_return false; }

template <class Op>
awaitable<bool> wait_for(Op& op)
{
    return asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(StoreWaiter<Op>{&op}, asio::use_awaitable);
}

}  // namespace

Readiness::Readiness(asio::any_io_executor executor, int native_socket) : state_(std::make_shared<State>(std::move(executor), native_socket))
{
    if (state_->registered) state_->read.enqueue();
}

Readiness::~Readiness() { forget(); }

bool Readiness::is_registered() const { return state_->registered; }
bool Readiness::readable() const { return state_->readable; }
void Readiness::drained() { state_->readable = false; }

void Readiness::look_again()
{
    if (!state_->registered) return;
    state_->readable = true;
    if (state_->read.waiter) state_->resume_later(state_->read, true);
}

awaitable<bool> Readiness::wait_readable() { return state_->registered ? wait_for(state_->read) : not_registered(); }
awaitable<bool> Readiness::wait_writable() { return state_->registered ? wait_for(state_->write) : not_registered(); }

bool Readiness::is_awaited() const { return state_->read.waiter.has_value(); }

void Readiness::cancel_wait_readable()
{
    if (state_->read.waiter) state_->resume_later(state_->read, false);
}

void Readiness::forget() { state_->forget(true); }
void Readiness::leave() { state_->forget(false); }

}  // namespace repartee::net
