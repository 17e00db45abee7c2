#pragma once
#include "tls_context.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace repartee::bench {

enum class IoStatus { ok, want_read, want_write, closed, failed };

struct IoResult {
    IoStatus status = IoStatus::ok;
    std::size_t bytes = 0;
};

/// A non-blocking TCP connection, plain or TLS. Owns its descriptor.
class Socket {
public:
    explicit Socket(int fd) : fd_(fd) {}
    ~Socket() { close(); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    int fd() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }
    void secure(Tls tls) { tls_ = std::move(tls); }
    bool is_secure() const { return tls_ != nullptr; }

    IoResult handshake();
    IoResult read(std::span<std::byte> into);
    IoResult write(std::span<const std::byte> from);
    /// TLS has taken bytes from the kernel that read() has not handed out: epoll will not tell of them.
    bool has_buffered() const { return tls_ && SSL_has_pending(tls_.get()) == 1; }
    void close();

    /// Why the last operation failed.
    const std::string& failure() const { return failure_; }

private:
    IoResult tls_result(int returned);
    IoResult system_result(long returned, IoStatus would_block);

    int fd_;
    Tls tls_{nullptr, &SSL_free};
    std::string failure_;
};

}  // namespace repartee::bench
