#pragma once
#include "repartee/net/awaitable.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <exception>
#include <optional>
#include <stdexcept>

namespace repartee::test {

/// Runs one coroutine on `context` until it is over.
template <class T>
T run(asio::io_context& context, awaitable<T> task)
{
    std::optional<T> value;
    asio::co_spawn(context, std::move(task), [&](std::exception_ptr failure, T result) {
        if (failure) std::rethrow_exception(failure);
        value.emplace(std::move(result));
    });
    context.restart();
    while (!value && context.run_one() != 0) {}
    if (!value) throw std::logic_error("the coroutine never ended");
    return std::move(*value);
}

template <class T>
T run(awaitable<T> task)
{
    asio::io_context context;
    return run(context, std::move(task));
}

/// For REQUIRE: shows the error's message when there is one.
template <class T>
bool ok(const Result<T>& result)
{
    if (!result) UNSCOPED_INFO(result.error().message);
    return result.has_value();
}

}  // namespace repartee::test
