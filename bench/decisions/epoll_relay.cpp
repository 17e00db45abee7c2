#include "relays.hpp"
#include "sockets.hpp"

#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <stdexcept>

namespace decisions {
namespace {

constexpr std::size_t zerocopy_slots = 16;  ///< frames of one connection the kernel may still be reading

class EpollRelay {
public:
    EpollRelay(Connections& connections, const Options& options, Counters& counters);
    void run();

private:
    void receive(Connection& from);
    bool receive_once(Connection& from);
    void forward(Connection& from, Bytes bytes);
    void forward_gathered(Connection& from, Bytes bytes);
    void forward_zerocopy(Connection& from, Bytes bytes);
    void reap_zerocopy(Connection& connection);

    Connections& connections_;
    const Options& options_;
    Counters& counters_;
    int poll_;
    std::size_t open_clients_;
    std::vector<std::byte> buffer_, out_;
};

EpollRelay::EpollRelay(Connections& connections, const Options& options, Counters& counters)
    : connections_(connections), options_(options), counters_(counters), poll_(::epoll_create1(EPOLL_CLOEXEC)),
      open_clients_(connections.size() / 2), buffer_(shared_buffer_bytes)
{
    for (Connection& connection : connections_) {
        epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = &connection}};
        require(::epoll_ctl(poll_, EPOLL_CTL_ADD, connection.socket, &event) == 0, "epoll_ctl");
        if (options_.send != "zerocopy") continue;
        const int on = 1;
        require(::setsockopt(connection.socket, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) == 0, "SO_ZEROCOPY");
        connection.own_buffer.resize(zerocopy_slots * upstream_frame_bytes);
    }
}

void EpollRelay::forward(Connection& from, Bytes bytes)
{
    out_.clear();
    translate(from, bytes, out_);
    counters_.frames += frames_in(other(from.side), out_.size());
    if (!out_.empty()) send_or_keep(*from.peer, out_, counters_);
}

void EpollRelay::forward_gathered(Connection& from, Bytes bytes)
{
    const Side to = other(from.side);
    const auto& blank = detail::blank(to);
    const std::size_t head = detail::audio_at(to), tail = head + audio_bytes;
    from.cutter.feed(from.side, bytes, [&](const std::byte* audio) {
        ++counters_.frames;
        ++counters_.syscalls;
        auto* const fixed = const_cast<std::byte*>(blank.data());
        const iovec parts[] = {{fixed, head}, {const_cast<std::byte*>(audio), audio_bytes}, {fixed + tail, frame_bytes(to) - tail}};
        const ssize_t sent = ::writev(from.peer->socket, parts, to == Side::client ? 2 : 3);
        require(sent == static_cast<ssize_t>(frame_bytes(to)), "writev");
    });
}

void EpollRelay::forward_zerocopy(Connection& from, Bytes bytes)
{
    const Side to = other(from.side);
    from.cutter.feed(from.side, bytes, [&](const std::byte* audio) {
        ++counters_.frames;
        ++counters_.syscalls;
        std::byte* const frame = from.own_buffer.data() + upstream_frame_bytes * (from.slot++ % zerocopy_slots);
        build_frame(to, audio, frame);
        const ssize_t sent = ::send(from.peer->socket, frame, frame_bytes(to), MSG_NOSIGNAL | MSG_ZEROCOPY);
        require(sent == static_cast<ssize_t>(frame_bytes(to)), "send with MSG_ZEROCOPY");
    });
}

void EpollRelay::reap_zerocopy(Connection& connection)
{
    ++counters_.syscalls;
    std::array<char, 128> control;
    msghdr message{};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ::recvmsg(connection.socket, &message, MSG_ERRQUEUE);
}

/// False when the socket has nothing more.
bool EpollRelay::receive_once(Connection& from)
{
    const bool own = options_.own_buffers;
    std::byte* const to = own ? from.own_buffer.data() : buffer_.data();
    const std::size_t room = own ? from.own_buffer.size() : buffer_.size();
    ++counters_.syscalls;
    const ssize_t got = ::recv(from.socket, to, room, 0);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
        ::epoll_ctl(poll_, EPOLL_CTL_DEL, from.socket, nullptr);
        if (from.side == Side::client) --open_clients_;
        return false;
    }
    if (options_.quickack) {
        ++counters_.syscalls;
        const int on = 1;
        ::setsockopt(from.socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    }
    const Bytes bytes{to, static_cast<std::size_t>(got)};
    if (options_.send == "writev") forward_gathered(from, bytes);
    else if (options_.send == "zerocopy") forward_zerocopy(from, bytes);
    else forward(from, bytes);
    // A short read drained the socket: whatever comes later is a new edge.
    return options_.probe || bytes.size() == room;
}

void EpollRelay::receive(Connection& from)
{
    while (receive_once(from)) {}
}

void EpollRelay::run()
{
    ::prctl(PR_SET_TIMERSLACK, 1);
    std::array<epoll_event, 256> ready;
    while (open_clients_ > 0) {
        ++counters_.syscalls;
        const int count = ::epoll_wait(poll_, ready.data(), ready.size(), -1);
        require(count >= 0 || errno == EINTR, "epoll_wait");
        ++counters_.wakeups;
        const std::int64_t woken_ns = options_.tick_us > 0 ? now_ns() : 0;
        for (int i = 0; i < count; ++i) {
            const auto& event = ready[static_cast<std::size_t>(i)];
            Connection& connection = *static_cast<Connection*>(event.data.ptr);
            if ((event.events & EPOLLERR) != 0 && options_.send == "zerocopy") reap_zerocopy(connection);
            if ((event.events & EPOLLOUT) != 0) send_kept(connection, counters_);
            if ((event.events & (EPOLLIN | EPOLLHUP)) != 0) receive(connection);
        }
        if (options_.tick_us == 0) continue;
        ++counters_.syscalls;
        sleep_until(woken_ns + options_.tick_us * 1000LL);
    }
}

}  // namespace

void run_epoll(Connections& connections, const Options& options, Counters& counters)
{
    EpollRelay(connections, options, counters).run();
}

}  // namespace decisions
