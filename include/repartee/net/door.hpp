#pragma once
#include "repartee/net/signal.hpp"

#include <boost/asio/post.hpp>

#include <memory>
#include <mutex>
#include <optional>

namespace repartee::net {

/// Where other threads (the database's, other workers') hand something to an event loop. Once closed nothing is handed over any more: the loop may
/// be gone.
class Door {
public:
    template <class Job>
    void post(const asio::any_io_executor& executor, Job job)
    {
        const std::lock_guard lock(mutex_);
        if (open_) asio::post(executor, std::move(job));
    }

    void close()
    {
        const std::lock_guard lock(mutex_);
        open_ = false;
    }

private:
    std::mutex mutex_;
    bool open_ = true;
};

/// What a coroutine waits for and another thread brings. Lives and is touched on the coroutine's loop only; the other thread holds it weakly, and
/// never locks it itself: its Signal must not be destroyed elsewhere.
template <class T>
struct Awaited {
    explicit Awaited(asio::any_io_executor executor) : came(std::move(executor)) {}
    Signal came;
    std::optional<T> value;
};

template <class T>
void bring(Door& door, const asio::any_io_executor& executor, std::weak_ptr<Awaited<T>> to, T value)
{
    door.post(executor, [to = std::move(to), value = std::move(value)]() mutable {
        const auto awaited = to.lock();
        if (!awaited) return;
        awaited->value.emplace(std::move(value));
        awaited->came.notify();
    });
}

}  // namespace repartee::net
