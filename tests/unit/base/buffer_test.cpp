#include "repartee/base/buffer.hpp"

#include <catch2/catch.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

using repartee::Buffer;

namespace {

/// Whether a block's first page takes memory.
bool is_resident(std::byte* block)
{
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    unsigned char resident = 0;
    REQUIRE(::mincore(reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(block) & ~(page - 1)), 1, &resident) == 0);
    return (resident & 1) != 0;
}

std::vector<Buffer> written_blocks(std::size_t count, std::size_t bytes)
{
    std::vector<Buffer> blocks;
    for (std::size_t i = 0; i < count; ++i) {
        blocks.emplace_back(bytes);
        std::memset(blocks.back().data(), 0x5A, blocks.back().capacity());
    }
    return blocks;
}

std::size_t residents(const std::vector<std::byte*>& places)
{
    std::size_t count = 0;
    for (std::byte* const place : places) count += is_resident(place);
    return count;
}

void pass_blocks(std::size_t times, std::size_t bytes)
{
    for (std::size_t i = 0; i < times; ++i) *Buffer(bytes).data() = std::byte{1};
}

}  // namespace

TEST_CASE("A buffer holds a power of two, at least what was asked for")
{
    for (const std::size_t bytes : {std::size_t{1}, Buffer::block_bytes_min, Buffer::block_bytes_min + 1, std::size_t{100'000}, std::size_t{300'000}}) {
        Buffer buffer(bytes);
        CHECK(buffer.capacity() >= std::max(bytes, Buffer::block_bytes_min));
        CHECK((buffer.capacity() & (buffer.capacity() - 1)) == 0);
        CHECK(buffer.capacity() < 2 * std::max(bytes, Buffer::block_bytes_min));
        std::memset(buffer.data(), 1, buffer.capacity());
    }
}

TEST_CASE("Blocks in use never overlap, and what is moved is held once")
{
    std::vector<Buffer> blocks;
    for (std::size_t i = 0; i < 600; ++i) {
        blocks.emplace_back(Buffer::block_bytes_min << i % 4);
        std::memset(blocks.back().data(), static_cast<int>(i % 251), blocks.back().capacity());
        if (blocks.size() < 2) continue;
        if (i % 3 == 0) {
            blocks.front() = std::move(blocks.back());
            blocks.pop_back();
        }
        if (i % 7 == 0) blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(blocks.size() / 2));
    }
    for (const Buffer& block : blocks)
        for (std::size_t i = 1; i < block.capacity(); ++i)
            if (block.data()[i] != block.data()[0]) FAIL("byte " << i << " is another block's");
    Buffer taken = std::move(blocks.back());
    CHECK(blocks.back().data() == nullptr);
    CHECK(blocks.back().capacity() == 0);
    CHECK(taken.data() != nullptr);
}

TEST_CASE("A block that was returned is the next to be taken: it is still in the cache")
{
    Buffer first(8'192);
    std::byte* const place = first.data();
    first.release();
    CHECK(first.data() == nullptr);
    CHECK(Buffer(8'192).data() == place);
}

TEST_CASE("What a burst took goes back to the kernel, what is in use and what is needed again stays")
{
    constexpr std::size_t bytes = 16'384, count = 500;
    std::vector<Buffer> in_use = written_blocks(20, bytes);
    std::vector<std::byte*> places;
    {
        const std::vector<Buffer> burst = written_blocks(count, bytes);
        for (const Buffer& block : burst) places.push_back(block.data());
    }
    CHECK(residents(places) == count);
    pass_blocks(30'000, bytes);
    CHECK(residents(places) <= 1);
    for (const Buffer& block : in_use) {
        CHECK(is_resident(block.data()));
        CHECK(block.data()[bytes - 1] == std::byte{0x5A});
    }
    const std::vector<Buffer> again = written_blocks(count, bytes);
    for (const Buffer& block : again) CHECK(block.data()[bytes - 1] == std::byte{0x5A});
}

TEST_CASE("Blocks go from thread to thread, and outlive the thread that took them")
{
    std::vector<Buffer> blocks;
    std::vector<std::byte*> places;
    std::thread([&] { blocks = written_blocks(100, 8'192); }).join();
    for (const Buffer& block : blocks) places.push_back(block.data());
    std::thread([&] { blocks.clear(); }).join();
    CHECK(residents(places) == 0);
    blocks = written_blocks(100, 8'192);
    for (const Buffer& block : blocks) CHECK(block.data()[8'191] == std::byte{0x5A});
}
