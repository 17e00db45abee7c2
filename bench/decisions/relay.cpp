#include "programs.hpp"
#include "relays.hpp"
#include "sockets.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <thread>

namespace decisions {
namespace {

void add_session(Connections& connections, int client, const Options& options)
{
    const int upstream = connect_to(options.port);
    for (const int socket : {client, upstream}) {
        make_nonblocking(socket);
        if (options.busy_poll_us > 0)
            require(::setsockopt(socket, SOL_SOCKET, SO_BUSY_POLL, &options.busy_poll_us, sizeof options.busy_poll_us) == 0, "SO_BUSY_POLL");
    }
    auto& left = connections.emplace_back();
    auto& right = connections.emplace_back();
    left.socket = client;
    right.socket = upstream;
    right.side = Side::upstream;
    left.peer = &right;
    right.peer = &left;
    if (options.own_buffers)
        for (Connection* const connection : {&left, &right}) connection->own_buffer.resize(own_buffer_bytes);
}

void run_whole_sessions(Connections& connections, const Options& options, Counters& counters)
{
    if (options.relay == "epoll") return run_epoll(connections, options, counters);
#ifdef DECISIONS_URING
    if (options.relay.starts_with("uring")) return run_uring(connections, options, counters);
#endif
    throw std::invalid_argument("no relay '" + options.relay + "' in this build");
}

}  // namespace

void send_or_keep(Connection& to, Bytes bytes, Counters& counters)
{
    std::size_t sent = 0;
    if (to.unsent.empty()) {
        ++counters.syscalls;
        const ssize_t result = ::send(to.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (result < 0 && errno != EAGAIN) return;  // the reading side sees why
        sent = result < 0 ? 0 : static_cast<std::size_t>(result);
    }
    if (to.unsent.size() + bytes.size() - sent > unsent_bytes_max) throw std::runtime_error("a peer does not read");
    to.unsent.insert(to.unsent.end(), bytes.begin() + static_cast<std::ptrdiff_t>(sent), bytes.end());
}

void send_kept(Connection& to, Counters& counters)
{
    if (to.unsent.empty()) return;
    const auto kept = std::move(to.unsent);
    to.unsent.clear();
    send_or_keep(to, kept, counters);
}

int run_relay(const Options& options)
{
    require(options.threads >= 1 && options.threads <= threads_max, "--threads");
    Counters* const counters = map_counters(options.counters);
    std::uint16_t port = 0;
    const int listener = listen_anywhere(port);
    announce(port);
    Connections of_thread[threads_max];
    for (int i = 0; i < options.sessions; ++i) add_session(of_thread[i % options.threads], accept_one(listener), options);

    if (options.relay == "split") {
        run_split(of_thread[0], counters);
        return 0;
    }
    std::vector<std::jthread> threads;
    for (int i = 1; i < options.threads; ++i) threads.emplace_back([&, i] { run_whole_sessions(of_thread[i], options, counters[i]); });
    run_whole_sessions(of_thread[0], options, counters[0]);
    return 0;
}

}  // namespace decisions
