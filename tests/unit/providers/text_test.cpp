#include "repartee/providers/text.hpp"

#include <catch2/catch.hpp>

using namespace repartee::providers;

TEST_CASE("cut counts characters, not bytes")
{
    CHECK(cut("안녕하세요", 2) == "안녕");
    CHECK(cut("안녕", 2) == "안녕");
    CHECK(cut("a안b", 2) == "a안");
    CHECK(cut("", 5).empty());
    CHECK(cut("abc", 0).empty());
}

TEST_CASE("one_line leaves nothing that a terminal or a voice would trip over")
{
    CHECK(one_line("  two\r\n\tlines \x1b[31m\x7f ", 100) == "two lines [31m");
    CHECK(one_line("C1 \xC2\x85 control", 100) == "C1 control");
    CHECK(one_line("é stays", 100) == "é stays");
    CHECK(one_line("안녕 하세요", 3) == "안녕");
    CHECK(one_line("\n\n", 10).empty());
}

TEST_CASE("long text is split behind sentences, else between words, else anywhere")
{
    CHECK(split_for_speech("One. Two! Three?", 9) == std::vector<std::string>{"One.", "Two!", "Three?"});
    CHECK(split_for_speech("One. Two! Three?", 100) == std::vector<std::string>{"One. Two! Three?"});
    CHECK(split_for_speech("one two three", 8) == std::vector<std::string>{"one two", "three"});
    CHECK(split_for_speech("가나다라마", 2) == std::vector<std::string>{"가나", "다라", "마"});
    CHECK(split_for_speech("", 10).empty());
}
