#pragma once
#include "event_loop.hpp"
#include "repartee/net/websocket_frame.hpp"
#include "socket.hpp"
#include "ws_handshake.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::bench {

/// What a connection tells its owner. Views are valid during the call. The connection must not be destroyed in one: use EventLoop::later().
class WsHandler {
public:
    /// `target`: as requested; empty for a client.
    virtual void on_open(std::string_view target) = 0;
    virtual void on_text(std::string_view text) = 0;
    virtual void on_binary(std::span<const std::byte> bytes) = 0;
    /// Everything queued has gone to the kernel, after it had not.
    virtual void on_drained() {}
    /// Once, and nothing after it. `code` is the peer's close code, 1006 when it sent none.
    virtual void on_closed(std::uint16_t code, const std::string& why) = 0;

protected:
    ~WsHandler() = default;
};

/// When the steps of a client's opening were done; 0: not yet, or not part of it.
struct OpeningTimes {
    std::int64_t begun_ns = 0, connected_ns = 0, secured_ns = 0, upgraded_ns = 0;
};

/// A WebSocket over a socket, either role. Frames are read and unmasked in place; what is queued during a round leaves with one write.
class WsConnection final : private Watcher {
public:
    /// A server's: `socket` was accepted.
    WsConnection(EventLoop& loop, std::unique_ptr<Socket> socket, WsHandler& handler);
    /// A client's: `socket` is connecting.
    WsConnection(EventLoop& loop, std::unique_ptr<Socket> socket, WsHandler& handler, const WsUrl& url, const Headers& headers);
    ~WsConnection();

    /// Queues the head of a frame; append exactly `payload_bytes` to the returned string, then end_frame().
    std::string& begin_frame(net::Opcode opcode, std::size_t payload_bytes);
    void end_frame();
    void queue(net::Opcode opcode, std::span<const std::byte> payload);
    void queue_text(std::string_view text) { queue(net::Opcode::text, std::as_bytes(std::span(text))); }
    /// Gives the kernel what is queued; the rest follows by itself. Called for whatever an on_… call has queued.
    void flush();

    /// Sends a close frame and waits for the peer's.
    void close(std::uint16_t code);
    /// Ends at once; on_closed is called.
    void fail(const std::string& why);

    bool is_open() const { return state_ == State::open; }
    bool is_closed() const { return state_ == State::closed; }
    std::size_t queued_bytes() const { return out_.size() - out_sent_; }
    /// When the bytes being handled came out of the kernel.
    std::int64_t received_at_ns() const { return received_at_ns_; }
    const OpeningTimes& times() const { return times_; }
    std::string step() const;

private:
    enum class State { connecting, securing, upgrading, open, closing, closed };

    void on_ready(std::uint32_t events) override;
    void on_connected();
    void secure();
    void after_secured();
    void read_some();
    std::size_t take(std::span<std::byte> bytes);
    std::size_t take_head(std::span<std::byte> bytes);
    std::size_t take_frames(std::span<std::byte> bytes);
    bool take_frame(const net::FrameHeader& header, std::span<std::byte> payload);
    void deliver(net::Opcode opcode, std::span<const std::byte> payload);
    void watch_for(std::uint32_t events);
    void end(std::uint16_t code, const std::string& why);

    EventLoop& loop_;
    std::unique_ptr<Socket> socket_;
    WsHandler& handler_;
    const bool is_client_;
    State state_;
    std::uint32_t events_ = 0;

    std::string out_;
    std::size_t out_sent_ = 0, frame_begin_ = 0;
    bool blocked_ = false;
    std::array<std::uint8_t, 4> mask_{};
    std::uint64_t mask_state_;

    std::vector<std::byte> rest_;       ///< the beginning of a frame or head whose end has not come
    std::vector<std::byte> fragments_;
    net::Opcode fragmented_ = net::Opcode::continuation;

    std::int64_t received_at_ns_ = 0;
    OpeningTimes times_;
    std::string key_, request_;
};

}  // namespace repartee::bench
