#pragma once
#include <cstdint>

namespace decisions {

/// Throws with errno's text when `good` is false: the benches have no other way to go on.
void require(bool good, const char* what);

/// Loopback only. All sockets have TCP_NODELAY.
int listen_anywhere(std::uint16_t& port);
int accept_one(int listener);
int connect_to(std::uint16_t port);
void make_nonblocking(int socket);

/// Tells bench/decisions/run where to connect.
void announce(std::uint16_t port);

std::int64_t now_ns();
/// Sleeps until an absolute time of now_ns().
void sleep_until(std::int64_t time_ns);

}  // namespace decisions
