#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace repartee::audio {

/// A lock-free byte ring for one producer thread and one consumer thread.
/// Storage is anonymous mmap: pages never touched cost no memory, so a large capacity is cheap until it is used.
/// Positions are absolute stream offsets (never wrap in practice: 2^64 bytes), so others can pin things to a place in the stream.
class SpscRing {
public:
    /// Rounded up to a power of two of at least one page. Throws std::bad_alloc.
    explicit SpscRing(std::size_t capacity_bytes);
    ~SpscRing();
    SpscRing(const SpscRing&) = delete;
    SpscRing& operator=(const SpscRing&) = delete;

    std::size_t capacity() const { return mask_ + 1; }
    /// Exact for the producer and the consumer; a snapshot for anyone else.
    std::size_t size() const;
    std::size_t free_space() const { return capacity() - size(); }
    std::uint64_t written() const { return written_.load(std::memory_order_acquire); }  ///< offset after the last byte written
    std::uint64_t consumed() const { return consumed_.load(std::memory_order_acquire); }

    // Producer side.
    /// Copies all of `bytes`, or nothing when there is no room. Returns whether it was copied.
    bool write(std::span<const std::byte> bytes);
    /// Free space in place, in stream order (the second part is empty unless the space wraps).
    std::array<std::span<std::byte>, 2> writable();
    void commit(std::size_t n);

    // Consumer side.
    /// What is there, in stream order, at most `limit` bytes; valid until consume().
    std::array<std::span<const std::byte>, 2> readable(std::size_t limit = static_cast<std::size_t>(-1)) const;
    void consume(std::size_t n);

    /// Gives the pages back to the kernel. Only when empty and when producer and consumer are the same thread.
    void release_memory();

private:
    std::byte* data_ = nullptr;
    std::size_t mask_ = 0;
    alignas(64) std::atomic<std::uint64_t> written_{0};
    alignas(64) std::atomic<std::uint64_t> consumed_{0};
};

}  // namespace repartee::audio
