#include "server_address.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace repartee::bench {
namespace {

constexpr int try_limit_ms = 3'000;

/// 0, or the errno of why no connection was made.
int try_connect(const ServerAddress& server)
{
    const int fd = ::socket(server.at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    int error = 0;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&server.at), server.length) != 0) {
        error = errno;
        if (error == EINPROGRESS) {
            pollfd writable{fd, POLLOUT, 0};
            const int ready = ::poll(&writable, 1, try_limit_ms);
            socklen_t length = sizeof error;
            if (ready < 0) error = errno;
            else if (ready == 0) error = ETIMEDOUT;
            else ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
        }
    }
    ::close(fd);
    return error;
}

std::string words(const addrinfo& address)
{
    char host[NI_MAXHOST] = "";
    ::getnameinfo(address.ai_addr, address.ai_addrlen, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
    return host;
}

ServerAddress address_of(const addrinfo& found)
{
    ServerAddress server;
    std::memcpy(&server.at, found.ai_addr, found.ai_addrlen);
    server.length = found.ai_addrlen;
    return server;
}

}  // namespace

ServerAddress find_server(const WsUrl& url)
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* first = nullptr;
    const int error = ::getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &first);
    if (error != 0) throw std::runtime_error("cannot find " + url.authority() + ": " + ::gai_strerror(error));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> found(first, &::freeaddrinfo);
    if (!found->ai_next) return address_of(*found);

    std::string refusals;
    for (const addrinfo* each = found.get(); each; each = each->ai_next) {
        const ServerAddress server = address_of(*each);
        const int refused = try_connect(server);
        if (refused == 0) return server;
        refusals += (refusals.empty() ? "" : "; ") + words(*each) + ": " + std::strerror(refused);
    }
    throw std::runtime_error("cannot connect to " + url.authority() + ": " + refusals);
}

}  // namespace repartee::bench
