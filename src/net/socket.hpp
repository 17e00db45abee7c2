#pragma once
#include "readiness.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace repartee::net {

/// What one try to move bytes came to.
struct Moved {
    enum class Outcome { some, nothing, end, failed } outcome = Outcome::nothing;
    std::size_t bytes = 0;   ///< some: at least one
    int error_number = 0;    ///< failed: errno
};

/// A descriptor that nobody uses just now.
class UniqueDescriptor {
public:
    UniqueDescriptor() = default;
    explicit UniqueDescriptor(int descriptor) : descriptor_(descriptor) {}
    ~UniqueDescriptor();
    UniqueDescriptor(UniqueDescriptor&& other) noexcept : descriptor_(other.release()) {}
    UniqueDescriptor& operator=(UniqueDescriptor&& other) noexcept
    {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    int release() { return std::exchange(descriptor_, -1); }

private:
    int descriptor_ = -1;
};

/// A connected TCP socket that never blocks: reading and writing happen at once, in the caller; `readiness` tells when to try again.
class Socket {
public:
    /// Takes the descriptor over. Sets TCP_NODELAY.
    Socket(asio::any_io_executor executor, int native_socket);
    ~Socket() { close(); }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    /// Costs no system call while the kernel is known to have nothing.
    Moved read(std::span<std::byte> buffer);
    Moved write(std::span<const std::byte> bytes);
    /// FIN behind what was written. False: the connection is gone.
    bool finish_writing();
    void close();
    /// Leaves the event loop; the caller has the descriptor then.
    int release();

    /// Written, and not yet acknowledged by the peer's kernel.
    std::size_t unacknowledged_bytes() const;

    bool is_open() const { return descriptor_ >= 0; }
    const std::string& remote_host() const { return remote_host_; }
    std::uint16_t remote_port() const { return remote_port_; }
    const asio::any_io_executor& executor() const { return executor_; }

    Readiness readiness;

private:
    void learn_remote();

    asio::any_io_executor executor_;
    int descriptor_;
    bool tells_what_is_left_ = false;
    std::string remote_host_;
    std::uint16_t remote_port_ = 0;
};

}  // namespace repartee::net
