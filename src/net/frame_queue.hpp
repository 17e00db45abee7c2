#pragma once
#include "repartee/base/buffer.hpp"
#include "repartee/net/websocket_frame.hpp"

namespace repartee::net {

/// The sending half of a WebSocket without I/O: frames are built in place, one behind the other, and leave from there.
class FrameQueue {
public:
    explicit FrameQueue(bool masked) : masked_(masked) {}

    /// A new frame's payload, to be written by the caller, who then calls finish_frame(). Nothing else may be called between.
    std::span<std::byte> begin_frame(Opcode opcode, std::size_t payload_bytes);
    void finish_frame();
    void append(Opcode opcode, std::span<const std::byte> payload);

    /// What has not been taken yet; stays in place, first, until it is taken (TLS may have begun to send it).
    std::span<const std::byte> unsent() const { return {buffer_.data() + begin_, end_ - begin_}; }
    void take(std::size_t bytes);
    void drop_unsent();

    /// Positions in the stream of all bytes ever queued.
    std::uint64_t queued() const { return taken_ + (end_ - begin_); }
    std::uint64_t taken() const { return taken_; }

private:
    void make_room(std::size_t bytes);

    bool masked_;
    Buffer buffer_;
    std::size_t begin_ = 0, end_ = 0;
    std::uint64_t taken_ = 0;
    std::size_t payload_at_ = 0;
    std::array<std::uint8_t, 4> mask_{};
};

}  // namespace repartee::net
