#pragma once
#include "repartee/net/byte_stream.hpp"
#include "repartee/net/websocket_frame.hpp"

#include <functional>
#include <optional>

namespace repartee::net {

struct WebSocketLimits {
    std::size_t message_bytes_max = 1 << 20;     ///< larger ones: Code::too_large, close 1009
    std::chrono::milliseconds ping_interval{20'000};
    std::chrono::milliseconds idle_limit{60'000};   ///< nothing at all received (pongs count): closed with 1008 "idle_timeout", Code::idle
    std::chrono::milliseconds write_limit{15'000};  ///< one write stuck this long: closed, Code::slow_client
    std::chrono::milliseconds close_limit{3'000};   ///< waiting for the peer's close
};

struct Message {
    bool binary = false;
    std::span<const std::byte> bytes;  ///< valid until the next read(), take(), receive() or close()
    std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

/// A client's WebSocket between two event loops, just after the opening handshake. May go to any thread; dropped, it closes the connection.
struct PartedWebSocket {
    PartedStream stream;
    WebSocketLimits limits;
    std::string early;  ///< bytes that came behind the handshake's header
};

/// A WebSocket (RFC 6455, no extensions) over a ByteStream, after the opening handshake, in either role.
/// One read() and any number of writes may be outstanding: writes queue in call order, and what queued during a write goes out in the next one
/// together. Pings are sent, and the limits watched, from construction to the end; silence counts only while a read() is outstanding, which is also
/// what answers pings. Everything on the stream's executor. Reads are resumable: cancel_read() loses nothing, also in the middle of a frame.
class WebSocket {
public:
    enum class Role { server, client };

    /// `early`: bytes that came behind the handshake's header.
    WebSocket(ByteStream stream, Role role, WebSocketLimits limits, std::string early = {});
    /// Of a server, on another event loop; called on that one's thread.
    static WebSocket join(asio::any_io_executor executor, PartedWebSocket parted);
    ~WebSocket();
    WebSocket(WebSocket&&) noexcept;
    WebSocket& operator=(WebSocket&&) noexcept;

    /// The next whole message; text is checked for UTF-8. Code::closed when the peer closed (see close_code()), Code::protocol, Code::too_large
    /// (both: the close frame has been sent), Code::idle, Code::slow_client, Code::cancelled.
    Task<Message> read();
    /// The same without waiting, for the hot path. take(): the next message of those that receive() has fetched. receive(): false when the socket has
    /// nothing; then await wait_readable(). That one is false when the connection ends: read() sees it through and tells why.
    std::optional<Message> take();
    bool receive();
    awaitable<bool> wait_readable();

    /// Queues a frame and hands the socket what it takes at once; the payload need not outlive the call. Refused (Code::closed, or what ended the
    /// connection) from close() or the peer's close on. Nothing bounds the queue but the caller: look at unsent_bytes(), await sent().
    Result<void> send_text(std::string_view text);
    Result<void> send_binary(std::span<const std::byte> bytes);
    /// A text frame built in place: the caller fills exactly `bytes`, then calls finish_text() before anything else.
    Result<std::span<std::byte>> begin_text(std::size_t bytes);
    void finish_text();
    /// Ends when the stream has taken all that was queued at the call.
    Task<> sent();
    /// send_text(), then sent(). The frame is queued at the call.
    Task<> write_text(std::string_view text);
    Task<> write_binary(std::span<const std::byte> bytes);
    /// Bytes queued or in flight that the socket has not taken yet.
    std::size_t unsent_bytes() const;
    /// The same, and what the peer's side has not acknowledged.
    std::size_t unacknowledged_bytes() const;
    void cancel_read();

    /// Sends a close frame and waits for the peer's, bounded; then the stream is closed. Safe to call more than once, and while a read() is
    /// outstanding (that read ends with Code::closed).
    awaitable<void> close(std::uint16_t code, std::string reason);
    /// Immediate end without a close frame.
    void abort();

    bool is_open() const;
    std::uint16_t close_code() const;         ///< the peer's: 1005 none given, 1006 no close frame came
    const std::string& close_reason() const;
    bool is_tls() const;
    std::string remote_address() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// The client's side of the opening handshake on a connected stream.
struct WebSocketRequest {
    std::string host;    ///< for the Host header, with port when it is not the default
    std::string target;  ///< path and query
    std::vector<std::pair<std::string, std::string>> headers;
    std::string subprotocols;  ///< as in Sec-WebSocket-Protocol; empty: none
};
/// Error Code::upstream_rejected for 401/403/404 (the body's error text in the message, cut), Code::upstream_unavailable for other statuses.
Task<WebSocket> websocket_connect(ByteStream stream, WebSocketRequest request, WebSocketLimits limits, std::chrono::milliseconds limit);

}  // namespace repartee::net
