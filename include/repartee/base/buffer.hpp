#pragma once
#include <cstddef>

namespace repartee {

/// A block of bytes from this thread's store. A connection holds one only while it has bytes to keep, so that thousands of quiet connections share the
/// few blocks that are in use at any moment, and the busy ones do not allocate. What a burst took more goes back to the kernel. A block may be released
/// by another thread than the one that took it.
class Buffer {
public:
    static constexpr std::size_t block_bytes_min = 4 << 10;

    Buffer() = default;
    /// At least `bytes`, rounded up to a power of two.
    explicit Buffer(std::size_t bytes);
    ~Buffer() { release(); }
    Buffer(Buffer&& other) noexcept;
    Buffer& operator=(Buffer&& other) noexcept;

    std::byte* data() const { return data_; }
    std::size_t capacity() const { return capacity_; }
    void release();

private:
    std::byte* data_ = nullptr;
    std::size_t capacity_ = 0;
};

}  // namespace repartee
