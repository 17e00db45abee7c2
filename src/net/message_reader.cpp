#include "message_reader.hpp"

#include <algorithm>
#include <cstring>

namespace repartee::net {
namespace {

// Many small frames come with one read.
constexpr std::size_t first_room_bytes = 16 << 10;

}  // namespace

MessageReader::MessageReader(bool peer_masks, std::size_t message_bytes_max, std::string_view early)
    : peer_masks_(peer_masks), message_bytes_max_(message_bytes_max)
{
    if (early.empty()) return;
    move_to(early.size());
    std::memcpy(data_.data(), early.data(), early.size());
    end_ = early.size();
}

Result<std::optional<MessageReader::Incoming>> MessageReader::next()
{
    if (fragments_given_out_) {
        fragments_.clear();
        fragments_given_out_ = false;
    }
    for (;;) {
        frame_bytes_ = 0;
        if (unread().empty() || !skip_discarded()) return std::optional<Incoming>{};
        const auto parsed = parse_frame_header(unread());
        if (parsed.has_error()) return parsed.error();
        if (!*parsed) return std::optional<Incoming>{};
        const FrameHeader& header = **parsed;
        if (auto error = refusal(header)) return std::move(*error);
        if (discarding_ && !is_control(header.opcode)) {
            begin_ += header.header_bytes;
            skip_bytes_ = header.payload_bytes;
            continue;
        }

        frame_bytes_ = header.header_bytes + static_cast<std::size_t>(header.payload_bytes);
        if (unread().size() < frame_bytes_) return std::optional<Incoming>{};
        const auto payload = unread().subspan(header.header_bytes, static_cast<std::size_t>(header.payload_bytes));
        begin_ += frame_bytes_;
        frame_bytes_ = 0;
        if (header.masked) apply_mask(payload, header.mask);
        if (is_control(header.opcode)) return std::optional<Incoming>{Incoming{header.opcode, payload}};
        if (auto message = assemble(header, payload)) return message;
    }
}

std::optional<Error> MessageReader::refusal(const FrameHeader& header) const
{
    if (header.masked != peer_masks_)
        return Error{Code::protocol, peer_masks_ ? "Invalid WebSocket frame: a client must mask its frames."
                                                 : "Invalid WebSocket frame: a server must not mask its frames."};
    if (is_control(header.opcode) || discarding_) return std::nullopt;
    const bool continues = header.opcode == Opcode::continuation;
    if (continues && !fragmented_) return Error{Code::protocol, "Invalid WebSocket frame: a continuation of nothing."};
    if (!continues && fragmented_) return Error{Code::protocol, "Invalid WebSocket frame: a new message inside of a fragmented one."};
    if (header.payload_bytes > message_bytes_max_ - fragments_.size())
        return Error{Code::too_large, "The message is larger than " + std::to_string(message_bytes_max_) + " bytes. Send it in smaller ones."};
    return std::nullopt;
}

std::optional<MessageReader::Incoming> MessageReader::assemble(const FrameHeader& header, std::span<const std::byte> payload)
{
    if (header.fin && !fragmented_) return Incoming{header.opcode, payload};
    if (!fragmented_) fragmented_ = header.opcode;
    fragments_.insert(fragments_.end(), payload.begin(), payload.end());
    if (!header.fin) return std::nullopt;
    const Opcode opcode = *fragmented_;
    fragmented_.reset();
    fragments_given_out_ = true;
    return Incoming{opcode, fragments_};
}

/// False while bytes of the discarded message are still to come.
bool MessageReader::skip_discarded()
{
    const auto skipped = std::min<std::uint64_t>(skip_bytes_, unread().size());
    begin_ += static_cast<std::size_t>(skipped);
    skip_bytes_ -= skipped;
    return skip_bytes_ == 0;
}

std::span<std::byte> MessageReader::room()
{
    if (begin_ == end_) begin_ = end_ = 0;
    const std::size_t held = end_ - begin_;
    const std::size_t missing = frame_bytes_ > held ? frame_bytes_ - held : 1;
    // What is held is a part of one frame, so there is little to move; and a large room takes many small frames in one system call.
    if (begin_ > 0 && data_.capacity() - end_ < std::max(missing, data_.capacity() / 2)) move_to(data_.capacity());
    // Grows with what has arrived, not with what a header promises: memory must cost the peer as much as us.
    if (end_ == data_.capacity()) move_to(std::max(2 * data_.capacity(), first_room_bytes));
    return {data_.data() + end_, data_.capacity() - end_};
}

void MessageReader::move_to(std::size_t capacity)
{
    const std::size_t held = end_ - begin_;
    if (capacity == data_.capacity()) {
        std::memmove(data_.data(), data_.data() + begin_, held);
    } else {
        Buffer other(capacity);
        if (held > 0) std::memcpy(other.data(), data_.data() + begin_, held);
        data_ = std::move(other);
    }
    begin_ = 0;
    end_ = held;
}

void MessageReader::release_spare_memory()
{
    const std::size_t held = end_ - begin_;
    if (held == 0) {
        data_.release();
        begin_ = end_ = 0;
    } else if (held <= Buffer::block_bytes_min && data_.capacity() > Buffer::block_bytes_min) {
        move_to(Buffer::block_bytes_min);
    }
    if (fragments_given_out_ || (!fragmented_ && fragments_.capacity() > 0)) {
        std::vector<std::byte>().swap(fragments_);  // an assignment of {} would keep the memory
        fragments_given_out_ = false;
    }
}

}  // namespace repartee::net
