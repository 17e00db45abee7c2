#pragma once
#include "repartee/base/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace repartee {

namespace asio = boost::asio;

/// A coroutine that ends in a value or an expected failure.
template <class T = void>
using Task = asio::awaitable<Result<T>>;

using asio::awaitable;

}  // namespace repartee
