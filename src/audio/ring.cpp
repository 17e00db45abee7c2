#include "repartee/audio/ring.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>

#include <sys/mman.h>
#include <unistd.h>

namespace repartee::audio {
namespace {

std::size_t rounded_capacity(std::size_t bytes)
{
    if (bytes > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();  // no power of two above it
    return std::bit_ceil(std::max(bytes, static_cast<std::size_t>(sysconf(_SC_PAGESIZE))));
}

/// `length` bytes from `offset` on, in at most two parts.
template <class Byte>
std::array<std::span<Byte>, 2> parts(Byte* data, std::size_t mask, std::uint64_t offset, std::size_t length)
{
    const std::size_t begin = static_cast<std::size_t>(offset) & mask;
    const std::size_t before_end = std::min(length, mask + 1 - begin);
    return {std::span<Byte>(data + begin, before_end), std::span<Byte>(data, length - before_end)};
}

}  // namespace

Ring::Ring(std::size_t capacity_bytes) : mask_(rounded_capacity(capacity_bytes) - 1)
{
    void* const pages = mmap(nullptr, capacity(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED) throw std::bad_alloc();
    data_ = static_cast<std::byte*>(pages);
    // A huge page would make the first byte of a hardly used ring cost 2 MiB. Kernels without huge pages refuse, which is just as well.
    madvise(data_, capacity(), MADV_NOHUGEPAGE);
}

Ring::~Ring() { munmap(data_, capacity()); }

bool Ring::write(std::span<const std::byte> bytes)
{
    if (bytes.empty()) return true;
    if (bytes.size() > free_space()) return false;
    const auto [first, second] = parts(data_, mask_, written_ - origin_, bytes.size());
    std::memcpy(first.data(), bytes.data(), first.size());
    if (!second.empty()) std::memcpy(second.data(), bytes.data() + first.size(), second.size());
    written_ += bytes.size();
    return true;
}

std::array<std::span<std::byte>, 2> Ring::writable()
{
    return parts(data_, mask_, written_ - origin_, free_space());
}

void Ring::commit(std::size_t n)
{
    assert(n <= free_space());
    written_ += n;
}

std::array<std::span<const std::byte>, 2> Ring::readable(std::size_t limit) const
{
    return parts<const std::byte>(data_, mask_, consumed_ - origin_, std::min(size(), limit));
}

void Ring::consume(std::size_t n)
{
    assert(n <= size());
    consumed_ += n;
    if (size() == 0) origin_ = written_;
}

void Ring::release_memory()
{
    assert(size() == 0);
    madvise(data_, capacity(), MADV_DONTNEED);
}

}  // namespace repartee::audio
