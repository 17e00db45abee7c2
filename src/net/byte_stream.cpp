#include "repartee/net/byte_stream.hpp"

#include "repartee/net/deadline.hpp"
#include "repartee/net/tls_context.hpp"
#include "tcp_connect.hpp"
#include "tls_state.hpp"

#include <boost/asio/append.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <optional>
#include <tuple>
#include <vector>

namespace repartee::net {
namespace {

namespace ssl = asio::ssl;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

/// No operation listens to the cancellation of its coroutine: half a TLS record cannot be taken back. Owners use cancel_read() and close().
auto cancelled_through(asio::cancellation_slot slot) { return asio::bind_cancellation_slot(slot, asio::as_tuple(asio::use_awaitable)); }
auto uncancelled() { return cancelled_through(asio::cancellation_slot()); }

/// The socket below TLS. Cancelling acts here, on the socket's read alone: Asio's cancellation of a TLS operation could hit a write that
/// this operation makes on the side (an answer to a key update), and the stream would be broken.
class Transport {
public:
    using executor_type = tcp::socket::executor_type;
    using lowest_layer_type = tcp::socket::lowest_layer_type;

    explicit Transport(tcp::socket socket) : socket_(std::move(socket)) {}

    executor_type get_executor() { return socket_.get_executor(); }
    lowest_layer_type& lowest_layer() { return socket_.lowest_layer(); }
    const lowest_layer_type& lowest_layer() const { return socket_.lowest_layer(); }
    tcp::socket& socket() { return socket_; }
    const tcp::socket& socket() const { return socket_; }

    template <class Buffers, class Handler>
    void async_read_some(const Buffers& buffers, Handler&& handler)
    {
        if (cancel_asked_ && asio::buffer_size(buffers) != 0) {
            const error_code aborted = asio::error::operation_aborted;
            return asio::post(socket_.get_executor(), asio::append(std::forward<Handler>(handler), aborted, std::size_t{0}));
        }
        socket_.async_read_some(buffers, asio::bind_cancellation_slot(cancel_.slot(), std::forward<Handler>(handler)));
    }

    template <class Buffers, class Handler>
    void async_write_some(const Buffers& buffers, Handler&& handler)
    {
        socket_.async_write_some(buffers, std::forward<Handler>(handler));
    }

    asio::cancellation_slot cancel_slot() { return cancel_.slot(); }

    void cancel_read()
    {
        // Kept in mind too: the socket's read may have ended just now, with a part of a TLS record, and would be followed by another.
        cancel_asked_ = true;
        cancel_.emit(asio::cancellation_type::terminal);
    }
    void allow_reads() { cancel_asked_ = false; }

private:
    tcp::socket socket_;
    asio::cancellation_signal cancel_;
    bool cancel_asked_ = false;
};

Error closed_by_us() { return Error{Code::closed, "The connection is closed. Connect again."}; }

Error stream_error(const error_code& ec)
{
    if (ec == asio::error::eof || ec == ssl::error::stream_truncated)
        return Error{Code::closed, "The peer closed the connection. Connect again."};
    if (ec.category() == asio::error::get_ssl_category())
        return Error{Code::tls, "TLS failed: " + ec.message() + ". Connect again; if it stays, something between damages the data."};
    return Error{Code::closed, "The connection broke: " + ec.message() + ". Connect again."};
}

bool is_ip_address(const std::string& host)
{
    error_code ec;
    asio::ip::make_address(host, ec);
    return !ec;
}

void expect_host(SSL* ssl, const std::string& host)
{
    X509_VERIFY_PARAM* const expected = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_ip_address(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str());
        return;
    }
    X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size());
    SSL_set_tlsext_host_name(ssl, host.c_str());
}

template <class T>
Task<T> not_connected()
{
    co_return closed_by_us();
}

awaitable<void> nothing_to_do() { co_return; }

}  // namespace

struct ByteStream::State {
    Transport transport;
    std::optional<ssl::stream<Transport&>> tls;
    std::string remote_host;
    std::uint16_t remote_port = 0;
    bool secured = false;  ///< the handshake is done
    bool reading = false;
    bool writing = false;
    bool closing = false;

    explicit State(tcp::socket connected) : transport(std::move(connected))
    {
        error_code ignored;
        socket().set_option(tcp::no_delay(true), ignored);
        const auto remote = socket().remote_endpoint(ignored);
        auto address = remote.address();
        if (address.is_v6() && address.to_v6().is_v4_mapped()) address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
        remote_host = address.to_string();
        remote_port = remote.port();
    }

