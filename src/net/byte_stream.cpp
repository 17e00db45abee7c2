#include "repartee/net/byte_stream.hpp"

#include "repartee/net/deadline.hpp"
#include "repartee/net/tls_context.hpp"
#include "tcp_connect.hpp"
#include "socket.hpp"
#include "tls_channel.hpp"
#include "tls_state.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstring>
#include <optional>
#include <utility>

namespace repartee::net {
namespace {

// So many reads in a row, then it is the turn of the thread's other connections.
constexpr int reads_max = 16;

using std::chrono::milliseconds;
using Outcome = Moved::Outcome;
using Step = TlsChannel::Step;

Error closed_by_us() { return Error{Code::closed, "The connection is closed. Connect again."}; }

Error cancelled_by_owner() { return Error{Code::cancelled, "The read was cancelled by its owner."}; }
Error closed_by_peer() { return Error{Code::closed, "The peer closed the connection. Connect again."}; }

bool is_ip_address(const std::string& host)
{
    boost::system::error_code ec;
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
    Socket socket;
    std::optional<TlsChannel> tls;
    bool secured = false;  ///< the handshake is done
    bool writing = false;
    bool closing = false;
    int reads = 0;  ///< since the last wait
    std::shared_ptr<void> companion;

    State(asio::any_io_executor executor, int native_socket) : socket(std::move(executor), native_socket) {}

    void close()
    {
        closing = true;
        socket.close();
        companion.reset();
    }

    Result<std::size_t> try_read(std::span<std::byte> buffer)
    {
        if (closing) return closed_by_us();
        return result_of(tls ? tls->read(buffer) : socket.read(buffer));
    }

    Result<std::size_t> try_write(std::span<const std::byte> bytes)
    {
        if (closing) return closed_by_us();
        std::size_t taken = 0;
        while (taken < bytes.size()) {
            const auto rest = bytes.subspan(taken);
            const auto n = result_of(tls ? tls->write(rest) : socket.write(rest));
            if (!n) return n;
            if (*n == 0) break;
            taken += *n;
        }
        return taken;
    }

    Result<std::size_t> result_of(const Moved& moved) const
    {
        switch (moved.outcome) {
        case Outcome::some: return moved.bytes;
        case Outcome::nothing: return std::size_t{0};
        case Outcome::end: return closed_by_peer();
        case Outcome::failed: break;
        }
        if (tls && !tls->failure().empty())
            return Error{Code::tls, "TLS failed: " + tls->failure() + ". Connect again; if it stays, something between damages the data."};
        return Error{Code::closed, std::string("The connection broke: ") + ::strerror(moved.error_number) + ". Connect again."};
    }

    static Task<std::size_t> read_some(std::shared_ptr<State> state, std::span<std::byte> buffer);
    static Task<> write(std::shared_ptr<State> state, std::span<const std::byte> bytes);
    static Task<> handshake(std::shared_ptr<State> state, std::string host, milliseconds limit);
    static awaitable<void> shutdown(std::shared_ptr<State> state, milliseconds limit);
    static awaitable<bool> finish_step(State& state, Step step);
    static awaitable<void> next_turn(State& state);
    Error handshake_error(const std::string& host, bool timed_out, milliseconds limit);
};

/// A peer that always has more must not keep the thread from its other connections.
awaitable<void> ByteStream::State::next_turn(State& state)
{
    state.reads = 0;
    co_await asio::post(state.socket.executor(), asio::use_awaitable);
}

Task<std::size_t> ByteStream::State::read_some(std::shared_ptr<State> state, std::span<std::byte> buffer)
{
    for (;;) {
        const auto n = state->try_read(buffer);
        if (!n) co_return n;
        if (*n > 0 && ++state->reads < reads_max) co_return n;
        if (*n > 0) {
            co_await next_turn(*state);
            co_return n;
        }
        state->reads = 0;
        const bool ready = co_await state->socket.readiness.wait_readable();
        if (state->closing) co_return closed_by_us();
        if (!ready) co_return cancelled_by_owner();
    }
}

Task<> ByteStream::State::write(std::shared_ptr<State> state, std::span<const std::byte> bytes)
{
    for (;;) {
        const auto n = state->try_write(bytes);
        if (!n) co_return n.error();
        bytes = bytes.subspan(*n);
        if (bytes.empty()) co_return Result<void>();
        state->writing = true;
        co_await state->socket.readiness.wait_writable();
        state->writing = false;
    }
}

/// Waits for what the step wants; false: the stream is closed.
awaitable<bool> ByteStream::State::finish_step(State& state, Step step)
{
    bool ready = false;
    if (step == Step::wants_read)
        ready = co_await state.socket.readiness.wait_readable();
    else
        ready = co_await state.socket.readiness.wait_writable();
    co_return ready && !state.closing;
}

Error ByteStream::State::handshake_error(const std::string& host, bool timed_out, milliseconds limit)
{
    const std::string peer = host_and_port(host.empty() ? socket.remote_host() : host, std::to_string(socket.remote_port()));
    if (timed_out)
        return Error{Code::timeout,
                     fmt::format("The TLS handshake with {} was not done within {} ms. Check that it speaks TLS on this port, or raise "
                                 "the time limit.",
                                 peer, limit.count())};
    if (closing) return closed_by_us();
    const long verdict = SSL_get_verify_result(tls->native());
    if (verdict != X509_V_OK)
        return Error{
            Code::tls,
            "The certificate of " + peer + " was refused: " + X509_verify_cert_error_string(verdict) +
                ". Check the host name in the URL; for a private CA or a self-signed certificate, add its CA with the ca_file setting."};
    if (!tls->failure().empty())
        return Error{Code::tls,
                     "The TLS handshake with " + peer + " failed: " + tls->failure() + ". Check that it speaks TLS 1.2 or newer on this port."};
    const Moved& end = tls->socket_end();
    const std::string reason = end.outcome == Outcome::failed ? ::strerror(end.error_number) : "the peer closed the connection";
    return Error{Code::closed, "The TLS handshake with " + peer + " broke: " + reason + ". Check that it speaks TLS on this port."};
}

Task<> ByteStream::State::handshake(std::shared_ptr<State> state, std::string host, milliseconds limit)
{
    bool timed_out = false;
    {
        const Deadline deadline(state->socket.executor(), limit, [&state] { state->close(); });
        while (!state->closing) {
            const Step step = state->tls->handshake();
            if (step == Step::failed) break;
            if (step == Step::done) {
                state->secured = true;
                co_return Result<void>();
            }
            const bool ready = co_await finish_step(*state, step);
            if (!ready) break;
        }
        timed_out = deadline.expired();
    }
    const Error error = state->handshake_error(host, timed_out, limit);
    state->close();
    co_return error;
}

awaitable<void> ByteStream::State::shutdown(std::shared_ptr<State> state, milliseconds limit)
{
    // What is still being written cannot be followed by an orderly end.
    const bool orderly = !state->closing && !state->writing;
    state->closing = true;
    state->socket.readiness.cancel_wait_readable();
    if (orderly) {
        const Deadline deadline(state->socket.executor(), limit, [&state] { state->close(); });
        while (state->secured && state->socket.is_open() && state->tls->close() == Step::wants_write)
            co_await state->socket.readiness.wait_writable();
        // Bytes left unread would turn the close into a reset, and a reset may destroy what the peer has not read yet.
        std::array<std::byte, 2048> unread;
        bool more = state->socket.finish_writing();
        while (more) {
            const Moved moved = state->socket.read(unread);
            if (moved.outcome == Outcome::nothing) {
                const bool ready = co_await state->socket.readiness.wait_readable();
                more = ready && state->socket.is_open();
            } else {
                more = moved.outcome == Outcome::some && state->socket.is_open();
                if (++state->reads >= reads_max) co_await next_turn(*state);
            }
        }
    }
    state->close();
}

struct PartedStream::State {
    UniqueDescriptor socket;
    TlsChannel::Ssl tls{nullptr, &SSL_free};
    std::shared_ptr<void> companion;
};

PartedStream::PartedStream() = default;
PartedStream::~PartedStream() = default;
PartedStream::PartedStream(PartedStream&&) noexcept = default;
PartedStream& PartedStream::operator=(PartedStream&&) noexcept = default;
bool PartedStream::is_open() const { return state_ != nullptr; }

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
    if (native_socket >= 0) stream.state_ = std::make_shared<State>(std::move(executor), native_socket);
    return stream;
}

ByteStream ByteStream::join(asio::any_io_executor executor, PartedStream parted)
{
    if (!parted.is_open()) return {};
    PartedStream::State& from = *parted.state_;
    ByteStream stream = adopt_tcp(std::move(executor), from.socket.release());
    State& state = *stream.state_;
    if (from.tls) {
        state.tls.emplace(state.socket, std::move(from.tls));
        state.secured = true;
    }
    if (stream.is_open()) state.companion = std::move(from.companion);
    return stream;
}

PartedStream ByteStream::part()
{
    PartedStream parted;
    const std::shared_ptr<State> from = std::exchange(state_, nullptr);
    if (!from || from->closing || !from->socket.is_open()) return parted;
    parted.state_ = std::make_unique<PartedStream::State>();
    PartedStream::State& to = *parted.state_;
    to.companion = std::move(from->companion);
    if (from->secured) to.tls = from->tls->release();
    to.socket = UniqueDescriptor(from->socket.release());
    from->closing = true;
    return parted;
}

void ByteStream::keep(std::shared_ptr<void> companion)
{
    if (is_open()) state_->companion = std::move(companion);
}

Task<ByteStream> ByteStream::connect(std::string host, std::string port, milliseconds limit, std::stop_token stop)
{
    auto socket = co_await tcp_connect(std::move(host), std::move(port), limit, std::move(stop));
    if (!socket) co_return socket.error();
    const auto executor = socket->get_executor();
    co_return adopt_tcp(executor, socket->release());
}

bool ByteStream::is_open() const { return state_ && !state_->closing && state_->socket.is_open(); }
bool ByteStream::is_tls() const { return state_ && state_->secured; }
bool ByteStream::tls_resumed() const { return is_tls() && SSL_session_reused(state_->tls->native()) == 1; }
std::string ByteStream::remote_address() const { return state_ ? state_->socket.remote_host() : std::string(); }
asio::any_io_executor ByteStream::executor() const { return state_ ? state_->socket.executor() : asio::any_io_executor(); }

// None of these is a coroutine itself: an operation keeps the state alive, not the ByteStream, which may move or go meanwhile.
Task<> ByteStream::tls_handshake_as_client(const TlsContext& context, std::string host, milliseconds limit)
{
    if (!is_open()) return not_connected<void>();
    state_->tls.emplace(state_->socket, context.state().context.get(), TlsChannel::Role::client);
    expect_host(state_->tls->native(), host);
    if (const auto& sessions = context.state().sessions)
        use_session_cache(state_->tls->native(), sessions, host_and_port(host, std::to_string(state_->socket.remote_port())));
    return State::handshake(state_, std::move(host), limit);
}

Task<> ByteStream::tls_handshake_as_server(const TlsContext& context, milliseconds limit)
{
    if (!is_open()) return not_connected<void>();
    state_->tls.emplace(state_->socket, context.state().context.get(), TlsChannel::Role::server);
    return State::handshake(state_, {}, limit);
}

Task<std::size_t> ByteStream::read_some(std::span<std::byte> buffer)
{
    if (!state_) return not_connected<std::size_t>();
    return State::read_some(state_, buffer);
}

Task<> ByteStream::write(std::span<const std::byte> bytes)
{
    if (!state_) return not_connected<void>();
    return State::write(state_, bytes);
}

Task<> ByteStream::write(std::string_view text) { return write(std::as_bytes(std::span(text))); }

Result<std::size_t> ByteStream::try_read(std::span<std::byte> buffer)
{
    if (!state_) return closed_by_us();
    return state_->try_read(buffer);
}

Result<std::size_t> ByteStream::try_write(std::span<const std::byte> bytes)
{
    if (!state_) return closed_by_us();
    return state_->try_write(bytes);
}

awaitable<bool> ByteStream::wait_readable() { return state_->socket.readiness.wait_readable(); }
void ByteStream::look_again()
{
    if (state_) state_->socket.readiness.look_again();
}

bool ByteStream::is_awaited() const { return state_ && state_->socket.readiness.is_awaited(); }
std::size_t ByteStream::unacknowledged_bytes() const { return state_ ? state_->socket.unacknowledged_bytes() : 0; }
awaitable<bool> ByteStream::wait_writable() { return state_->socket.readiness.wait_writable(); }

void ByteStream::cancel_read()
{
    if (state_) state_->socket.readiness.cancel_wait_readable();
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
