#pragma once
#include "repartee/base/buffer.hpp"
#include "repartee/net/websocket_frame.hpp"

#include <vector>

namespace repartee::net {

/// The receiving half of a WebSocket without I/O: bytes in, messages and control frames out. Owns the one receive buffer of a connection.
class MessageReader {
public:
    MessageReader(bool peer_masks, std::size_t message_bytes_max, std::string_view early);

    struct Incoming {
        Opcode opcode;                     ///< text, binary (whole messages), ping, pong or close
        std::span<const std::byte> bytes;  ///< unmasked; valid until next() or room()
    };
    /// nullopt: more bytes are needed. Errors: Code::protocol, Code::too_large; nothing can be read after one.
    Result<std::optional<Incoming>> next();

    /// Where the next bytes go, never empty. Then commit() as many as came.
    std::span<std::byte> room();
    void commit(std::size_t bytes) { end_ += bytes; }

    /// Forgets what has come, when nothing of it matters any more.
    void drop_received() { begin_ = end_ = 0; }

    /// From now on only control frames come out; messages are dropped as they arrive, whatever their size.
    void discard_messages() { discarding_ = true; }

    /// To be called before waiting for more: gives back the memory that what is held does not need. No span may be in use.
    void release_spare_memory();

private:
    std::span<std::byte> unread() { return {data_.data() + begin_, end_ - begin_}; }
    std::optional<Error> refusal(const FrameHeader& header) const;
    std::optional<Incoming> assemble(const FrameHeader& header, std::span<const std::byte> payload);
    bool skip_discarded();
    void move_to(std::size_t capacity);

    bool peer_masks_, discarding_ = false;
    std::size_t message_bytes_max_;

    Buffer data_;
    std::size_t begin_ = 0, end_ = 0;
    std::size_t frame_bytes_ = 0;   ///< of the frame at begin_, when its header is known
    std::uint64_t skip_bytes_ = 0;  ///< of a discarded message, still to come

    std::vector<std::byte> fragments_;
    std::optional<Opcode> fragmented_;  ///< the message that fragments_ belong to
    bool fragments_given_out_ = false;
};

}  // namespace repartee::net
