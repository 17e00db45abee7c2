#include "upstream_server.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace repartee::bench {
namespace {

constexpr int backlog = 4096;

int listen_on(const std::string& address, int port)
{
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET, address.c_str(), &at.sin_addr) != 1)
        throw std::runtime_error("--address " + address + " is not an IPv4 address. Give e.g. 127.0.0.1.");
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 && ::listen(fd, backlog) == 0) return fd;
    const std::string why = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    throw std::runtime_error("cannot listen on " + address + ":" + std::to_string(port) + ": " + why + ". Choose another port, or 0 for any.");
}

int port_of(int fd)
{
    sockaddr_in at{};
    socklen_t length = sizeof at;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &length);
    return ntohs(at.sin_port);
}

}  // namespace

UpstreamServer::UpstreamServer(EventLoop& loop, const std::string& address, int port, SSL_CTX* tls, const UpstreamConfig& config,
                               UpstreamCounts& counts)
    : loop_(loop), tls_(tls), config_(config), counts_(counts), fd_(listen_on(address, port)), port_(port_of(fd_))
{
    loop_.add(fd_, EPOLLIN, *this);
}

UpstreamServer::~UpstreamServer()
{
    loop_.remove(fd_, *this);
    ::close(fd_);
}

void UpstreamServer::on_ready(std::uint32_t)
{
    for (;;) {
        const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;  // none left, or none to be had: the next round asks again
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        auto socket = std::make_unique<Socket>(fd);
        if (tls_) socket->secure(tls_accept(*tls_, fd));
        auto session = std::make_unique<UpstreamSession>(loop_, std::move(socket), config_, counts_, [this](UpstreamSession& ended) {
            --counts_.open;
            loop_.later([this, &ended] { sessions_.erase(&ended); });
        });
        sessions_.emplace(session.get(), std::move(session));
        ++counts_.connections;
        counts_.open_max = std::max(counts_.open_max, ++counts_.open);
    }
}

void UpstreamServer::close_all()
{
    for (auto& [key, session] : sessions_) session->close(1001);
}

}  // namespace repartee::bench
