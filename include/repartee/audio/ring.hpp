#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace repartee::audio {

/// A byte ring of one thread (a session never leaves its own). Emptied, it begins again at the start of its memory, so that audio that passes through
/// without delay touches a page or two, however large the ring is.
/// Storage is anonymous mmap: pages never touched cost no memory, so a large capacity is cheap until it is used.
/// Positions are absolute stream offsets (never wrap in practice: 2^64 bytes), so others can pin things to a place in the stream.
class Ring {
public:
    /// Rounded up to a power of two of at least one page. Throws std::bad_alloc.
    explicit Ring(std::size_t capacity_bytes);
    ~Ring();
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    std::size_t capacity() const { return mask_ + 1; }
    std::size_t size() const { return static_cast<std::size_t>(written_ - consumed_); }
    std::size_t free_space() const { return capacity() - size(); }
    std::uint64_t written() const { return written_; }  ///< offset after the last byte written
    std::uint64_t consumed() const { return consumed_; }

    /// Copies all of `bytes`, or nothing when there is no room. Returns whether it was copied.
    bool write(std::span<const std::byte> bytes);
    /// Free space in place, in stream order (the second part is empty unless the space wraps).
    std::array<std::span<std::byte>, 2> writable();
    void commit(std::size_t n);

    /// What is there, in stream order, at most `limit` bytes; valid until the next write, even when consumed.
    std::array<std::span<const std::byte>, 2> readable(std::size_t limit = static_cast<std::size_t>(-1)) const;
    void consume(std::size_t n);

    /// Gives the pages back to the kernel. Only when empty.
    void release_memory();

private:
    std::byte* data_ = nullptr;
    std::size_t mask_ = 0;
    std::uint64_t written_ = 0, consumed_ = 0;
    std::uint64_t origin_ = 0;  ///< the offset that lies at the start of the memory
};

}  // namespace repartee::audio
