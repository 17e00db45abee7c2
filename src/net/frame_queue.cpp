#include "frame_queue.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace repartee::net {
namespace {

/// Masks must be unpredictable to whoever chose the payload (RFC 6455, 10.3), so they come from the kernel; one system call serves 64 frames.
std::array<std::uint8_t, 4> random_mask()
{
    thread_local std::array<std::uint8_t, 256> pool;
    thread_local std::size_t used = pool.size();
    if (used == pool.size()) {
        if (::getrandom(pool.data(), pool.size(), 0) != static_cast<ssize_t>(pool.size())) throw std::runtime_error("getrandom failed");
        used = 0;
    }
    std::array<std::uint8_t, 4> mask;
    std::memcpy(mask.data(), pool.data() + used, mask.size());
    used += mask.size();
    return mask;
}

}  // namespace

std::span<std::byte> FrameQueue::begin_frame(Opcode opcode, std::size_t payload_bytes)
{
    if (masked_) mask_ = random_mask();
    make_room(frame_header_bytes_max + payload_bytes);
    end_ += write_frame_header(true, opcode, payload_bytes, masked_ ? &mask_ : nullptr, buffer_.data() + end_);
    payload_at_ = end_;
    end_ += payload_bytes;
    return {buffer_.data() + payload_at_, payload_bytes};
}

void FrameQueue::finish_frame()
{
    if (masked_) apply_mask({buffer_.data() + payload_at_, end_ - payload_at_}, mask_);
}

void FrameQueue::append(Opcode opcode, std::span<const std::byte> payload)
{
    const auto place = begin_frame(opcode, payload.size());
    std::copy(payload.begin(), payload.end(), place.begin());
    finish_frame();
}

void FrameQueue::take(std::size_t bytes)
{
    begin_ += bytes;
    taken_ += bytes;
    if (begin_ == end_) drop_unsent();
}

void FrameQueue::drop_unsent()
{
    begin_ = end_ = 0;
    buffer_.release();
}

void FrameQueue::make_room(std::size_t bytes)
{
    if (buffer_.capacity() - end_ >= bytes) return;
    const std::size_t held = end_ - begin_;
    // Moved to the front only when that frees at least half, so that a slow peer's backlog is not moved for every frame.
    if (begin_ >= buffer_.capacity() / 2 && buffer_.capacity() - held >= bytes && held > 0) {
        std::memmove(buffer_.data(), buffer_.data() + begin_, held);
    } else {
        Buffer larger(std::max(held + bytes, 2 * held));
        if (held > 0) std::memcpy(larger.data(), buffer_.data() + begin_, held);
        buffer_ = std::move(larger);
    }
    begin_ = 0;
    end_ = held;
}

}  // namespace repartee::net
