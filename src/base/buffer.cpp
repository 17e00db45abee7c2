#include "repartee/base/buffer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace repartee {
namespace {

// Larger blocks are rare, and go back to the allocator.
constexpr std::size_t kept_block_bytes_max = 256 << 10;
constexpr std::size_t kept_bytes_max = 1 << 20;
constexpr std::size_t sizes = static_cast<std::size_t>(std::countr_zero(kept_block_bytes_max) - std::countr_zero(Buffer::block_bytes_min)) + 1;

/// A free block's first bytes say where the next one of its size is.
struct Store {
    std::array<std::byte*, sizes> first{};
    std::size_t kept_bytes = 0;

    std::byte* take(std::size_t capacity)
    {
        std::byte** const list = capacity <= kept_block_bytes_max ? &first[place_of(capacity)] : nullptr;
        if (!list || !*list) return allocate(capacity);
        std::byte* const block = *list;
        std::memcpy(list, block, sizeof *list);
        kept_bytes -= capacity;
        return block;
    }

    void give_back(std::byte* block, std::size_t capacity)
    {
        if (capacity > kept_block_bytes_max || kept_bytes + capacity > kept_bytes_max) {
            delete[] block;
            return;
        }
        std::byte*& list = first[place_of(capacity)];
        std::memcpy(block, &list, sizeof list);
        list = block;
        kept_bytes += capacity;
    }

    void clear()
    {
        for (std::byte*& list : first)
            while (list) {
                std::byte* const block = list;
                std::memcpy(&list, block, sizeof list);
                delete[] block;
            }
        kept_bytes = kept_bytes_max;  // what comes back later, while the thread ends, goes to the allocator
    }

    static std::byte* allocate(std::size_t capacity);

    static std::size_t place_of(std::size_t capacity)
    {
        return static_cast<std::size_t>(std::countr_zero(capacity) - std::countr_zero(Buffer::block_bytes_min));
    }
};

// Without a constructor or a destructor, so that reaching it costs nothing.
thread_local constinit Store of_this_thread;

struct Clearing {
    bool begun = false;
    ~Clearing() { of_this_thread.clear(); }
};

std::byte* Store::allocate(std::size_t capacity)
{
    thread_local Clearing at_the_end;
    at_the_end.begun = true;
    return new std::byte[capacity];
}

}  // namespace

Buffer::Buffer(std::size_t bytes) : capacity_(std::bit_ceil(std::max(bytes, block_bytes_min))) { data_ = of_this_thread.take(capacity_); }

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
    of_this_thread.give_back(std::exchange(data_, nullptr), std::exchange(capacity_, 0));
}

}  // namespace repartee
