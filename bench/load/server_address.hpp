#pragma once
#include "ws_handshake.hpp"

#include <sys/socket.h>

namespace repartee::bench {

/// Where to connect, found once for all sessions.
struct ServerAddress {
    sockaddr_storage at{};
    socklen_t length = 0;
};

/// The first address of the name that takes connections: `localhost` is ::1 first, and many a server listens on 127.0.0.1 alone. An only address is
/// not tried. Throws std::runtime_error.
ServerAddress find_server(const WsUrl& url);

}  // namespace repartee::bench
