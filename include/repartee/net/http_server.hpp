#pragma once
#include "repartee/net/byte_stream.hpp"
#include "repartee/net/http_message.hpp"
#include "repartee/net/websocket.hpp"

#include <functional>
#include <variant>

namespace repartee::net {

/// What a request with a body may send.
struct BodyPermit {
    std::size_t bytes_max = 1 << 20;
    std::chrono::milliseconds limit{30'000};
    std::shared_ptr<void> held{};  ///< e.g. a place among the uploads; kept with the Request
};
/// Asked when the header of a request with a body has come (`head.body` is empty; not for GET and HEAD): a permit, or the answer at once (401, 413,
/// 503), after which the connection ends.
using BodyGate = std::function<std::variant<BodyPermit, Response>(const Request& head, std::optional<std::uint64_t> content_length)>;

struct HttpLimits {
    std::size_t header_bytes_max = 16 << 10;
    std::size_t body_bytes_max = 1 << 20;
    std::chrono::milliseconds header_limit{10'000};  ///< whole request header, from its first byte or the connection's start
    std::chrono::milliseconds body_limit{30'000};
    std::chrono::milliseconds keep_alive_limit{30'000};
    std::chrono::milliseconds write_limit{30'000};
    BodyGate body_gate{};  ///< none: body_bytes_max and body_limit for all
};

/// What a handler decides for an upgrade request: become a WebSocket (with this subprotocol) that is run or handed over, or answer like
/// any other request.
struct Upgrade {
    std::string subprotocol;  ///< one the client offered, or empty
    WebSocketLimits limits;
    std::function<awaitable<void>(WebSocket)> run{};
    /// When set, instead of run: takes the connection out of this event loop, and serve_http() is done with it. Destroyed uncalled when the client is
    /// gone before the handshake's answer was sent.
    std::function<void(PartedWebSocket)> hand_over{};
};
using Reply = std::variant<Response, Upgrade>;
using Handler = std::function<awaitable<Reply>(Request)>;

/// Serves one client connection until it ends: HTTP/1.1 with keep-alive and pipelining in order, `Expect: 100-continue`, HEAD; or one WebSocket.
/// Malformed requests are answered 400, oversize ones 413/431, then closed. Never throws; returns when the connection is over.
/// `handler` outlives the call.
awaitable<void> serve_http(ByteStream stream, const Handler& handler, HttpLimits limits);

}  // namespace repartee::net
