#include "tls_channel.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <new>

namespace repartee::net {

using Outcome = Moved::Outcome;

namespace {

/// What SSL_get_error() asks for before each call. Looking is cheaper than clearing a queue that is empty nearly always.
void forget_errors()
{
    if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace

/// OpenSSL's way to the socket.
struct TlsChannel::Bio {
    static TlsChannel& channel(BIO* bio) { return *static_cast<TlsChannel*>(BIO_get_data(bio)); }

    static int read(BIO* bio, char* data, int bytes)
    {
        BIO_clear_retry_flags(bio);
        return result(bio, channel(bio).socket_.read(std::as_writable_bytes(std::span(data, static_cast<std::size_t>(bytes)))), BIO_FLAGS_READ);
    }

    static int write(BIO* bio, const char* data, int bytes)
    {
        BIO_clear_retry_flags(bio);
        return result(bio, channel(bio).socket_.write(std::as_bytes(std::span(data, static_cast<std::size_t>(bytes)))), BIO_FLAGS_WRITE);
    }

    static int result(BIO* bio, const Moved& moved, int direction)
    {
        if (moved.outcome == Outcome::some) return static_cast<int>(moved.bytes);
        if (moved.outcome == Outcome::nothing) {
            BIO_set_flags(bio, direction | BIO_FLAGS_SHOULD_RETRY);
            return -1;
        }
        channel(bio).socket_end_ = moved;
        return moved.outcome == Outcome::end ? 0 : -1;
    }

    static long control(BIO* bio, int command, long, void*)
    {
        if (command == BIO_CTRL_EOF) return channel(bio).socket_end_.outcome == Outcome::end;
        return command == BIO_CTRL_FLUSH || command == BIO_CTRL_PUSH || command == BIO_CTRL_POP;
    }

    static BIO_METHOD* method()
    {
        static BIO_METHOD* const made = [] {
            BIO_METHOD* const fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "repartee socket");
            BIO_meth_set_read(fresh, &Bio::read);
            BIO_meth_set_write(fresh, &Bio::write);
            BIO_meth_set_ctrl(fresh, &Bio::control);
            return fresh;
        }();
        return made;
    }
};

TlsChannel::TlsChannel(Socket& socket, SSL_CTX* context, Role role) : socket_(socket), ssl_(SSL_new(context), &SSL_free)
{
    BIO* const bio = ssl_ ? BIO_new(Bio::method()) : nullptr;
    if (!bio) throw std::bad_alloc();
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_read_ahead(ssl_.get(), 1);
    SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (role == Role::client)
        SSL_set_connect_state(ssl_.get());
    else
        SSL_set_accept_state(ssl_.get());
}

TlsChannel::TlsChannel(Socket& socket, Ssl established) : socket_(socket), ssl_(std::move(established))
{
    BIO_set_data(SSL_get_rbio(ssl_.get()), this);  // one BIO for both directions
}

TlsChannel::Step TlsChannel::handshake()
{
    forget_errors();
    return step_of(SSL_do_handshake(ssl_.get()));
}

TlsChannel::Step TlsChannel::close()
{
    // Waiting for the peer's close_notify would cost a round trip and buys nothing.
    SSL_set_shutdown(ssl_.get(), SSL_RECEIVED_SHUTDOWN);
    forget_errors();
    return step_of(SSL_shutdown(ssl_.get()));
}

Moved TlsChannel::read(std::span<std::byte> buffer)
{
    if (!socket_.readiness.readable() && SSL_has_pending(ssl_.get()) == 0) return {};
    forget_errors();
    std::size_t bytes = 0;
    const bool some = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &bytes) == 1;
    return moved(some, bytes);
}

Moved TlsChannel::write(std::span<const std::byte> bytes)
{
    forget_errors();
    std::size_t taken = 0;
    const bool some = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &taken) == 1;
    return moved(some, taken);
}

Moved TlsChannel::moved(bool some, std::size_t bytes)
{
    if (some) return {Outcome::some, bytes};
    const bool closed_by_peer = SSL_get_error(ssl_.get(), 0) == SSL_ERROR_ZERO_RETURN;
    if (closed_by_peer) return {Outcome::end};
    if (step_of(0) != Step::failed) return {};
    if (socket_end_.outcome != Outcome::nothing) return socket_end_;
    return {Outcome::failed};
}

TlsChannel::Step TlsChannel::step_of(int result)
{
    switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_NONE: return Step::done;
    case SSL_ERROR_WANT_READ: return Step::wants_read;
    case SSL_ERROR_WANT_WRITE: return Step::wants_write;
    default: break;
    }
    const unsigned long code = ERR_peek_error();
    const char* const reason = code ? ERR_reason_error_string(code) : nullptr;
    failure_ = reason && socket_end_.outcome == Outcome::nothing ? reason : "";
    ERR_clear_error();
    return Step::failed;
}

}  // namespace repartee::net
