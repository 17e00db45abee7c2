#include "engine/realtime/utf8_stream.hpp"

#include <catch2/catch.hpp>

using namespace repartee::engine;

TEST_CASE("Characters cut by chunks come out whole", "[utf8_stream]")
{
    const std::string text = "a한é😀z";
    Utf8Stream stream;
    std::string out;
    for (const char c : text) out += stream.push({&c, 1});
    CHECK(out == text);
}

TEST_CASE("What is not UTF-8 becomes U+FFFD", "[utf8_stream]")
{
    CHECK(valid_utf8("ok") == "ok");
    CHECK(valid_utf8("a\xFFz") == "a\xEF\xBF\xBDz");
    CHECK(valid_utf8("\xC0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK(valid_utf8("\xED\x95z") == "\xEF\xBF\xBD\xEF\xBF\xBDz");
    CHECK(valid_utf8("end\xED") == "end\xEF\xBF\xBD");
    CHECK(valid_utf8("\x80").size() == 3);
}
