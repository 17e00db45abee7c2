#pragma once
#include "repartee/net/byte_stream.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace repartee::testing {

struct TcpPair {
    net::ByteStream near, far;
};

struct TcpSockets {
    int near, far;
};

/// Two ends of one TCP connection over loopback. A small `buffer_bytes` lets a writer feel early that nobody reads.
inline TcpSockets tcp_sockets(int buffer_bytes = 0)
{
    const auto require = [](bool good) {
        if (!good) throw std::runtime_error("no loopback connection");
    };
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int near = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(listener >= 0 && near >= 0);
    if (buffer_bytes > 0) {
        for (const int socket : {listener, near}) {
            ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
            ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
        }
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    require(::bind(listener, generic, length) == 0 && ::listen(listener, 1) == 0);
    require(::getsockname(listener, generic, &length) == 0);
    require(::connect(near, generic, length) == 0);
    const int far = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    require(far >= 0);
    ::close(listener);
    return {near, far};
}

inline TcpPair tcp_pair(asio::any_io_executor executor, int buffer_bytes = 0)
{
    const auto [near, far] = tcp_sockets(buffer_bytes);
    return {net::ByteStream::adopt_tcp(executor, near), net::ByteStream::adopt_tcp(executor, far)};
}

}  // namespace repartee::testing
