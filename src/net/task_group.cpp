#include "repartee/net/task_group.hpp"

#include "repartee/base/log.hpp"
#include "repartee/net/signal.hpp"

#include <boost/asio/co_spawn.hpp>

#include <exception>

namespace repartee::net {

struct TaskGroup::State {
    asio::any_io_executor executor;
    const char* name;
    Signal ended;
    std::size_t running = 0;

    State(asio::any_io_executor on, const char* named) : executor(std::move(on)), name(named), ended(executor) {}

    void on_end(std::exception_ptr failure)
    {
        --running;
        if (failure) log_failure(failure);
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

TaskGroup::TaskGroup(asio::any_io_executor executor, const char* name) : state_(std::make_shared<State>(std::move(executor), name)) {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(awaitable<void> child)
{
    ++state_->running;
    asio::co_spawn(state_->executor, std::move(child), [state = state_](std::exception_ptr failure) { state->on_end(failure); });
}

awaitable<void> TaskGroup::wait_all() { return State::wait_all(state_); }

std::size_t TaskGroup::running() const { return state_->running; }

}  // namespace repartee::net
