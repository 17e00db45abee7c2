#include "repartee/audio/ring.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace repartee::audio {
namespace {

std::size_t rounded_capacity(std::size_t bytes)
{
    if (bytes > std::numeric_limits<std::size_t>::max() / 2) throw std::bad_alloc();  // no power of two above it
    return std::bit_ceil(std::max(bytes, Buffer::block_bytes_min));
}

}  // namespace

Ring::Ring(std::size_t capacity_bytes) : capacity_(rounded_capacity(capacity_bytes)) {}

bool Ring::write(std::span<const std::byte> bytes)
{
    if (bytes.empty()) return true;
    if (bytes.size() > free_space()) return false;
    grow_for(bytes.size());
    const std::size_t begin = place(written_);
    const auto first = bytes.first(std::min(bytes.size(), memory_.capacity() - begin));
    const auto second = bytes.subspan(first.size());
    std::memcpy(memory_.data() + begin, first.data(), first.size());
    if (!second.empty()) std::memcpy(memory_.data(), second.data(), second.size());
    written_ += bytes.size();
    return true;
}

std::span<std::byte> Ring::reserve(std::size_t bytes)
{
    if (bytes == 0 || bytes > free_space()) return {};
    grow_for(bytes);
    const bool wraps = memory_.capacity() - place(written_) < bytes;
    // All of it moves: in two pieces it would leave as two frames, and a system call costs more than the copy.
    if (wraps) move_to_start_of(Buffer(memory_.capacity()));
    return {memory_.data() + place(written_), bytes};
}

void Ring::commit(std::size_t n)
{
    assert(n <= free_space());
    written_ += n;
}

void Ring::take_back(std::size_t n)
{
    assert(n <= size());
    written_ -= n;
}

std::array<std::span<const std::byte>, 2> Ring::readable(std::size_t limit) const { return readable_at(consumed_, limit); }

std::array<std::span<const std::byte>, 2> Ring::readable_at(std::uint64_t from, std::size_t limit) const
{
    if (from < consumed_ || from >= written_) return {};
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(written_ - from, limit));
    const std::size_t begin = place(from);
    const std::size_t before_end = std::min(length, memory_.capacity() - begin);
    return {std::span<const std::byte>(memory_.data() + begin, before_end), std::span<const std::byte>(memory_.data(), length - before_end)};
}

void Ring::consume(std::size_t n)
{
    assert(n <= size());
    consumed_ += n;
    if (size() == 0) origin_ = written_;
}

void Ring::release_memory()
{
    if (size() == 0) memory_.release();
}

void Ring::fit_memory()
{
    if (size() == 0) return memory_.release();
    if (rounded_capacity(size()) < memory_.capacity()) move_to_start_of(Buffer(size()));
}

void Ring::grow_for(std::size_t more)
{
    if (size() + more > memory_.capacity()) move_to_start_of(Buffer(size() + more));
}

void Ring::move_to_start_of(Buffer other)
{
    std::size_t moved = 0;
    for (const auto& part : readable()) {
        if (part.empty()) continue;
        std::memcpy(other.data() + moved, part.data(), part.size());
        moved += part.size();
    }
    memory_ = std::move(other);
    origin_ = consumed_;
}

}  // namespace repartee::audio