    tcp::socket& socket() { return transport.socket(); }

    void cancel_read()
    {
        if (reading) transport.cancel_read();
    }

    void close()
    {
        closing = true;
        error_code ignored;
        socket().close(ignored);
    }

    Error error_of(const error_code& ec) const
    {
        if (closing) return closed_by_us();
        if (ec == asio::error::operation_aborted) return Error{Code::cancelled, "The read was cancelled by its owner."};
        return stream_error(ec);
    }

    static Task<std::size_t> read_some(std::shared_ptr<State> state, asio::mutable_buffer buffer);
    static Task<> write(std::shared_ptr<State> state, asio::const_buffer bytes);
    static Task<> handshake(std::shared_ptr<State> state, ssl::stream_base::handshake_type role, std::string host, milliseconds limit);
    static awaitable<void> shutdown(std::shared_ptr<State> state, milliseconds limit);
    Error handshake_error(const error_code& ec, const std::string& host, bool timed_out, milliseconds limit);
};

Task<std::size_t> ByteStream::State::read_some(std::shared_ptr<State> state, asio::mutable_buffer buffer)
{
    if (state->closing) co_return closed_by_us();
    state->reading = true;
    state->transport.allow_reads();
    std::tuple<error_code, std::size_t> outcome;
    if (state->tls) {
        outcome = co_await state->tls->async_read_some(buffer, uncancelled());
    } else {
        outcome = co_await state->socket().async_read_some(buffer, cancelled_through(state->transport.cancel_slot()));
    }
    state->reading = false;
    const auto& [ec, n] = outcome;
    if (ec) co_return state->error_of(ec);
    co_return n;
}

Task<> ByteStream::State::write(std::shared_ptr<State> state, asio::const_buffer bytes)
{
    if (state->closing) co_return closed_by_us();
    state->writing = true;
    std::tuple<error_code, std::size_t> outcome;
    if (state->tls) {
        outcome = co_await asio::async_write(*state->tls, bytes, uncancelled());
    } else {
        outcome = co_await asio::async_write(state->socket(), bytes, uncancelled());
    }
    state->writing = false;
    const error_code ec = std::get<0>(outcome);
    if (ec) co_return state->error_of(ec);
    co_return Result<void>();
}

Error ByteStream::State::handshake_error(const error_code& ec, const std::string& host, bool timed_out, milliseconds limit)
{
    const std::string peer = host_and_port(host.empty() ? remote_host : host, std::to_string(remote_port));
    if (timed_out)
        return Error{Code::timeout,
                     fmt::format("The TLS handshake with {} was not done within {} ms. Check that it speaks TLS on this port, or raise "
                                 "the time limit.",
                                 peer, limit.count())};
    if (closing) return closed_by_us();
    const long verdict = SSL_get_verify_result(tls->native_handle());
    if (verdict != X509_V_OK)
        return Error{
            Code::tls,
            "The certificate of " + peer + " was refused: " + X509_verify_cert_error_string(verdict) +
                ". Check the host name in the URL; for a private CA or a self-signed certificate, add its CA with the ca_file setting."};
    if (ec.category() == asio::error::get_ssl_category())
        return Error{Code::tls, "The TLS handshake with " + peer + " failed: " + ec.message() +
                                    ". Check that it speaks TLS 1.2 or newer on this port."};
    const std::string reason = ec == ssl::error::stream_truncated ? std::string("the peer closed the connection") : ec.message();
    return Error{Code::closed, "The TLS handshake with " + peer + " broke: " + reason + ". Check that it speaks TLS on this port."};
}

Task<> ByteStream::State::handshake(std::shared_ptr<State> state, ssl::stream_base::handshake_type role, std::string host,
                                    milliseconds limit)
{
    error_code ec;
    bool timed_out = false;
    state->transport.allow_reads();
    {
        const Deadline deadline(state->socket().get_executor(), limit, [&state] { state->close(); });
        const auto outcome = co_await state->tls->async_handshake(role, uncancelled());
        ec = std::get<0>(outcome);
        timed_out = deadline.expired();
    }
    if (!ec && !state->closing) {
        state->secured = true;
        co_return Result<void>();
    }
    const Error error = state->handshake_error(ec, host, timed_out, limit);
    state->close();
    co_return error;
}

