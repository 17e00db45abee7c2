#pragma once
#include "repartee/net/url.hpp"
#include "repartee/net/tls_context.hpp"
#include "repartee/net/websocket.hpp"
#include "repartee/base/metrics.hpp"
#include "repartee/upstream/upstream.hpp"

namespace repartee::upstream {

struct Endpoint {
    net::Url url;              ///< ws or wss, without the model
    std::string api_key;       ///< secret; may be empty
    std::string organization, project;
    std::chrono::milliseconds connect_limit{10'000};  ///< resolve, TCP, TLS, upgrade and session.created together
    net::WebSocketLimits limits;
};

/// A Realtime service behind a WebSocket.
class WebSocketUpstream final : public Upstream {
public:
    WebSocketUpstream(net::WebSocket socket, std::string peer_name, Metrics& metrics);

    Task<std::string_view> receive() override;
    std::optional<std::string_view> try_receive() override;
    awaitable<bool> wait_event() override { return socket_.wait_readable(); }
    Result<void> post(std::string_view event) override;
    Result<void> post_audio(std::span<const std::byte> first, std::span<const std::byte> second) override;
    std::size_t unsent_bytes() const override { return socket_.unsent_bytes(); }
    Task<> sent() override { return socket_.sent(); }
    awaitable<void> close() override;
    std::string_view peer_name() const override { return peer_name_; }

    /// Ends an outstanding receive() with Code::cancelled; nothing is lost.
    void cancel_receive() override { socket_.cancel_read(); }
    bool is_open() const { return socket_.is_open(); }

private:
    std::optional<std::string_view> event_of(const net::Message& message);

    net::WebSocket socket_;
    std::string peer_name_;
    Metrics& metrics_;
};

struct Opened {
    std::unique_ptr<WebSocketUpstream> upstream;
    std::string session_created;
};
/// Connects and waits for session.created. `query` says which session, e.g. "model=gpt-realtime-2.1". `tls` may be null for ws URLs. A refused key or model is Code::upstream_rejected, with the service's words.
Task<Opened> open_upstream(const Endpoint& endpoint, std::string query, const net::TlsContext* tls, Metrics& metrics);

}  // namespace repartee::upstream
