#include "frame_checker.hpp"
#include "histogram.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

using namespace repartee::bench;

namespace {

constexpr std::uint32_t session = 7;
constexpr std::size_t frame_bytes = 960;
using Bytes = std::vector<std::byte>;

Bytes frame(std::uint32_t sequence)
{
    Bytes bytes(frame_bytes);
    write_frame({.session = session, .sequence = sequence}, bytes);
    return bytes;
}

Bytes cell(std::uint32_t reply, std::uint32_t number, std::uint32_t cells)
{
    Bytes bytes(reply_cell_bytes);
    write_frame({.stream = Stream::reply, .session = session, .sequence = reply_sequence(reply, number), .cells = cells}, bytes);
    return bytes;
}

Bytes joined(const std::vector<Bytes>& parts)
{
    Bytes all;
    for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

std::vector<Bytes> frames(std::uint32_t count)
{
    std::vector<Bytes> all;
    for (std::uint32_t i = 0; i < count; ++i) all.push_back(frame(i));
    return all;
}

struct Seen {
    Integrity integrity;
    std::vector<std::uint32_t> whole;
};

/// Feeds the bytes cut at random places, as relays may do.
Seen check(const Bytes& bytes, std::uint32_t sent, unsigned seed = 1)
{
    FrameChecker checker(Stream::microphone, session, frame_bytes);
    Seen seen;
    std::mt19937 random(seed);
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t n = std::min<std::size_t>(bytes.size() - at, 1 + random() % 2500);
        checker.feed(std::span(bytes).subspan(at, n), [&](const FrameTag& tag) { seen.whole.push_back(tag.sequence); });
        at += n;
    }
    checker.finish(sent);
    seen.integrity = checker.integrity();
    return seen;
}

}  // namespace

TEST_CASE("an untouched stream is right however it is cut")
{
    for (unsigned seed = 0; seed < 200; ++seed) {
        const Seen seen = check(joined(frames(10)), 10, seed);
        REQUIRE(seen.integrity.ok());
        REQUIRE(seen.whole == std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    }
}

TEST_CASE("each altered byte is found, and costs one frame")
{
    for (std::size_t at = 0; at < frame_bytes; ++at) {
        Bytes bytes = joined(frames(5));
        bytes[2 * frame_bytes + at] ^= std::byte{1};
        const Seen seen = check(bytes, 5);
        CAPTURE(at);
        REQUIRE(seen.integrity.altered == 1);
        REQUIRE(seen.integrity.lost == 0);
        REQUIRE(seen.whole == std::vector<std::uint32_t>{0, 1, 3, 4});
    }
}

TEST_CASE("lost frames are counted at the beginning, inside and at the end")
{
    for (const std::size_t gone : {0U, 2U, 4U}) {
        auto parts = frames(5);
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(gone));
        const Seen seen = check(joined(parts), 5);
        REQUIRE(seen.integrity.lost == 1);
        REQUIRE(seen.integrity.altered == 0);
        REQUIRE(seen.whole.size() == 4);
    }
    REQUIRE(check({}, 3).integrity.lost == 3);
}

TEST_CASE("bytes lost inside a frame spoil that frame only")
{
    for (const std::size_t cut : {1UL, 24UL, 500UL}) {
        Bytes bytes = joined(frames(5));
        bytes.erase(bytes.begin() + 2 * frame_bytes + 100, bytes.begin() + static_cast<std::ptrdiff_t>(2 * frame_bytes + 100 + cut));
        const Seen seen = check(bytes, 5);
        REQUIRE(seen.integrity.altered == 1);
        REQUIRE(seen.integrity.lost == 0);
        REQUIRE(seen.whole == std::vector<std::uint32_t>{0, 1, 3, 4});
    }
}

TEST_CASE("a stream that ends inside a frame is not whole")
{
    Bytes bytes = joined(frames(3));
    bytes.resize(bytes.size() - 1);
    const Seen seen = check(bytes, 3);
    REQUIRE(seen.integrity.altered == 1);
    REQUIRE(seen.integrity.lost == 0);
}

TEST_CASE("swapped and repeated frames are reordered, not lost")
{
    auto parts = frames(5);
    std::swap(parts[2], parts[3]);
    const Seen swapped = check(joined(parts), 5);
    REQUIRE(swapped.integrity.reordered == 1);
    REQUIRE(swapped.integrity.lost == 0);

    parts = frames(5);
    parts.insert(parts.begin() + 3, parts[2]);
    const Seen repeated = check(joined(parts), 5);
    REQUIRE(repeated.integrity.reordered == 1);
    REQUIRE(repeated.integrity.lost == 0);
}

TEST_CASE("another session's frame is not ours")
{
    auto parts = frames(3);
    write_frame({.session = session + 1, .sequence = 1}, parts[1]);
    REQUIRE(check(joined(parts), 3).integrity.altered == 1);
}

TEST_CASE("a reply may be cut where that was allowed, and only there")
{
    const auto whole_reply = [](std::uint32_t reply) { return joined({cell(reply, 0, 3), cell(reply, 1, 3), cell(reply, 2, 3)}); };
    const auto nothing = [](const FrameTag&) {};
    FrameChecker checker(Stream::reply, session, reply_cell_bytes);
    checker.feed(whole_reply(0), nothing);
    REQUIRE_FALSE(checker.inside_reply());

    checker.feed(cell(1, 0, 3), nothing);
    checker.feed(std::span<const std::byte>(cell(1, 1, 3)).first(300), nothing);
    REQUIRE(checker.inside_reply());
    checker.restart();
    checker.allow_cut();
    checker.feed(whole_reply(2), nothing);
    REQUIRE(checker.integrity().ok());

    checker.feed(cell(3, 0, 3), nothing);
    checker.feed(whole_reply(4), nothing);
    REQUIRE(checker.integrity().lost == 2);
}

TEST_CASE("a reply that does not end is missed")
{
    FrameChecker checker(Stream::reply, session, reply_cell_bytes);
    checker.feed(cell(0, 0, 5), [](const FrameTag&) {});
    checker.finish_reply();
    REQUIRE(checker.integrity().lost == 4);
}

TEST_CASE("quantiles are right to 1.6 %")
{
    Histogram histogram;
    for (int i = 1; i <= 100'000; ++i) histogram.add(i * 10);
    for (const double part : {0.001, 0.5, 0.9, 0.99, 0.999}) REQUIRE(histogram.quantile_ns(part) == Approx(part * 1e6).epsilon(0.016));
    REQUIRE(histogram.quantile_ns(1) == 1e6);
    REQUIRE(histogram.max_ns() == 1e6);
    REQUIRE(Histogram().quantile_ns(0.5) == 0);
}
