#include "repartee/net/text_lines.hpp"

#include <catch2/catch.hpp>

#include <vector>

using repartee::Code;
using repartee::net::TextLines;

namespace {

std::vector<std::string> lines_of(std::string_view text, std::size_t piece_bytes)
{
    TextLines lines(100);
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
        lines.feed(text.substr(at, piece_bytes));
        for (;;) {
            const auto line = lines.next();
            REQUIRE(line.has_value());
            if (!*line) break;
            out.emplace_back(**line);
        }
    }
    if (const auto rest = lines.rest()) out.push_back("rest:" + std::string(*rest));
    return out;
}

}  // namespace

TEST_CASE("Lines end by LF, CRLF and CR, however they are cut")
{
    using Lines = std::vector<std::string>;
    for (std::size_t piece = 1; piece < 12; ++piece) {
        CAPTURE(piece);
        CHECK(lines_of("a\nbc\n\nd\n", piece) == Lines{"a", "bc", "", "d"});
        CHECK(lines_of("a\r\nbc\r\n\r\nd\r\n", piece) == Lines{"a", "bc", "", "d"});
        CHECK(lines_of("a\rbc\r\rd\r", piece) == Lines{"a", "bc", "", "d"});
        CHECK(lines_of("a\n\r\nb\r\n\nc", piece) == Lines{"a", "", "b", "", "rest:c"});
        CHECK(lines_of("a\r\nrest", piece) == Lines{"a", "rest:rest"});
        CHECK(lines_of("a\r\n", piece) == Lines{"a"});
        CHECK(lines_of("", piece).empty());
    }
}

TEST_CASE("A line over the limit is refused, complete or not; one at the limit is not")
{
    TextLines complete(3), open(3), just(3);
    complete.feed("abcd\n");
    CHECK(complete.next().error().code == Code::too_large);
    open.feed("abcd");
    CHECK(open.next().error().code == Code::too_large);
    just.feed("abc\nabc");
    CHECK(just.next().value() == "abc");
    CHECK(just.next().value() == std::nullopt);
    CHECK(just.rest() == "abc");
    CHECK(just.rest() == std::nullopt);
}

TEST_CASE("A long line in small pieces is searched once")
{
    TextLines lines(1 << 20);
    for (int i = 0; i < 1 << 20; ++i) {
        lines.feed("x");
        REQUIRE(lines.next().value() == std::nullopt);
    }
    lines.feed("\n");
    CHECK(lines.next().value().value().size() == 1 << 20);
}
