#include "tcp_connect.hpp"

#include "repartee/base/clock.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/net/signal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <vector>

namespace repartee::net {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr std::size_t addresses_tried_max = 8;

milliseconds remaining(Instant deadline)
{
    return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()));
}

Error bad_port(const std::string& port)
{
    return Error{Code::invalid_value, "'" + port + "' is no TCP port. Give a number from 1 to 65535."};
}

Error unreachable(const std::string& where, const error_code& ec, milliseconds limit)
{
    if (ec == asio::error::timed_out)
        return Error{Code::timeout,
                     fmt::format("Could not reach {} within {} ms. Check the address and the network, or raise the time limit.", where,
                                 limit.count())};
    return Error{Code::closed,
                 "Could not reach " + where + ": " + ec.message() + ". Check that the service runs and that the address is right."};
}

Error stopped() { return Error{Code::cancelled, "The connection attempt was stopped by its owner."}; }

/// Outlives the coroutine that asked: a name lookup cannot be interrupted, so it is left to itself when its time is over.
struct Lookup {
    tcp::resolver resolver;
    Signal answered;
    error_code ec;
    std::vector<tcp::endpoint> endpoints;

    explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), answered(executor) {}
};

void start_lookup(const std::shared_ptr<Lookup>& lookup, const std::string& host, const std::string& port)
{
    lookup->resolver.async_resolve(host, port, tcp::resolver::numeric_service,
                                   [lookup](error_code ec, const tcp::resolver::results_type& results) {
                                       lookup->ec = ec;
                                       for (const auto& result : results)
                                           if (lookup->endpoints.size() < addresses_tried_max)
                                               lookup->endpoints.push_back(result.endpoint());
                                       lookup->answered.notify();
                                   });
}

struct Resolved {
    error_code ec;
    std::vector<tcp::endpoint> endpoints;
};

awaitable<Resolved> resolve(std::string host, std::string port, std::uint16_t port_number, Instant deadline, std::stop_token stop)
{
    Resolved resolved;
    const auto address = asio::ip::make_address(host, resolved.ec);
    if (!resolved.ec) {
        resolved.endpoints.emplace_back(address, port_number);
        co_return resolved;
    }
    const auto executor = co_await asio::this_coro::executor;
    const auto lookup = std::make_shared<Lookup>(executor);
    start_lookup(lookup, host, port);
    const std::stop_callback on_stop(stop, [&lookup] { lookup->answered.notify(); });
    const bool answered = co_await lookup->answered.wait_until(deadline);
    if (!answered || stop.stop_requested()) {
        lookup->resolver.cancel();
        resolved.ec = asio::error::timed_out;
        co_return resolved;
    }
    resolved.ec = lookup->ec;
    resolved.endpoints = lookup->endpoints;
    co_return resolved;
}

awaitable<error_code> connect_one(tcp::socket& socket, tcp::endpoint endpoint, milliseconds limit, std::stop_token stop)
{
    const auto close = [&socket] {
        error_code ignored;
        socket.close(ignored);
    };
    const Deadline deadline(socket.get_executor(), limit, close);
    const std::stop_callback on_stop(stop, close);
    auto [ec] = co_await socket.async_connect(endpoint, asio::as_tuple(asio::use_awaitable));
    if (deadline.expired()) ec = asio::error::timed_out;
    co_return ec;
}

bool parse_port(const std::string& text, std::uint16_t& port)
{
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
    return failure == std::errc() && end == text.data() + text.size() && port != 0;
}

}  // namespace

std::string host_and_port(const std::string& host, const std::string& port)
{
    const bool is_v6 = host.find(':') != std::string::npos;
    return is_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Task<tcp::socket> tcp_connect(std::string host, std::string port, milliseconds limit, std::stop_token stop)
{
    const Instant deadline = std::chrono::steady_clock::now() + limit;
    const std::string where = host_and_port(host, port);
    std::uint16_t port_number = 0;
    if (!parse_port(port, port_number)) co_return bad_port(port);

    const Resolved resolved = co_await resolve(host, port, port_number, deadline, stop);
    if (stop.stop_requested()) co_return stopped();
    if (resolved.ec) co_return unreachable(where, resolved.ec, limit);

    const auto executor = co_await asio::this_coro::executor;
    error_code last = asio::error::timed_out;
    std::size_t untried = resolved.endpoints.size();
    for (const auto& endpoint : resolved.endpoints) {
        // Each gets its share, so that one address that swallows packets leaves time for the next.
        const milliseconds share = remaining(deadline) / static_cast<int>(untried--);
        tcp::socket socket(executor);
        last = co_await connect_one(socket, endpoint, share, stop);
        if (stop.stop_requested()) co_return stopped();
        if (!last) co_return socket;
    }
    co_return unreachable(where, last, limit);
}

}  // namespace repartee::net
