#include "repartee/engine/speech_pieces.hpp"

#include <catch2/catch.hpp>

#include <vector>

using repartee::engine::SpeechPieces;

namespace {

std::vector<std::string> cut(std::string_view text, std::size_t delta_bytes)
{
    SpeechPieces pieces;
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size(); at += delta_bytes) {
        pieces.push(text.substr(at, delta_bytes));
        for (std::string piece = pieces.next(false); !piece.empty(); piece = pieces.next(false)) out.push_back(piece);
    }
    for (std::string piece = pieces.next(true); !piece.empty(); piece = pieces.next(true)) out.push_back(piece);
    return out;
}

}  // namespace

TEST_CASE("replies are cut at sentence ends, the same however they come in")
{
    struct Row {
        const char* text;
        std::vector<std::string> pieces;
    };
    const Row rows[] = {
        {"안녕하세요. 무엇을 도와드릴까요?", {"안녕하세요. ", "무엇을 도와드릴까요?"}},
        {"It is 3.5 km. Really!", {"It is 3.5 km. ", "Really!"}},
        {"See example.com for more. Bye.", {"See example.com for more. ", "Bye."}},
        {"Wait... what?! \"Yes.\" Good.", {"Wait... ", "what?! ", "\"Yes.\" ", "Good."}},
        {"no end mark", {"no end mark"}},
        {"", {}},
    };
    for (const Row& row : rows)
        for (const std::size_t delta_bytes : {1U, 2U, 5U, 1000U}) {
            INFO(row.text << " in pieces of " << delta_bytes);
            CHECK(cut(row.text, delta_bytes) == row.pieces);
        }
}

TEST_CASE("a sentence without end is cut at a space")
{
    std::string text;
    for (int i = 0; i < 300; ++i) text += "word ";
    const auto pieces = cut(text, 7);
    CHECK(pieces.size() > 2);
    std::string joined;
    for (const auto& piece : pieces) {
        CHECK(piece.size() < 500);
        joined += piece;
    }
    CHECK(joined == text);
}
