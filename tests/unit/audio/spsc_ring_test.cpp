#include "repartee/audio/spsc_ring.hpp"

#include "signals.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <new>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace repartee::audio;

namespace {

using Bytes = std::vector<std::byte>;

std::byte byte_of_stream(std::uint64_t position) { return static_cast<std::byte>(position * 131 ^ position >> 8); }

Bytes stream(std::uint64_t from, std::size_t n)
{
    Bytes bytes(n);
    for (std::size_t i = 0; i < n; ++i) bytes[i] = byte_of_stream(from + i);
    return bytes;
}

Bytes joined(const std::array<std::span<const std::byte>, 2>& parts)
{
    Bytes bytes(parts[0].begin(), parts[0].end());
    bytes.insert(bytes.end(), parts[1].begin(), parts[1].end());
    return bytes;
}

Bytes take(SpscRing& ring, std::size_t limit)
{
    Bytes bytes = joined(ring.readable(limit));
    ring.consume(bytes.size());
    return bytes;
}

}  // namespace

TEST_CASE("a ring's capacity is a power of two of at least a page")
{
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    CHECK(SpscRing(0).capacity() == page);
    CHECK(SpscRing(1).capacity() == page);
    CHECK(SpscRing(page).capacity() == page);
    CHECK(SpscRing(page + 1).capacity() == 2 * page);
    CHECK(SpscRing(1'000'000).capacity() == 1 << 20);
}

TEST_CASE("a ring that cannot be had throws bad_alloc")
{
    CHECK_THROWS_AS(SpscRing(std::numeric_limits<std::size_t>::max()), std::bad_alloc);
    CHECK_THROWS_AS(SpscRing(std::size_t{1} << 62), std::bad_alloc);
}

TEST_CASE("a new ring is empty and has all of its capacity free")
{
    SpscRing ring(1);
    CHECK(ring.size() == 0);
    CHECK(ring.free_space() == ring.capacity());
    CHECK(joined(ring.readable()).empty());
    CHECK(ring.writable()[0].size() == ring.capacity());
    CHECK(ring.writable()[1].empty());
    CHECK(ring.write({}));
    CHECK(ring.written() == 0);
}

TEST_CASE("a ring takes all of a write or nothing")
{
    SpscRing ring(1);
    const std::size_t capacity = ring.capacity();
    CHECK_FALSE(ring.write(Bytes(capacity + 1)));
    REQUIRE(ring.write(stream(0, capacity - 10)));
    CHECK_FALSE(ring.write(Bytes(11)));
    CHECK(ring.size() == capacity - 10);
    REQUIRE(ring.write(stream(capacity - 10, 10)));

    CHECK(ring.free_space() == 0);
    CHECK_FALSE(ring.write(Bytes(1)));
    CHECK(ring.write({}));
    CHECK(ring.writable()[0].empty());
    CHECK(take(ring, capacity) == stream(0, capacity));
}

TEST_CASE("a ring's view of what is there wraps in two parts, obeys the limit and does not consume")
{
    SpscRing ring(1);
    const std::size_t capacity = ring.capacity();
    REQUIRE(ring.write(stream(0, capacity - 3)));
    ring.consume(capacity - 5);
    REQUIRE(ring.write(stream(capacity - 3, 10)));
    REQUIRE(ring.size() == 12);

    const auto all = ring.readable();
    CHECK(all[0].size() == 5);
    CHECK(all[1].size() == 7);
    CHECK(joined(all) == stream(capacity - 5, 12));
    CHECK(joined(ring.readable(0)).empty());
    CHECK(joined(ring.readable(5)) == stream(capacity - 5, 5));
    CHECK(ring.readable(5)[1].empty());
    CHECK(joined(ring.readable(6)) == stream(capacity - 5, 6));
    CHECK(joined(ring.readable(1000)) == stream(capacity - 5, 12));
    CHECK(ring.size() == 12);
}

