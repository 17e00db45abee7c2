#include "frame_queue.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace repartee::net {
namespace {

constexpr std::size_t piece_bytes_max = 64 << 10;
constexpr std::size_t spare_bytes = 16 << 10;

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

bool is_spare(const std::vector<std::byte>& buffer) { return buffer.empty() && buffer.capacity() > spare_bytes; }

}  // namespace

std::uint64_t FrameQueue::append(Opcode opcode, std::span<const std::byte> payload)
{
    std::array<std::uint8_t, 4> mask{};
    if (masked_) mask = random_mask();
    std::array<std::byte, frame_header_bytes_max> header;
    const std::size_t header_bytes = write_frame_header(true, opcode, payload.size(), masked_ ? &mask : nullptr, header.data());
    pending_.insert(pending_.end(), header.begin(), header.begin() + static_cast<std::ptrdiff_t>(header_bytes));
    const std::size_t payload_at = pending_.size();
    pending_.insert(pending_.end(), payload.begin(), payload.end());
    if (masked_) apply_mask(std::span(pending_).subspan(payload_at), mask);
    return started_batch_ + 1;
}

void FrameQueue::start_batch()
{
    pending_.swap(in_flight_);
    ++started_batch_;
}

std::span<const std::byte> FrameQueue::next_piece() const
{
    const auto rest = std::span(in_flight_).subspan(in_flight_sent_);
    return rest.first(std::min(rest.size(), piece_bytes_max));
}

void FrameQueue::finish_batch()
{
    in_flight_.clear();
    in_flight_sent_ = 0;
    finished_batch_ = started_batch_;
}

bool FrameQueue::has_spare_memory() const { return is_spare(pending_) || is_spare(in_flight_); }

void FrameQueue::release_spare_memory()
{
    for (auto* buffer : {&pending_, &in_flight_})
        if (is_spare(*buffer)) std::vector<std::byte>().swap(*buffer);  // an assignment of {} would keep the memory
}

}  // namespace repartee::net
