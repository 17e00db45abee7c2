#pragma once
#include "repartee/net/websocket_frame.hpp"

#include <vector>

namespace repartee::net {

/// The sending half of a WebSocket without I/O: frames queue in one buffer while the other one is being written; then the two swap.
/// All that is in one buffer is one batch; batches are numbered from 1.
class FrameQueue {
public:
    explicit FrameQueue(bool masked) : masked_(masked) {}

    /// Copies (and masks). Returns the number of the batch that the frame will go out with.
    std::uint64_t append(Opcode opcode, std::span<const std::byte> payload);
    bool has_pending() const { return !pending_.empty(); }
    std::size_t unsent_bytes() const { return pending_.size() + in_flight_.size() - in_flight_sent_; }
    std::uint64_t finished_batch() const { return finished_batch_; }

    void start_batch();
    /// The next bytes to write, in pieces small enough that each of them shows progress; empty when the batch is finished.
    std::span<const std::byte> next_piece() const;
    void advance(std::size_t bytes) { in_flight_sent_ += bytes; }
    void finish_batch();

    void drop_pending() { pending_.clear(); }
    /// Memory that only a burst needed and that is empty now. Nothing is in flight.
    bool has_spare_memory() const;
    void release_spare_memory();

private:
    bool masked_;
    std::vector<std::byte> pending_, in_flight_;
    std::size_t in_flight_sent_ = 0;
    std::uint64_t finished_batch_ = 0, started_batch_ = 0;
};

}  // namespace repartee::net