awaitable<void> ByteStream::State::shutdown(std::shared_ptr<State> state, milliseconds limit)
{
    // What is still being written cannot be followed by an orderly end.
    const bool orderly = !state->closing && !state->writing;
    state->closing = true;
    state->cancel_read();
    if (orderly) {
        const Deadline deadline(state->socket().get_executor(), limit, [&state] { state->close(); });
        if (state->secured) {
            // Our close_notify only; waiting for the peer's would cost a round trip and buys nothing here.
            SSL_set_shutdown(state->tls->native_handle(), SSL_RECEIVED_SHUTDOWN);
            const auto outcome = co_await state->tls->async_shutdown(uncancelled());
            static_cast<void>(outcome);
        }
        error_code ec;
        state->socket().shutdown(tcp::socket::shutdown_send, ec);
        // Bytes left unread would turn the close into a reset, and a reset may destroy what the peer has not read yet.
        std::vector<char> unread(2048);
        while (!ec) {
            const auto outcome = co_await state->socket().async_read_some(asio::buffer(unread), uncancelled());
            ec = std::get<0>(outcome);
        }
    }
    state->close();
}

ByteStream::~ByteStream() { close(); }
ByteStream::ByteStream(ByteStream&&) noexcept = default;

ByteStream& ByteStream::operator=(ByteStream&& other) noexcept
{
    if (this == &other) return *this;
    close();
    state_ = std::move(other.state_);
    return *this;
}

ByteStream ByteStream::adopt_tcp(asio::any_io_executor executor, int native_socket)
{
    ByteStream stream;
    sockaddr_storage local{};
    socklen_t local_bytes = sizeof local;
    const bool known = ::getsockname(native_socket, reinterpret_cast<sockaddr*>(&local), &local_bytes) == 0;
    const auto protocol = local.ss_family == AF_INET6 ? tcp::v6() : tcp::v4();
    tcp::socket socket(std::move(executor));
    error_code ec;
    if (known) socket.assign(protocol, native_socket, ec);
    if (!known || ec) {
        ::close(native_socket);
        return stream;
    }
    stream.state_ = std::make_shared<State>(std::move(socket));
    return stream;
}

Task<ByteStream> ByteStream::connect(std::string host, std::string port, milliseconds limit)
{
    auto socket = co_await tcp_connect(std::move(host), std::move(port), limit);
    if (!socket) co_return socket.error();
    ByteStream stream;
    stream.state_ = std::make_shared<State>(std::move(*socket));
    co_return stream;
}

bool ByteStream::is_open() const { return state_ && !state_->closing && state_->socket().is_open(); }
bool ByteStream::is_tls() const { return state_ && state_->secured; }
bool ByteStream::tls_resumed() const { return is_tls() && SSL_session_reused(state_->tls->native_handle()) == 1; }
std::string ByteStream::remote_address() const { return state_ ? state_->remote_host : std::string(); }
asio::any_io_executor ByteStream::executor() const { return state_ ? state_->socket().get_executor() : asio::any_io_executor(); }

// None of these is a coroutine itself: an operation keeps the state alive, not the ByteStream, which may move or go meanwhile.
Task<> ByteStream::tls_handshake_as_client(const TlsContext& context, std::string host, milliseconds limit)
{
    if (!is_open()) return not_connected<void>();
    state_->tls.emplace(state_->transport, context.state().context);
    SSL* const native = state_->tls->native_handle();
    expect_host(native, host);
    if (const auto& sessions = context.state().sessions)
        use_session_cache(native, sessions, host_and_port(host, std::to_string(state_->remote_port)));
    return State::handshake(state_, ssl::stream_base::client, std::move(host), limit);
}

Task<> ByteStream::tls_handshake_as_server(const TlsContext& context, milliseconds limit)
{
    if (!is_open()) return not_connected<void>();
    state_->tls.emplace(state_->transport, context.state().context);
    return State::handshake(state_, ssl::stream_base::server, {}, limit);
}

Task<std::size_t> ByteStream::read_some(std::span<std::byte> buffer)
{
    if (!state_) return not_connected<std::size_t>();
    return State::read_some(state_, asio::buffer(buffer.data(), buffer.size()));
}

Task<> ByteStream::write(std::span<const std::byte> bytes)
{
    if (!state_) return not_connected<void>();
    return State::write(state_, asio::buffer(bytes.data(), bytes.size()));
}

Task<> ByteStream::write(std::string_view text) { return write(std::as_bytes(std::span(text))); }

void ByteStream::cancel_read()
{
    if (state_) state_->cancel_read();
}

awaitable<void> ByteStream::shutdown(milliseconds limit)
{
    if (!state_) return nothing_to_do();
    return State::shutdown(state_, limit);
}

void ByteStream::close()
{
    if (state_) state_->close();
}

}  // namespace repartee::net
