#include "socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace repartee::net {
namespace {

using Outcome = Moved::Outcome;

bool set_tcp_option(int descriptor, int option)
{
    const int on = 1;
    return ::setsockopt(descriptor, IPPROTO_TCP, option, &on, sizeof on) == 0;
}

Moved outcome_of_errno() { return errno == EAGAIN || errno == EWOULDBLOCK ? Moved{} : Moved{Outcome::failed, 0, errno}; }

/// What the kernel says is left to read (TCP_INQ); 1 when it does not say. An end of the stream counts as something left.
int bytes_left(msghdr& message)
{
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != IPPROTO_TCP || header->cmsg_type != TCP_CM_INQ) continue;
        int left = 0;
        std::memcpy(&left, CMSG_DATA(header), sizeof left);
        return left;
    }
    return 1;
}

}  // namespace

UniqueDescriptor::~UniqueDescriptor()
{
    if (descriptor_ >= 0) ::close(descriptor_);
}

Socket::Socket(asio::any_io_executor executor, int native_socket)
    : readiness(executor, native_socket), executor_(std::move(executor)), descriptor_(native_socket)
{
    ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL, 0) | O_NONBLOCK);
    set_tcp_option(descriptor_, TCP_NODELAY);
    tells_what_is_left_ = set_tcp_option(descriptor_, TCP_INQ);
    learn_remote();
    if (!readiness.is_registered()) close();
}

void Socket::learn_remote()
{
    sockaddr_storage remote{};
    socklen_t length = sizeof remote;
    if (::getpeername(descriptor_, reinterpret_cast<sockaddr*>(&remote), &length) != 0) return;
    char text[INET6_ADDRSTRLEN] = "";
    if (remote.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(remote);
        remote_port_ = ntohs(v6.sin6_port);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
            ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
        else
            ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    } else {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(remote);
        remote_port_ = ntohs(v4.sin_port);
        ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    }
    remote_host_ = text;
}

Moved Socket::read(std::span<std::byte> buffer)
{
    if (!readiness.readable()) return {};
    iovec room{buffer.data(), buffer.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &room;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t n;
    do n = ::recvmsg(descriptor_, &message, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0) return {Outcome::end};
    if (n < 0) {
        const Moved outcome = outcome_of_errno();
        if (outcome.outcome == Outcome::nothing) readiness.drained();
        return outcome;
    }
    // Knowing that nothing is left saves the read that would find nothing.
    if (tells_what_is_left_ && bytes_left(message) == 0) readiness.drained();
    return {Outcome::some, static_cast<std::size_t>(n)};
}

Moved Socket::write(std::span<const std::byte> bytes)
{
    ssize_t n;
    do n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0) return outcome_of_errno();
    return {Outcome::some, static_cast<std::size_t>(n)};
}

bool Socket::finish_writing() { return is_open() && ::shutdown(descriptor_, SHUT_WR) == 0; }

void Socket::close()
{
    if (!is_open()) return;
    readiness.forget();
    ::close(descriptor_);
    descriptor_ = -1;
}

std::size_t Socket::unacknowledged_bytes() const
{
    int bytes = 0;
    return is_open() && ::ioctl(descriptor_, SIOCOUTQ, &bytes) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

int Socket::release()
{
    if (is_open()) readiness.leave();
    return std::exchange(descriptor_, -1);
}

}  // namespace repartee::net
