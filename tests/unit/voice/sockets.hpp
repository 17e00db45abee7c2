#pragma once
#include "../../support/tcp_pair.hpp"
#include "repartee/base/json.hpp"
#include "repartee/net/websocket.hpp"

#include <string>
#include <vector>

namespace repartee::testing {

/// Both ends of a WebSocket over loopback.
struct WebSocketPair {
    net::WebSocket server, client;
};

inline WebSocketPair websocket_pair(asio::any_io_executor executor)
{
    TcpPair pair = tcp_pair(executor);
    net::WebSocketLimits limits;
    limits.close_limit = std::chrono::milliseconds(500);
    using Role = net::WebSocket::Role;
    return {net::WebSocket(std::move(pair.near), Role::server, limits), net::WebSocket(std::move(pair.far), Role::client, limits)};
}

/// What a client got, up to the text frame of `last_type`, or up to the close (then `closed`).
struct Received {
    std::vector<std::string> texts;
    std::vector<std::size_t> binary_sizes;
    std::string binary;
    bool closed = false;

    std::string last() const { return texts.empty() ? std::string() : texts.back(); }
};

inline std::string type_of(const std::string& text)
{
    const auto o = json::parse_object(text);
    if (!o) return {};
    return std::string(json::find_string(*o, "type").value_or(""));
}

inline awaitable<Received> read_until(net::WebSocket& client, std::string last_type)
{
    Received received;
    for (;;) {
        const auto message = co_await client.read();
        if (!message) {
            received.closed = true;
            co_return received;
        }
        if (message->binary) {
            received.binary_sizes.push_back(message->bytes.size());
            received.binary.append(reinterpret_cast<const char*>(message->bytes.data()), message->bytes.size());
            continue;
        }
        received.texts.emplace_back(message->text());
        if (type_of(received.last()) == last_type) co_return received;
    }
}

}  // namespace repartee::testing
