#pragma once
#include "repartee/base/buffer.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace repartee::audio {

/// A byte ring of one thread (a session never leaves its own). Its memory grows with what waits, up to the capacity, and is borrowed from the thread:
/// audio that passes through without delay costs a session nothing to keep.
/// Positions are absolute stream offsets (never wrap in practice: 2^64 bytes), so others can pin things to a place in the stream.
class Ring {
public:
    /// Rounded up to a power of two of at least one block.
    explicit Ring(std::size_t capacity_bytes);

    std::size_t capacity() const { return capacity_; }
    std::size_t size() const { return static_cast<std::size_t>(written_ - consumed_); }
    std::size_t free_space() const { return capacity() - size(); }
    std::uint64_t written() const { return written_; }  ///< offset after the last byte written
    std::uint64_t consumed() const { return consumed_; }

    /// Copies all of `bytes`, or nothing when there is no room. Returns whether it was copied.
    bool write(std::span<const std::byte> bytes);
    /// Free space of `bytes` in one piece, to be filled and committed; empty when there is no room.
    std::span<std::byte> reserve(std::size_t bytes);
    void commit(std::size_t n);
    /// The newest `n` bytes were not meant.
    void take_back(std::size_t n);

    /// What is there, in stream order, at most `limit` bytes; valid until the next write(), reserve() or release_memory(), even when consumed.
    std::array<std::span<const std::byte>, 2> readable(std::size_t limit = static_cast<std::size_t>(-1)) const;
    /// The same from any offset in [consumed(), written()] on; empty outside of it. For owners that keep what they have passed on: consume() lets go.
    std::array<std::span<const std::byte>, 2> readable_at(std::uint64_t from, std::size_t limit = static_cast<std::size_t>(-1)) const;
    void consume(std::size_t n);

    /// Gives the memory back, when nothing is in it.
    void release_memory();
    /// The same, and what is there moves to the smallest block that holds it: for owners that never let go of all.
    void fit_memory();
    std::size_t memory_bytes() const { return memory_.capacity(); }

private:
    void grow_for(std::size_t more);
    void move_to_start_of(Buffer other);
    /// Where an offset lies.
    std::size_t place(std::uint64_t offset) const { return static_cast<std::size_t>(offset - origin_) & (memory_.capacity() - 1); }

    Buffer memory_;
    std::size_t capacity_;
    std::uint64_t written_ = 0, consumed_ = 0;
    std::uint64_t origin_ = 0;  ///< the offset that lies at the start of the memory
};

}  // namespace repartee::audio
