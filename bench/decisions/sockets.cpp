#include "sockets.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <system_error>

namespace decisions {
namespace {

constexpr int backlog = 4096;

sockaddr_in loopback(std::uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

void send_at_once(int socket)
{
    const int on = 1;
    require(::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
}

}  // namespace

void require(bool good, const char* what)
{
    if (!good) throw std::system_error(errno, std::generic_category(), what);
}

int listen_anywhere(std::uint16_t& port)
{
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(listener >= 0, "socket");
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    require(::bind(listener, generic, length) == 0 && ::listen(listener, backlog) == 0, "listen");
    require(::getsockname(listener, generic, &length) == 0, "getsockname");
    port = ntohs(address.sin_port);
    return listener;
}

int accept_one(int listener)
{
    const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    require(socket >= 0, "accept");
    send_at_once(socket);
    return socket;
}

int connect_to(std::uint16_t port)
{
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(socket >= 0, "socket");
    sockaddr_in address = loopback(port);
    require(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connect");
    send_at_once(socket);
    return socket;
}

void make_nonblocking(int socket)
{
    require(::fcntl(socket, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
}

void announce(std::uint16_t port)
{
    std::printf("listening %u\n", port);
    std::fflush(stdout);
}

std::int64_t now_ns()
{
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

void sleep_until(std::int64_t time_ns)
{
    const timespec time{time_ns / 1'000'000'000, time_ns % 1'000'000'000};
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) == EINTR) {}
}

}  // namespace decisions
