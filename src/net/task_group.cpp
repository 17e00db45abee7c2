#include "repartee/net/task_group.hpp"

#include "repartee/base/log.hpp"
#include "repartee/net/signal.hpp"

#include <boost/asio/co_spawn.hpp>

#include <exception>

namespace repartee::net {

struct TaskGroup::State {
    asio::any_io_executor executor;
    const char* name;
    std::function<void()> on_failure;
    Signal ended;
    std::size_t running = 0;

    State(asio::any_io_executor on, const char* named, std::function<void()> failed)
        : executor(std::move(on)), name(named), on_failure(std::move(failed)), ended(executor)
    {
    }

    void on_end(std::exception_ptr failure)
    {
        --running;
        if (failure) log_failure(failure);
        if (failure && on_failure) on_failure();
        if (running == 0) ended.notify();
    }

    void log_failure(const std::exception_ptr& failure) const
    {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& e) {
            log::error("task.failed", {{"group", name}, {"error", e.what()}});
        } catch (...) {
            log::error("task.failed", {{"group", name}, {"error", "an exception that is no std::exception"}});
        }
    }

    static awaitable<void> wait_all(std::shared_ptr<State> state)
    {
        while (state->running != 0) co_await state->ended.wait();
    }
};

TaskGroup::TaskGroup(asio::any_io_executor executor, const char* name, std::function<void()> on_failure)
    : state_(std::make_shared<State>(std::move(executor), name, std::move(on_failure)))
{
}

// What outlives the group, a child that the event loop destroys, must not call back into who owned it.
TaskGroup::~TaskGroup() { state_->on_failure = nullptr; }

void TaskGroup::spawn(awaitable<void> child)
{
    ++state_->running;
    asio::co_spawn(state_->executor, std::move(child), [state = state_](std::exception_ptr failure) { state->on_end(failure); });
}

awaitable<void> TaskGroup::wait_all() { return State::wait_all(state_); }

std::size_t TaskGroup::running() const { return state_->running; }

}  // namespace repartee::net
