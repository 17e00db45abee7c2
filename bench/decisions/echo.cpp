#include "programs.hpp"
#include "sockets.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace decisions {

// The frames of an upstream are far smaller than a socket's buffer, so a send that does not fit is a fault of the bench and ends it.
int run_echo(const Options& options)
{
    std::uint16_t port = 0;
    const int listener = listen_anywhere(port);
    announce(port);
    const int poll = ::epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < options.sessions; ++i) {
        const int socket = accept_one(listener);
        make_nonblocking(socket);
        epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.fd = socket}};
        require(::epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event) == 0, "epoll_ctl");
    }
    std::array<epoll_event, 256> ready;
    std::array<std::byte, 65536> buffer;
    for (int open = options.sessions; open > 0;) {
        const int count = ::epoll_wait(poll, ready.data(), ready.size(), -1);
        require(count >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < count; ++i) {
            const int socket = ready[static_cast<std::size_t>(i)].data.fd;
            const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
            if (got < 0 && errno == EAGAIN) continue;
            if (got <= 0) {
                require(::epoll_ctl(poll, EPOLL_CTL_DEL, socket, nullptr) == 0, "epoll_ctl");
                --open;
                continue;
            }
            require(::send(socket, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) == got, "the echo cannot send");
        }
    }
    return 0;
}

}  // namespace decisions
