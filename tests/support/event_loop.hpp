#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <future>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>

namespace repartee::testing {

/// An event loop on a thread of its own, as a worker has it.
class EventLoop {
public:
    EventLoop() = default;
    ~EventLoop()
    {
        context_.stop();
        thread_.join();
    }
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    boost::asio::any_io_executor executor() { return context_.get_executor(); }
    std::thread::id thread_id() const { return thread_.get_id(); }

    /// Runs `call` on the loop's thread and waits for what it returns.
    template <class Call>
    auto run(Call call)
    {
        using Value = std::invoke_result_t<Call>;
        std::packaged_task<Value()> task(std::move(call));
        auto result = task.get_future();
        boost::asio::post(context_, [&task] { task(); });
        return result.get();
    }

    /// Starts a coroutine there.
    template <class T>
    std::future<T> start(boost::asio::awaitable<T> coroutine)
    {
        return boost::asio::co_spawn(context_, std::move(coroutine), boost::asio::use_future);
    }

    /// The same, and waits for its end.
    template <class T>
    T run_coroutine(boost::asio::awaitable<T> coroutine)
    {
        return start(std::move(coroutine)).get();
    }

private:
    boost::asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
    std::thread thread_{[this] { context_.run(); }};
};

}  // namespace repartee::testing
