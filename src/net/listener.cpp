#include "repartee/net/listener.hpp"

#include "repartee/base/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <sys/socket.h>

namespace repartee::net {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds back_off{100};
/// As many connections are taken at once before the other work of this thread has its turn.
constexpr int accepts_in_a_row_max = 16;

const auto token = asio::as_tuple(asio::use_awaitable);

Error bad_address(std::string_view text)
{
    return Error{Code::invalid_value,
                 fmt::format("'{}' is no address to listen on. Write HOST:PORT, such as 127.0.0.1:8000 or [::1]:8000.", text)};
}

std::string shown(const HostPort& where)
{
    const bool is_v6 = where.host.find(':') != std::string::npos;
    return is_v6 ? fmt::format("[{}]:{}", where.host, where.port) : fmt::format("{}:{}", where.host, where.port);
}

Error could_not_listen(const HostPort& where, const error_code& cause)
{
    return Error{Code::invalid_value, "Could not listen on " + shown(where) + ": " + cause.message() +
                                          ". Choose another address or port, or stop the program that has it."};
}

tcp::endpoint find_endpoint(const asio::any_io_executor& executor, const HostPort& where, error_code& ec)
{
    const auto address = asio::ip::make_address(where.host, ec);
    if (!ec) return {address, where.port};
    tcp::resolver resolver(executor);
    const auto found =
        resolver.resolve(where.host, std::to_string(where.port), tcp::resolver::passive | tcp::resolver::numeric_service, ec);
    if (ec) return {};
    for (const auto& each : found)
        if (each.endpoint().address().is_v4()) return each.endpoint();
    return found.begin()->endpoint();
}

enum class Failure { nothing_yet, this_one_only, out_of_resources, fatal };

Failure judge(int error)
{
    switch (error) {
    case EAGAIN: return Failure::nothing_yet;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return Failure::out_of_resources;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
    case EFAULT: return Failure::fatal;
    default: return Failure::this_one_only;  // Linux reports what already happened to the new connection
    }
}

}  // namespace

Result<HostPort> parse_host_port(std::string_view text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return bad_address(text);
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    const bool has_colon = host.find(':') != std::string_view::npos;
    if (host.empty() || bracketed != has_colon || host.find_first_of("[] \t/@") != std::string_view::npos) return bad_address(text);
    HostPort parsed{std::string(host), 0};
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed.port);
    if (failure != std::errc() || end != digits.data() + digits.size()) return bad_address(text);
    return parsed;
}

struct Listener::State {
    tcp::acceptor acceptor;
    asio::steady_timer pause;
    std::uint16_t port = 0;
    int accepts_in_a_row = 0;
    bool closed = false;

    explicit State(const asio::any_io_executor& executor) : acceptor(executor), pause(executor) {}

    error_code open(const tcp::endpoint& endpoint)
    {
        error_code ec;
        acceptor.open(endpoint.protocol(), ec);
        if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
        if (!ec) acceptor.bind(endpoint, ec);
        if (!ec) acceptor.listen(tcp::acceptor::max_listen_connections, ec);
        if (!ec) acceptor.native_non_blocking(true, ec);
        if (!ec) port = acceptor.local_endpoint(ec).port();
        return ec;
    }

    void close()
    {
        closed = true;
        error_code ignored;
        acceptor.close(ignored);
        pause.cancel();
    }

    static Task<int> accept(std::shared_ptr<State> state);
};

Task<int> Listener::State::accept(std::shared_ptr<State> state)
{
    while (!state->closed) {
        // Asio's own accept would bind the connection to this thread's io_context; the caller decides which worker gets it.
        int error = EAGAIN;
        if (state->accepts_in_a_row < accepts_in_a_row_max) {
            const int native_socket = ::accept4(state->acceptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            error = errno;
            ++state->accepts_in_a_row;
            if (native_socket >= 0) co_return native_socket;
        }
        const Failure failure = judge(error);
        if (failure == Failure::this_one_only) continue;
        state->accepts_in_a_row = 0;
        if (failure == Failure::fatal)
            co_return Error{Code::internal, "Accepting connections failed: " +
                                                error_code(error, boost::system::system_category()).message() + ". Restart."};
        if (failure == Failure::nothing_yet) {
            co_await state->acceptor.async_wait(tcp::acceptor::wait_read, token);
            continue;
        }
        log::warn("listener.out_of_resources", {{"error", error_code(error, boost::system::system_category()).message()},
                                                {"mend", "raise the limit of open files (ulimit -n) or lower the connection cap"}});
        state->pause.expires_after(back_off);
        co_await state->pause.async_wait(token);
    }
    co_return Error{Code::closed, "The listener was closed."};
}

Result<Listener> Listener::bind(asio::any_io_executor executor, const HostPort& where)
{
    error_code ec;
    const auto endpoint = find_endpoint(executor, where, ec);
    if (ec) return could_not_listen(where, ec);
    auto state = std::make_shared<State>(executor);
    ec = state->open(endpoint);
    if (ec) return could_not_listen(where, ec);
    return Listener(std::move(state));
}

Listener::Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}
Listener::Listener(Listener&&) noexcept = default;
Listener::~Listener() { close(); }

std::uint16_t Listener::port() const { return state_->port; }
Task<int> Listener::accept() { return State::accept(state_); }

void Listener::close()
{
    if (state_) state_->close();
}

}  // namespace repartee::net
