#pragma once
#include "counters.hpp"
#include "frame.hpp"
#include "options.hpp"

#include <deque>
#include <memory>

namespace decisions {

/// One socket of a session. What is read here is written to `peer`.
struct Connection {
    int socket = -1;
    Side side = Side::client;
    Connection* peer = nullptr;
    FrameCutter cutter;
    std::vector<std::byte> unsent;  ///< what this socket's buffer had no room for
    std::vector<std::byte> own_buffer;
    std::size_t slot = 0;           ///< used by the variants that need a buffer for as long as the kernel reads it
};

/// A deque, because connections point at each other.
using Connections = std::deque<Connection>;

constexpr std::size_t shared_buffer_bytes = 65536;
constexpr std::size_t own_buffer_bytes = 4096;
constexpr std::size_t unsent_bytes_max = 1 << 20;

/// Frames read from `from`, as its peer wants them, appended to `out`.
inline void translate(Connection& from, Bytes bytes, std::vector<std::byte>& out)
{
    const Side to = other(from.side);
    from.cutter.feed(from.side, bytes, [&](const std::byte* audio) {
        const std::size_t at = out.size();
        out.resize(at + frame_bytes(to));
        build_frame(to, audio, out.data() + at);
    });
}

inline std::size_t frames_in(Side side, std::size_t bytes) { return bytes / frame_bytes(side); }

/// Sends, or keeps what does not fit until the socket is writable. Throws when a peer does not read at all.
void send_or_keep(Connection& to, Bytes bytes, Counters& counters);
void send_kept(Connection& to, Counters& counters);

/// Each runs until all clients have hung up.
void run_epoll(Connections& connections, const Options& options, Counters& counters);
void run_split(Connections& connections, Counters* counters);
void run_uring(Connections& connections, const Options& options, Counters& counters);

}  // namespace decisions
