#pragma once
#include "socket.hpp"

#include <openssl/ssl.h>

#include <memory>
#include <utility>

namespace repartee::net {

/// TLS on a Socket, without waiting: OpenSSL reads and writes the socket by itself, many records with one system call.
class TlsChannel {
public:
    enum class Role { client, server };
    TlsChannel(Socket& socket, SSL_CTX* context, Role role);
    using Ssl = std::unique_ptr<SSL, decltype(&SSL_free)>;
    /// Goes on with what release() gave, on another socket object.
    TlsChannel(Socket& socket, Ssl established);
    /// Nothing else may be called afterwards.
    Ssl release() { return std::move(ssl_); }

    SSL* native() { return ssl_.get(); }

    /// What an OpenSSL operation that makes no bytes came to.
    enum class Step { done, wants_read, wants_write, failed };
    Step handshake();
    /// Sends our close_notify.
    Step close();

    Moved read(std::span<std::byte> buffer);
    /// After `nothing` the same bytes must come first in the next call; they may have moved, and more may follow them.
    Moved write(std::span<const std::byte> bytes);

    /// Why the last operation failed: OpenSSL's reason, or empty when it was the socket.
    const std::string& failure() const { return failure_; }
    /// How the socket ended, when it did.
    const Moved& socket_end() const { return socket_end_; }

private:
    struct Bio;
    Step step_of(int result);
    Moved moved(bool some, std::size_t bytes);

    Socket& socket_;
    Ssl ssl_;
    std::string failure_;
    Moved socket_end_;
};

}  // namespace repartee::net
