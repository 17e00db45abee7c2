#include "engine/realtime/input_buffer.hpp"

#include <catch2/catch.hpp>

#include <numeric>

using repartee::engine::InputBuffer;

namespace {

std::vector<std::int16_t> counting(int first, std::size_t count)
{
    std::vector<std::int16_t> samples(count);
    std::iota(samples.begin(), samples.end(), static_cast<std::int16_t>(first));
    return samples;
}

}  // namespace

TEST_CASE("What is taken leaves the buffer together with everything before it", "[input_buffer]")
{
    InputBuffer buffer(1000);
    buffer.append(counting(0, 100));
    CHECK(buffer.take(20, 30) == counting(20, 10));
    CHECK(buffer.begin() == 30);
    CHECK(buffer.end() == 100);
    buffer.append(counting(100, 50));
    CHECK(buffer.take(0, 1000) == counting(30, 120));
    CHECK(buffer.size() == 0);
    CHECK(buffer.begin() == 150);
    CHECK(buffer.take(0, 10).empty());
}

TEST_CASE("Beyond its bound the oldest samples go, and positions stay true", "[input_buffer]")
{
    InputBuffer buffer(100);
    for (int i = 0; i < 50; ++i) {
        buffer.append(counting(i * 30, 30));
        CHECK(buffer.size() <= 100);
    }
    CHECK(buffer.end() == 1500);
    CHECK(buffer.begin() == 1400);
    CHECK(buffer.take(1450, 1460) == counting(1450, 10));
}

TEST_CASE("Cleared, a buffer is empty and goes on counting", "[input_buffer]")
{
    InputBuffer buffer(100);
    buffer.append(counting(0, 70));
    buffer.clear();
    CHECK(buffer.size() == 0);
    buffer.append(counting(70, 5));
    CHECK(buffer.begin() == 70);
    CHECK(buffer.take(70, 75) == counting(70, 5));
}
