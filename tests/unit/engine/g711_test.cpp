#include "engine/realtime/g711.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>

using namespace repartee::engine;

TEST_CASE("G.711 has the standard's values", "[g711]")
{
    // ITU-T G.191 reference tables, scaled to 16 bit.
    CHECK(decode_mulaw(0xFF) == 0);
    CHECK(decode_mulaw(0x80) == 32124);
    CHECK(decode_mulaw(0x00) == -32124);
    CHECK(decode_mulaw(0xF0) == 120);
    CHECK(decode_mulaw(0xEF) == 132);
    CHECK(decode_alaw(0xD5) == 8);
    CHECK(decode_alaw(0x55) == -8);
    CHECK(decode_alaw(0xAA) == 32256);
    CHECK(decode_alaw(0x2A) == -32256);
    CHECK(encode_mulaw(0) == 0xFF);
    CHECK(encode_alaw(0) == 0xD5);
    CHECK(encode_mulaw(32767) == 0x80);
    CHECK(encode_mulaw(-32768) == 0x00);
    CHECK(encode_alaw(32767) == 0xAA);
    CHECK(encode_alaw(-32768) == 0x2A);
}

TEST_CASE("Every G.711 code survives decoding and encoding", "[g711]")
{
    for (int code = 0; code < 256; ++code) {
        const auto c = static_cast<std::uint8_t>(code);
        CHECK(encode_alaw(decode_alaw(c)) == c);
        if (c != 0x7F) CHECK(encode_mulaw(decode_mulaw(c)) == c);  // 0x7F is negative zero
    }
}

TEST_CASE("G.711 is never further off than half a step", "[g711]")
{
    for (int x = -32768; x <= 32767; x += 3) {
        const auto sample = static_cast<std::int16_t>(x);
        const int allowed = std::abs(x) / 16 + 20;
        CHECK(std::abs(decode_mulaw(encode_mulaw(sample)) - x) <= allowed);
        CHECK(std::abs(decode_alaw(encode_alaw(sample)) - x) <= allowed);
    }
}
