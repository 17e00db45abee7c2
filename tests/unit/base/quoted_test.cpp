#include "repartee/base/quoted.hpp"

#include <catch2/catch.hpp>

using namespace repartee;

TEST_CASE("well-formed UTF-8 characters are measured, everything else is zero")
{
    CHECK(utf8_character_bytes("a") == 1);
    CHECK(utf8_character_bytes("\xC2\xA2") == 2);
    CHECK(utf8_character_bytes("한국") == 3);
    CHECK(utf8_character_bytes("\xF0\x9F\x98\x80") == 4);
    CHECK(utf8_character_bytes("") == 0);
    // The cases of the Unicode standard, table 3-7.
    CHECK(utf8_character_bytes("\x80") == 0);
    CHECK(utf8_character_bytes("\xC0\xAF") == 0);
    CHECK(utf8_character_bytes("\xC3") == 0);
    CHECK(utf8_character_bytes("\xE0\x80\xAF") == 0);
    CHECK(utf8_character_bytes("\xED\xA0\x80") == 0);
    CHECK(utf8_character_bytes("\xF0\x80\x80\xAF") == 0);
    CHECK(utf8_character_bytes("\xF4\x90\x80\x80") == 0);
    CHECK(utf8_character_bytes("\xFF") == 0);
    CHECK(is_utf8("안녕하세요"));
    CHECK(is_utf8(""));
    CHECK_FALSE(is_utf8("ok\xFFno"));
}

TEST_CASE("quoting escapes what a terminal, JSON or TOML would act on")
{
    CHECK(quoted("plain") == R"("plain")");
    CHECK(quoted("a\"b\\c") == R"("a\"b\\c")");
    CHECK(quoted("a\nb\rc\td") == R"("a\nb\rc\td")");
    CHECK(quoted(std::string_view("\0\x1b\x7f", 3)) == R"("\u0000\u001b\u007f")");
    CHECK(quoted("\xC2\x9B") == R"("\u009b")");
    CHECK(quoted("\xE2\x80\xAE") == R"("\u202e")");
    CHECK(quoted("박지훈") == "\"박지훈\"");
    CHECK(quoted("a\xFF\xE2\x80") == "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST_CASE("only plain words go without quotes")
{
    CHECK_FALSE(needs_quotes("sess_1"));
    CHECK_FALSE(needs_quotes("박지훈"));
    CHECK_FALSE(needs_quotes("[::1]:80"));
    for (const char* text : {"", "a b", "a=b", "a\"", "a\\", "a\n", "\xFF", "\xC2\x9B"}) CHECK(needs_quotes(text));
}

TEST_CASE("a prefix never ends inside a character")
{
    CHECK(utf8_prefix("abc", 3) == "abc");
    CHECK(utf8_prefix("abcd", 3) == "abc");
    CHECK(utf8_prefix("한국", 6) == "한국");
    CHECK(utf8_prefix("한국", 5) == "한");
    CHECK(utf8_prefix("한국", 4) == "한");
    CHECK(utf8_prefix("한국", 3) == "한");
    CHECK(utf8_prefix("한국", 2).empty());
    CHECK(utf8_prefix("abc", 0).empty());
    CHECK(utf8_prefix(std::string(10, '\x80'), 8).size() == 5);
}
