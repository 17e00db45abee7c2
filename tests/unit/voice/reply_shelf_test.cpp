#include "repartee/voice/reply_shelf.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::voice;
using namespace std::chrono_literals;

TEST_CASE("a shelved answer is found until it is old or pushed out")
{
    ReplyShelf shelf(10, 1s);
    const Instant now;
    const std::string first = shelf.put("12345", "audio/mpeg", now).value();
    const std::string second = shelf.put("67890", "audio/wav", now + 100ms).value();
    REQUIRE(first != second);
    REQUIRE(*shelf.find(first, now)->bytes == "12345");
    REQUIRE(shelf.find(second, now)->content_type == "audio/wav");
    const std::string third = shelf.put("x", "audio/mpeg", now + 200ms).value();  // eleven bytes: the oldest goes
    REQUIRE_FALSE(shelf.find(first, now + 200ms));
    REQUIRE(shelf.find(second, now + 1100ms));
    REQUIRE_FALSE(shelf.find(second, now + 1101ms));
    REQUIRE(shelf.find(third, now + 1101ms));
    REQUIRE_FALSE(shelf.put("12345678901", "audio/mpeg", now));
    REQUIRE_FALSE(shelf.find("reply_unknown", now));
}
