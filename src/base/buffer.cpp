#include "repartee/base/buffer.hpp"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace repartee {
namespace {

// Larger blocks are rare, and go back to the allocator.
constexpr std::size_t mapped_block_bytes_max = 256 << 10;
constexpr std::size_t mapping_bytes = 1 << 20;
constexpr std::size_t sizes = static_cast<std::size_t>(std::countr_zero(mapped_block_bytes_max) - std::countr_zero(Buffer::block_bytes_min)) + 1;
// Several rounds of a thousand sessions: blocks that each round needs again stay.
constexpr unsigned returns_between_tidying = 4'096;
// A microsecond each, while the thread's voices wait.
constexpr std::size_t tidied_at_once_max = 256;

std::size_t bytes_at(std::size_t place) { return Buffer::block_bytes_min << place; }

/// The blocks that no thread has. Their pages are the kernel's until somebody writes to them. They are mapped, not allocated: what a burst needed
/// once would lie between what lives long, and an allocator could not give it back.
class Depot {
public:
    std::byte* take(std::size_t place)
    {
        const std::lock_guard lock(mutex_);
        Shelf& shelf = shelves_[place];
        if (shelf.blocks.empty()) map_more(shelf, bytes_at(place));
        std::byte* const block = shelf.blocks.back();
        shelf.blocks.pop_back();
        return block;
    }

    void give_back(std::byte* block, std::size_t place)
    {
        ::madvise(block, bytes_at(place), MADV_DONTNEED);
        const std::lock_guard lock(mutex_);
        shelves_[place].blocks.push_back(block);  // has room for all there are
    }

private:
    struct Shelf {
        std::vector<std::byte*> blocks;
        std::size_t mapped = 0;
    };

    static void map_more(Shelf& shelf, std::size_t block_bytes)
    {
        const std::size_t count = mapping_bytes / block_bytes;
        shelf.blocks.reserve(shelf.mapped + count);
        void* const mapping = ::mmap(nullptr, mapping_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapping == MAP_FAILED) throw std::bad_alloc();
        shelf.mapped += count;
        for (std::size_t i = count; i-- > 0;) shelf.blocks.push_back(static_cast<std::byte*>(mapping) + i * block_bytes);
    }

    std::mutex mutex_;
    std::array<Shelf, sizes> shelves_;
};

/// Never destroyed: threads may end after main().
Depot& depot()
{
    static Depot* const made = new Depot;
    return *made;
}

/// A thread's own blocks. A free block's first bytes say where the next one of its size is.
struct Store {
    struct Shelf {
        std::byte* first = nullptr;
        std::size_t count = 0;
        std::size_t unused = 0;  ///< the fewest there were since the last tidying
    };
    std::array<Shelf, sizes> shelves{};
    unsigned returns = 0;
    enum class State : std::uint8_t { unused, used, ended } state = State::unused;

    std::byte* take(std::size_t place)
    {
        Shelf& shelf = shelves[place];
        if (!shelf.first) return depot().take(place);
        std::byte* const block = pop(shelf, place);
        shelf.unused = std::min(shelf.unused, shelf.count);
        return block;
    }

    void give_back(std::byte* block, std::size_t place)
    {
        if (state != State::used && !begin()) return depot().give_back(block, place);
        Shelf& shelf = shelves[place];
        std::memcpy(block, &shelf.first, sizeof shelf.first);
        shelf.first = block;
        ++shelf.count;
        ASAN_POISON_MEMORY_REGION(block, bytes_at(place));
        if (++returns == returns_between_tidying) tidy(tidied_at_once_max);
    }

    void tidy(std::size_t blocks_max)
    {
        returns = 0;
        for (std::size_t place = 0; place < sizes; ++place) {
            Shelf& shelf = shelves[place];
            for (; shelf.unused > 0 && blocks_max > 0; --shelf.unused, --blocks_max) depot().give_back(pop(shelf, place), place);
            shelf.unused = shelf.count;
        }
    }

    void end()
    {
        for (Shelf& shelf : shelves) shelf.unused = shelf.count;
        tidy(static_cast<std::size_t>(-1));
        state = State::ended;
    }

    static std::byte* pop(Shelf& shelf, [[maybe_unused]] std::size_t place)
    {
        std::byte* const block = shelf.first;
        ASAN_UNPOISON_MEMORY_REGION(block, bytes_at(place));
        std::memcpy(&shelf.first, block, sizeof shelf.first);
        --shelf.count;
        return block;
    }

    /// Whether the thread has not ended yet.
    bool begin();
};

// Without a constructor or a destructor, so that reaching it costs nothing.
thread_local constinit Store of_this_thread;

bool Store::begin()
{
    struct AtTheEnd {
        ~AtTheEnd() { of_this_thread.end(); }
    };
    if (state == State::ended) return false;
    static thread_local const AtTheEnd at_the_end;
    state = State::used;
    return true;
}

std::size_t place_of(std::size_t capacity)
{
    return static_cast<std::size_t>(std::countr_zero(capacity) - std::countr_zero(Buffer::block_bytes_min));
}

}  // namespace

Buffer::Buffer(std::size_t bytes) : capacity_(std::bit_ceil(std::max(bytes, block_bytes_min)))
{
    data_ = capacity_ > mapped_block_bytes_max ? new std::byte[capacity_] : of_this_thread.take(place_of(capacity_));
}

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
    std::byte* const block = std::exchange(data_, nullptr);
    const std::size_t capacity = std::exchange(capacity_, 0);
    capacity > mapped_block_bytes_max ? delete[] block : of_this_thread.give_back(block, place_of(capacity));
}

}  // namespace repartee
