#include "repartee/conversation/stereo_mix.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::conversation;

namespace {

constexpr std::size_t ms = 24;  ///< frames

const Instant start{std::chrono::hours(1)};
Instant at(std::int64_t offset_ms) { return start + milliseconds(offset_ms); }

/// Every sample tells which one it is: `first`, `first` + 1, …
std::vector<std::int16_t> counting(std::size_t count, std::int16_t first = 1'000)
{
    std::vector<std::int16_t> samples(count);
    for (std::size_t i = 0; i < count; ++i) samples[i] = static_cast<std::int16_t>(first + static_cast<std::int16_t>(i % 20'000));
    return samples;
}

std::span<const std::byte> bytes(const std::vector<std::int16_t>& samples) { return std::as_bytes(std::span(samples)); }

/// The mix as a whole file's worth of samples.
struct Heard {
    std::vector<std::int16_t> left, right;

    void add(StereoMix& mix, Instant now)
    {
        while (const auto block = mix.take(now)) {
            REQUIRE(block->samples.size() <= 2 * 24'000);
            REQUIRE(block->frame >= left.size());  // never twice
            left.resize(block->frame);
            right.resize(block->frame);
            for (std::size_t i = 0; i < block->samples.size(); i += 2) {
                left.push_back(block->samples[i]);
                right.push_back(block->samples[i + 1]);
            }
        }
    }

    void finish(StereoMix& mix, Instant now)
    {
        const auto frames = mix.end(now);
        add(mix, now);
        REQUIRE(left.size() <= frames);
        left.resize(frames);
        right.resize(frames);
    }
};

std::vector<std::int16_t> part(const std::vector<std::int16_t>& samples, std::size_t from, std::size_t count)
{
    REQUIRE(from + count <= samples.size());
    return {samples.begin() + static_cast<std::ptrdiff_t>(from), samples.begin() + static_cast<std::ptrdiff_t>(from + count)};
}

bool is_silent(const std::vector<std::int16_t>& samples, std::size_t from, std::size_t count)
{
    const auto wanted = part(samples, from, count);
    return std::all_of(wanted.begin(), wanted.end(), [](std::int16_t s) { return s == 0; });
}

}  // namespace

TEST_CASE("both voices stand on one timeline, left and right")
{
    StereoMix mix({}, start);
    Heard heard;
    const auto user = counting(500 * ms), character = counting(1'500 * ms, 3'000);
    for (std::size_t i = 0; i < 25; ++i) {
        const auto frame = part(user, i * 20 * ms, 20 * ms);
        mix.on_user(bytes(frame), at(static_cast<std::int64_t>(i + 1) * 20));
    }
    mix.on_character(bytes(character), at(1'200), at(1'000));
    heard.finish(mix, at(4'000));
    CHECK(heard.left.size() == 4'000 * ms);
    CHECK(part(heard.left, 0, 500 * ms) == user);
    CHECK(is_silent(heard.left, 500 * ms, 3'500 * ms));
    CHECK(is_silent(heard.right, 0, 1'200 * ms));
    CHECK(part(heard.right, 1'200 * ms, 1'500 * ms) == character);
    CHECK(is_silent(heard.right, 2'700 * ms, 1'300 * ms));
    CHECK(mix.dropped_bytes() == 0);
}

TEST_CASE("blocks leave once nothing can change them, and only those with sound")
{
    StereoMix mix({}, start);
    const auto second = counting(1'000 * ms);
    mix.on_user(bytes(second), at(1'000));
    CHECK_FALSE(mix.take(at(1'999)).has_value());
    const auto block = mix.take(at(2'000));
    REQUIRE(block.has_value());
    CHECK(block->frame == 0);
    CHECK(block->samples.size() == 2 * 1'000 * ms);
    CHECK_FALSE(mix.take(at(3'600'000)).has_value());

    // An hour of silence later: no block of it, and the sound at its place.
    const auto word = counting(100 * ms);
    mix.on_user(bytes(word), at(3'600'600));
    const auto later = mix.take(at(3'602'000));
    REQUIRE(later.has_value());
    CHECK(later->frame == 3'600'500 * ms);
    CHECK(later->samples.size() == 2 * 100 * ms);
    CHECK(mix.end(at(3'610'000)) == 3'610'000 * ms);
    CHECK_FALSE(mix.take(at(3'610'000)).has_value());
}

TEST_CASE("what the loudspeaker had not played when it stopped is silence")
{
    StereoMix mix({}, start);
    Heard heard;
    const auto reply = counting(2'000 * ms);
    for (std::size_t i = 0; i < 20; ++i) {
        const auto frame = part(reply, i * 100 * ms, 100 * ms);
        const auto offset = static_cast<std::int64_t>(i) * 100;
        mix.on_character(bytes(frame), at(500 + offset), at(100 + offset));
    }
    SECTION("cut amid a piece")
    {
        mix.on_cut(at(1'333));
        heard.finish(mix, at(5'000));
        CHECK(part(heard.right, 500 * ms, 833 * ms) == part(reply, 0, 833 * ms));
        CHECK(is_silent(heard.right, 1'333 * ms, 3'667 * ms));
    }
    SECTION("cut before it began")
    {
        mix.on_cut(at(400));
        heard.finish(mix, at(5'000));
        CHECK(is_silent(heard.right, 0, 5'000 * ms));
    }
    SECTION("a suspended reply goes on from where it was heard")
    {
        mix.on_cut(at(1'000));
        const auto rest = part(reply, 500 * ms, 1'500 * ms);
        mix.on_character(bytes(rest), at(1'700), at(1'700));
        heard.finish(mix, at(5'000));
        CHECK(part(heard.right, 500 * ms, 500 * ms) == part(reply, 0, 500 * ms));
        CHECK(is_silent(heard.right, 1'000 * ms, 700 * ms));
        CHECK(part(heard.right, 1'700 * ms, 1'500 * ms) == rest);
    }
    SECTION("the end of the conversation stops it too")
    {
        heard.finish(mix, at(2'000));
        CHECK(heard.right.size() == 2'000 * ms);
        CHECK(part(heard.right, 500 * ms, 1'500 * ms) == part(reply, 0, 1'500 * ms));
    }
    SECTION("what is settled cannot be cut any more")
    {
        heard.add(mix, at(2'400));
        CHECK(heard.right.size() == 1'000 * ms);
        mix.on_cut(at(600));
        heard.finish(mix, at(5'000));
        CHECK(part(heard.right, 500 * ms, 500 * ms) == part(reply, 0, 500 * ms));
        CHECK(is_silent(heard.right, 1'000 * ms, 4'000 * ms));
    }
}

TEST_CASE("uneven delivery of the user's audio leaves no holes")
{
    StereoMix mix({}, start);
    Heard heard;
    const auto user = counting(2'000 * ms);
    // Frames of 20 ms that come 0 to 150 ms late.
    for (std::size_t i = 0; i < 100; ++i) {
        const auto frame = part(user, i * 20 * ms, 20 * ms);
        mix.on_user(bytes(frame), at(static_cast<std::int64_t>((i + 1) * 20 + (i * 37) % 150)));
    }
    heard.finish(mix, at(3'000));
    CHECK(part(heard.left, 0, 2'000 * ms) == user);
}

TEST_CASE("a pause of the microphone is silence of its length")
{
    StereoMix mix({}, start);
    Heard heard;
    const auto word = counting(300 * ms);
    mix.on_user(bytes(word), at(300));
    mix.on_user(bytes(word), at(5'300));
    heard.finish(mix, at(6'000));
    CHECK(part(heard.left, 0, 300 * ms) == word);
    CHECK(is_silent(heard.left, 300 * ms, 4'700 * ms));
    CHECK(part(heard.left, 5'000 * ms, 300 * ms) == word);
}

TEST_CASE("after a stall the line catches up in the pauses")
{
    StereoMix mix({}, start);
    Heard heard;
    const auto sound = counting(20 * ms), quiet = std::vector<std::int16_t>(20 * ms, 5);
    // Five seconds of speech come at once at 6 s; then pauses, in real time.
    for (int i = 0; i < 250; ++i) mix.on_user(bytes(sound), at(6'000));
    for (int i = 1; i <= 500; ++i) mix.on_user(bytes(quiet), at(6'000 + i * 20));
    const auto word = counting(100 * ms, 12'000);
    mix.on_user(bytes(word), at(16'100));
    heard.finish(mix, at(20'000));
    const auto found = std::search(heard.left.begin(), heard.left.end(), word.begin(), word.end());
    REQUIRE(found != heard.left.end());
    const auto frame = static_cast<std::size_t>(found - heard.left.begin());
    CHECK(frame >= 16'000 * ms);
    CHECK(frame <= 17'100 * ms);
}

TEST_CASE("nothing is kept without bound")
{
    StereoMix mix({.user_ahead_max = milliseconds(2'000), .character_ahead_max = milliseconds(3'000)}, start);
    Heard heard;
    const auto second = counting(1'000 * ms);
    for (int i = 0; i < 10; ++i) {
        mix.on_user(bytes(second), at(0));
        mix.on_character(bytes(second), at(0), at(0));
    }
    CHECK(mix.dropped_bytes() == (8 + 7) * 1'000 * ms * 2);
    heard.finish(mix, at(10'000));
    CHECK(is_silent(heard.left, 2'000 * ms, 8'000 * ms));
    CHECK(is_silent(heard.right, 3'000 * ms, 7'000 * ms));
    CHECK_FALSE(is_silent(heard.right, 2'900 * ms, 100 * ms));
}

TEST_CASE("rounding of the loudspeaker's place makes no gaps, odd bytes no harm")
{
    StereoMix mix({}, start);
    Heard heard;
    const auto reply = counting(1'000 * ms);
    for (std::size_t i = 0; i < 50; ++i) {
        const auto frame = part(reply, i * 20 * ms, 20 * ms);
        mix.on_character(bytes(frame), at(static_cast<std::int64_t>(i * 20 + 100 + i % 3 * 7)), at(100));
    }
    const std::vector<std::byte> odd(3);
    mix.on_user(odd, at(100));
    mix.on_user({}, at(100));
    heard.finish(mix, at(2'000));
    CHECK(part(heard.right, 100 * ms, 1'000 * ms) == reply);
    mix.on_user(odd, at(2'100));
    mix.on_character(odd, at(2'100), at(2'100));
    CHECK(mix.end(at(9'000)) == 2'000 * ms);
    CHECK_FALSE(mix.take(at(9'000)).has_value());
}
