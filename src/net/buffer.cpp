#include "buffer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>
#include <vector>

namespace repartee::net {
namespace {

// Larger blocks are rare, and go back to the allocator.
constexpr std::size_t kept_block_bytes_max = 256 << 10;
constexpr std::size_t kept_bytes_max = 1 << 20;
constexpr std::size_t sizes = static_cast<std::size_t>(std::countr_zero(kept_block_bytes_max) - std::countr_zero(Buffer::block_bytes_min)) + 1;

class Store {
public:
    Store() = default;
    ~Store()
    {
        for (auto& blocks : free_)
            for (std::byte* block : blocks) delete[] block;
    }
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    std::byte* take(std::size_t capacity)
    {
        if (capacity <= kept_block_bytes_max && !of(capacity).empty()) {
            std::byte* const block = of(capacity).back();
            of(capacity).pop_back();
            kept_bytes_ -= capacity;
            return block;
        }
        return new std::byte[capacity];
    }

    void give_back(std::byte* block, std::size_t capacity)
    {
        if (capacity > kept_block_bytes_max || kept_bytes_ + capacity > kept_bytes_max) {
            delete[] block;
            return;
        }
        of(capacity).push_back(block);
        kept_bytes_ += capacity;
    }

private:
    std::vector<std::byte*>& of(std::size_t capacity)
    {
        return free_[static_cast<std::size_t>(std::countr_zero(capacity) - std::countr_zero(Buffer::block_bytes_min))];
    }

    std::array<std::vector<std::byte*>, sizes> free_;
    std::size_t kept_bytes_ = 0;
};

Store& store()
{
    thread_local Store of_this_thread;
    return of_this_thread;
}

}  // namespace

Buffer::Buffer(std::size_t bytes) : capacity_(std::bit_ceil(std::max(bytes, block_bytes_min))) { data_ = store().take(capacity_); }

Buffer::Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), capacity_(std::exchange(other.capacity_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept
{
    if (this == &other) return *this;
    release();
    data_ = std::exchange(other.data_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
}

void Buffer::release()
{
    if (!data_) return;
    store().give_back(std::exchange(data_, nullptr), std::exchange(capacity_, 0));
}

}  // namespace repartee::net
