#pragma once
#include "relays.hpp"

#include <array>
#include <atomic>
#include <stdexcept>

namespace decisions {

/// Frames on their way from one thread to one other, without a lock.
class SpscFrames {
public:
    struct Slot {
        Connection* to = nullptr;
        std::array<std::byte, upstream_frame_bytes> bytes;
    };

    /// The slot to fill, then publish(). Throws when the other thread does not keep up.
    Slot& next()
    {
        if (written_.load(std::memory_order_relaxed) - read_.load(std::memory_order_acquire) == slots_.size())
            throw std::runtime_error("the other thread does not keep up");
        return slots_[written_.load(std::memory_order_relaxed) % slots_.size()];
    }
    // Sequentially consistent, as the consumer's flag of sleep is: one of the two threads must see the other's write.
    void publish() { written_.store(written_.load(std::memory_order_relaxed) + 1); }

    bool empty() const { return written_.load() == read_.load(std::memory_order_relaxed); }
    const Slot& front() const { return slots_[read_.load(std::memory_order_relaxed) % slots_.size()]; }
    void pop() { read_.store(read_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

private:
    std::vector<Slot> slots_ = std::vector<Slot>(4096);
    alignas(64) std::atomic<std::size_t> written_ = 0;
    alignas(64) std::atomic<std::size_t> read_ = 0;
};

}  // namespace decisions
