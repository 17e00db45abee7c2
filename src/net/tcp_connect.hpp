#pragma once
#include "repartee/net/awaitable.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <stop_token>
#include <string>

namespace repartee::net {

/// Connects by name or address; `limit` covers the lookup and all addresses together.
/// A stop ends it at once. Code::timeout, Code::closed, Code::invalid_value (the port), Code::cancelled.
Task<asio::ip::tcp::socket> tcp_connect(std::string host, std::string port, std::chrono::milliseconds limit, std::stop_token stop = {});

/// For people: "host:443", "[::1]:443".
std::string host_and_port(const std::string& host, const std::string& port);

}  // namespace repartee::net
