#include "repartee/audio/ring.hpp"

#include "signals.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

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

Bytes take(Ring& ring, std::size_t limit)
{
    Bytes bytes = joined(ring.readable(limit));
    ring.consume(bytes.size());
    return bytes;
}

}  // namespace

TEST_CASE("a ring's capacity is a power of two of at least a block")
{
    constexpr std::size_t block = repartee::Buffer::block_bytes_min;
    CHECK(Ring(0).capacity() == block);
    CHECK(Ring(1).capacity() == block);
    CHECK(Ring(block).capacity() == block);
    CHECK(Ring(block + 1).capacity() == 2 * block);
    CHECK(Ring(1'000'000).capacity() == 1 << 20);
}

TEST_CASE("a ring that cannot be had throws bad_alloc")
{
    CHECK_THROWS_AS(Ring(std::numeric_limits<std::size_t>::max()), std::bad_alloc);
}

TEST_CASE("a new ring is empty and has all of its capacity free")
{
    Ring ring(1);
    CHECK(ring.size() == 0);
    CHECK(ring.free_space() == ring.capacity());
    CHECK(joined(ring.readable()).empty());
    CHECK(ring.reserve(ring.capacity()).size() == ring.capacity());
    CHECK(ring.reserve(ring.capacity() + 1).empty());
    CHECK(ring.write({}));
    CHECK(ring.written() == 0);
}

TEST_CASE("a ring takes all of a write or nothing")
{
    Ring ring(1);
    const std::size_t capacity = ring.capacity();
    CHECK_FALSE(ring.write(Bytes(capacity + 1)));
    REQUIRE(ring.write(stream(0, capacity - 10)));
    CHECK_FALSE(ring.write(Bytes(11)));
    CHECK(ring.size() == capacity - 10);
    REQUIRE(ring.write(stream(capacity - 10, 10)));

    CHECK(ring.free_space() == 0);
    CHECK_FALSE(ring.write(Bytes(1)));
    CHECK(ring.write({}));
    CHECK(ring.reserve(1).empty());
    CHECK(take(ring, capacity) == stream(0, capacity));
}

TEST_CASE("a ring's view of what is there wraps in two parts, obeys the limit and does not consume")
{
    Ring ring(1);
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

TEST_CASE("a ring is filled in place, in one piece, wherever its end lies")
{
    Ring ring(1);
    const std::size_t capacity = ring.capacity();
    REQUIRE(ring.write(stream(0, capacity - 4)));
    ring.consume(100);
    CHECK(ring.reserve(105).empty());
    const auto space = ring.reserve(50);
    REQUIRE(space.size() == 50);

    std::uint64_t position = ring.written();
    for (std::byte& byte : space) byte = byte_of_stream(position++);
    ring.commit(50);
    CHECK(ring.written() == capacity + 46);
    CHECK(take(ring, capacity) == stream(100, capacity - 54));
    CHECK(ring.consumed() == ring.written());
}

TEST_CASE("a ring grows with what waits, and keeps it in order")
{
    Ring ring(1 << 20);
    REQUIRE(ring.write(stream(0, 4'000)));
    ring.consume(3'000);
    REQUIRE(ring.write(stream(4'000, 3'000)));  // wraps in the first block
    REQUIRE(ring.write(stream(7'000, 500'000)));
    const auto space = ring.reserve(100'000);
    REQUIRE(space.size() == 100'000);
    CHECK(take(ring, 1 << 20) == stream(3'000, 504'000));
}

TEST_CASE("a ring's offsets count the whole stream")
{
    Ring ring(1);
    signals::Noise noise;
    std::uint64_t written = 0;
    std::uint64_t consumed = 0;
    for (int round = 0; round < 5'000; ++round) {
        const std::size_t n = noise.below(ring.capacity());
        const bool fits = n <= ring.capacity() - (written - consumed);
        if (round % 2 == 0) {
            REQUIRE(ring.write(stream(written, n)) == fits);
        } else if (const auto space = ring.reserve(n); fits && n > 0) {
            REQUIRE(space.size() == n);
            std::memcpy(space.data(), stream(written, n).data(), n);
            ring.commit(n);
        } else {
            REQUIRE(space.empty());
        }
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
    Ring ring(1 << 16);
    REQUIRE(ring.write(stream(0, 50'000)));
    ring.consume(50'000);
    ring.release_memory();
    CHECK(ring.written() == 50'000);
    REQUIRE(ring.write(stream(50'000, 40'000)));
    CHECK(take(ring, 40'000) == stream(50'000, 40'000));
}

TEST_CASE("an emptied ring begins again at the start of its memory, at the same offset of the stream")
{
    Ring ring(1);
    REQUIRE(ring.write(stream(0, 1000)));
    const auto* const start = ring.readable()[0].data();
    const auto held = ring.readable();
    ring.consume(1000);
    CHECK(joined(held) == stream(0, 1000));
    CHECK(ring.reserve(ring.capacity()).data() == start);
    REQUIRE(ring.write(stream(1000, 10)));
    ring.consume(9);
    CHECK(ring.reserve(100).data() == start + 10);
    CHECK(ring.consumed() == 1009);
    CHECK(take(ring, 1) == stream(1009, 1));
}

TEST_CASE("a ring shows what is there from any offset that is still kept")
{
    Ring ring(1);
    const std::size_t capacity = ring.capacity();
    REQUIRE(ring.write(stream(0, capacity - 3)));
    ring.consume(capacity - 5);
    REQUIRE(ring.write(stream(capacity - 3, 10)));
    const std::uint64_t begin = ring.consumed();
    const std::uint64_t end = ring.written();

    struct Row {
        std::uint64_t from;
        std::size_t limit, bytes;
    };
    for (const Row& row : {Row{begin, 1000, 12}, Row{begin, 5, 5}, Row{begin + 3, 2, 2}, Row{begin + 3, 1000, 9}, Row{begin + 5, 1000, 7},
                           Row{begin + 11, 7, 1}, Row{begin + 4, 0, 0}, Row{end, 1000, 0}, Row{end + 1, 1000, 0}, Row{begin - 1, 1000, 0}}) {
        INFO(row.from - begin << " behind the begin, at most " << row.limit);
        CHECK(joined(ring.readable_at(row.from, row.limit)) == stream(row.from, row.bytes));
    }
    CHECK(joined(ring.readable_at(begin)) == joined(ring.readable()));
    CHECK(ring.size() == 12);
    CHECK(joined(Ring(1).readable_at(0)).empty());
}

TEST_CASE("a ring moves to the smallest block that holds what is there")
{
    Ring ring(1 << 20);
    const std::size_t block = repartee::Buffer::block_bytes_min;
    struct Row {
        std::size_t left, memory;
    };
    for (const Row& row : {Row{100'000, 128 << 10}, Row{70'000, 128 << 10}, Row{20'000, 32 << 10},
                           Row{16 << 10, 16 << 10}, Row{1, block}, Row{0, 0}}) {
        INFO(row.left << " bytes left");
        REQUIRE(ring.write(stream(ring.written(), 100'000 - ring.size())));
        REQUIRE(ring.memory_bytes() == 128 << 10);
        ring.consume(ring.size() - row.left);
        const std::uint64_t from = ring.consumed();
        ring.fit_memory();
        CHECK(ring.memory_bytes() == row.memory);
        CHECK(joined(ring.readable()) == stream(from, row.left));
    }
    ring.fit_memory();
    REQUIRE(ring.write(stream(ring.written(), 10)));
    CHECK(joined(ring.readable()) == stream(ring.consumed(), 10));
}
