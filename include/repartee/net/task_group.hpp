#pragma once
#include "repartee/net/awaitable.hpp"

#include <functional>
#include <memory>

namespace repartee::net {

/// Children of one coroutine, all on its executor. The owner awaits wait_all() before it leaves the scope that the children use.
/// An exception that leaves a child is logged with the group's name and ends only that child.
class TaskGroup {
public:
    /// `on_failure`: called when a child has ended by an exception, which is also logged.
    TaskGroup(asio::any_io_executor executor, const char* name, std::function<void()> on_failure = {});
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    void spawn(awaitable<void> child);
    awaitable<void> wait_all();
    std::size_t running() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace repartee::net