TEST_CASE("a ring is filled in place across its end")
{
    SpscRing ring(1);
    const std::size_t capacity = ring.capacity();
    REQUIRE(ring.write(stream(0, capacity - 4)));
    ring.consume(100);
    const auto space = ring.writable();
    REQUIRE(space[0].size() == 4);
    REQUIRE(space[1].size() == 100);

    std::uint64_t position = ring.written();
    for (const auto& part : space)
        for (std::byte& byte : part) byte = byte_of_stream(position++);
    ring.commit(50);
    CHECK(ring.written() == capacity + 46);
    CHECK(take(ring, capacity) == stream(100, capacity - 54));
    CHECK(ring.consumed() == ring.written());
}

TEST_CASE("a ring's offsets count the whole stream")
{
    SpscRing ring(1);
    signals::Noise noise;
    std::uint64_t written = 0;
    std::uint64_t consumed = 0;
    for (int round = 0; round < 5'000; ++round) {
        const std::size_t n = noise.below(ring.capacity());
        const bool fits = n <= ring.capacity() - (written - consumed);
        REQUIRE(ring.write(stream(written, n)) == fits);
        if (fits) written += n;
        const Bytes got = take(ring, noise.below(ring.capacity()));
        const bool in_order = got == stream(consumed, got.size());
        REQUIRE(in_order);
        consumed += got.size();
        REQUIRE(ring.written() == written);
        REQUIRE(ring.consumed() == consumed);
        REQUIRE(ring.size() == written - consumed);
        REQUIRE(ring.free_space() == ring.capacity() - ring.size());
    }
    CHECK(written > 100 * ring.capacity());
}

TEST_CASE("a ring goes on at the same offset after it gave its memory back")
{
    SpscRing ring(1 << 16);
    REQUIRE(ring.write(stream(0, 50'000)));
    ring.consume(50'000);
    ring.release_memory();
    CHECK(ring.written() == 50'000);
    CHECK(ring.writable()[0].front() == std::byte{0});  // a fresh page
    REQUIRE(ring.write(stream(50'000, 40'000)));
    CHECK(take(ring, 40'000) == stream(50'000, 40'000));
}

TEST_CASE("a ring carries a stream from one thread to another, unchanged")
{
    constexpr std::uint64_t total = 8 << 20;
    SpscRing ring(1 << 14);

    std::thread producer([&ring] {
        signals::Noise noise(3);
        std::uint64_t position = 0;
        while (position < total) {
            const std::size_t n = std::min<std::uint64_t>(1 + noise.below(3'000), total - position);
            if (noise.below(2) == 0) {
                if (ring.write(stream(position, n))) position += n;
                else std::this_thread::yield();
                continue;
            }
            std::size_t filled = 0;
            for (const auto& part : ring.writable())
                for (std::byte& byte : part)
                    if (filled < n) byte = byte_of_stream(position + filled++);
            ring.commit(filled);
            position += filled;
            if (filled == 0) std::this_thread::yield();
        }
    });

    signals::Noise noise(4);
    std::uint64_t position = 0;
    std::uint64_t wrong = 0;
    while (position < total) {
        std::size_t seen = 0;
        for (const auto& part : ring.readable(1 + noise.below(4'000)))
            for (std::byte byte : part) wrong += byte != byte_of_stream(position + seen++);
        ring.consume(seen);
        position += seen;
        if (seen == 0) std::this_thread::yield();
    }
    producer.join();
    CHECK(wrong == 0);
    CHECK(ring.written() == total);
    CHECK(ring.size() == 0);
}

TEST_CASE("a third thread's snapshot of a ring's size is never more than its capacity")
{
    SpscRing ring(1);
    std::atomic<bool> done = false;
    std::thread both_ends([&] {
        const Bytes chunk(ring.capacity() / 2 + 1);
        for (int i = 0; i < 50'000; ++i) {
            ring.write(chunk);
            ring.consume(ring.size());
        }
        done = true;
    });
    std::size_t largest = 0;
    while (!done) largest = std::max(largest, ring.size());
    both_ends.join();
    CHECK(largest <= ring.capacity());
}
