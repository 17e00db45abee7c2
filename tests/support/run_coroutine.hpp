#pragma once
#include "repartee/net/awaitable.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace repartee::testing {

/// Runs the coroutine on an io_context of its own until it ends, and returns its value or throws what it threw.
/// What it left running is destroyed with the io_context. A coroutine that hangs fails the test after 20 s.
template <class T>
T run_coroutine(awaitable<T> coroutine)
{
    using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
    // The value may own sockets: it must not outlive the io_context in a test that throws.
    asio::io_context context(1);
    bool ended = false;
    std::exception_ptr failure;
    std::optional<Value> value;
    const auto on_end = [&](std::exception_ptr thrown, auto&&... result) {
        ended = true;
        failure = thrown;
        if constexpr (sizeof...(result) == 1)
            if (!thrown) value.emplace(std::move(result)...);
        context.stop();
    };
    asio::co_spawn(context, std::move(coroutine), on_end);
    context.run_for(std::chrono::seconds(20));
    if (!ended) throw std::runtime_error("the coroutine did not end: it waits for something that never comes, or for over 20 s");
    if (failure) std::rethrow_exception(failure);
    if constexpr (!std::is_void_v<T>) return std::move(*value);
}

}  // namespace repartee::testing
