#include "sockets.hpp"
#include "spsc_frames.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

namespace decisions {
namespace {

/// The thread of all sockets of one side. It reads them and hands the frames to the other thread, which writes them.
class SideThread {
public:
    SideThread(Connections& connections, Side side, Counters& counters);
    void run(SideThread& peer);

private:
    void receive(Connection& from, SideThread& peer);
    void send_handed();
    void ring_bell(Counters& of_caller);

    Counters& counters_;
    int poll_, bell_;
    std::vector<std::byte> buffer_, out_;
    SpscFrames handed_;                  ///< written by the other thread
    std::atomic<bool> asleep_ = false;   ///< so that a thread that is busy anyway costs no write to the eventfd
    std::atomic<bool> stop_ = false;
    std::size_t open_;
    bool rings_ = false;
};

SideThread::SideThread(Connections& connections, Side side, Counters& counters)
    : counters_(counters), poll_(::epoll_create1(EPOLL_CLOEXEC)), bell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      buffer_(shared_buffer_bytes), open_(connections.size() / 2)
{
    epoll_event bell{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
    require(::epoll_ctl(poll_, EPOLL_CTL_ADD, bell_, &bell) == 0, "epoll_ctl");
    for (Connection& connection : connections) {
        if (connection.side != side) continue;
        epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = &connection}};
        require(::epoll_ctl(poll_, EPOLL_CTL_ADD, connection.socket, &event) == 0, "epoll_ctl");
    }
}

void SideThread::receive(Connection& from, SideThread& peer)
{
    ++counters_.syscalls;
    const ssize_t got = ::recv(from.socket, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        ::epoll_ctl(poll_, EPOLL_CTL_DEL, from.socket, nullptr);
        --open_;
        return;
    }
    from.cutter.feed(from.side, {buffer_.data(), static_cast<std::size_t>(got)}, [&](const std::byte* audio) {
        auto& slot = peer.handed_.next();
        slot.to = from.peer;
        build_frame(other(from.side), audio, slot.bytes.data());
        peer.handed_.publish();
        rings_ = true;
    });
}

void SideThread::send_handed()
{
    for (; !handed_.empty(); handed_.pop()) {
        const auto& slot = handed_.front();
        ++counters_.frames;
        send_or_keep(*slot.to, {slot.bytes.data(), frame_bytes(slot.to->side)}, counters_);
    }
}

/// Called by the other thread.
void SideThread::ring_bell(Counters& of_caller)
{
    // Edge-triggered: the eventfd need not be read, each write is an edge.
    if (!asleep_.exchange(false)) return;
    ++of_caller.syscalls;
    const std::uint64_t one = 1;
    require(::write(bell_, &one, sizeof one) == sizeof one, "eventfd");
}

void SideThread::run(SideThread& peer)
{
    std::array<epoll_event, 256> ready;
    while (open_ > 0 && !stop_) {
        asleep_ = true;
        int wait_ms = -1;
        if (!handed_.empty()) {
            asleep_ = false;
            wait_ms = 0;
        }
        ++counters_.syscalls;
        const int count = ::epoll_wait(poll_, ready.data(), ready.size(), wait_ms);
        require(count >= 0 || errno == EINTR, "epoll_wait");
        asleep_ = false;
        ++counters_.wakeups;
        send_handed();
        for (int i = 0; i < count; ++i) {
            const auto& event = ready[static_cast<std::size_t>(i)];
            auto* const connection = static_cast<Connection*>(event.data.ptr);
            if (connection == nullptr) continue;
            if ((event.events & EPOLLOUT) != 0) send_kept(*connection, counters_);
            if ((event.events & (EPOLLIN | EPOLLHUP)) != 0) receive(*connection, peer);
        }
        if (!rings_) continue;
        rings_ = false;
        peer.ring_bell(counters_);
    }
    peer.stop_ = true;
    peer.asleep_ = true;
    peer.ring_bell(counters_);
}

}  // namespace

void run_split(Connections& connections, Counters* counters)
{
    SideThread clients(connections, Side::client, counters[0]), upstreams(connections, Side::upstream, counters[1]);
    const std::jthread second([&] { upstreams.run(clients); });
    clients.run(upstreams);
}

}  // namespace decisions
