#include "repartee/engine/speech_pieces.hpp"

#include <catch2/catch.hpp>

#include <ostream>
#include <vector>

using repartee::engine::PieceRules;
using repartee::engine::SpeechPiece;
using repartee::engine::SpeechPieces;

namespace repartee::engine {

std::ostream& operator<<(std::ostream& out, const SpeechPiece& piece) { return out << '"' << piece.text << "\" → \"" << piece.speech << '"'; }

}  // namespace repartee::engine

namespace {

/// Sentences only: the first piece may not end at a clause.
constexpr PieceRules sentences_only{.first_chars_min = 1'000};

std::vector<SpeechPiece> cut(std::string_view text, std::size_t delta_bytes, PieceRules rules = {})
{
    SpeechPieces pieces(rules);
    std::vector<SpeechPiece> out;
    for (std::size_t at = 0; at < text.size(); at += delta_bytes) {
        pieces.push(text.substr(at, delta_bytes));
        while (auto piece = pieces.next(false)) out.push_back(*piece);
    }
    while (auto piece = pieces.next(true)) out.push_back(*piece);
    return out;
}

std::vector<std::string> texts(const std::vector<SpeechPiece>& pieces)
{
    std::vector<std::string> out;
    for (const SpeechPiece& piece : pieces) out.push_back(piece.text);
    return out;
}

std::string joined(const std::vector<SpeechPiece>& pieces)
{
    std::string text;
    for (const SpeechPiece& piece : pieces) text += piece.text;
    return text;
}

struct Row {
    const char* text;
    std::vector<std::string> pieces;
};

void check(const Row& row, PieceRules rules)
{
    INFO(row.text);
    const auto whole = cut(row.text, 1'000, rules);
    CHECK(texts(whole) == row.pieces);
    CHECK(joined(whole) == row.text);
    for (const std::size_t delta_bytes : {1U, 2U, 5U}) {
        INFO("in pieces of " << delta_bytes);
        CHECK(cut(row.text, delta_bytes, rules) == whole);
    }
}

}  // namespace

TEST_CASE("replies are cut at sentence ends, the same however they come in")
{
    const Row rows[] = {
        {"안녕하세요. 무엇을 도와드릴까요?", {"안녕하세요. ", "무엇을 도와드릴까요?"}},
        {"정말 그렇죠? 저도 그렇게 생각해요! 그래서 물어봤어요.", {"정말 그렇죠? ", "저도 그렇게 생각해요! ", "그래서 물어봤어요."}},
        {"Really? Yes! All right.", {"Really? ", "Yes! ", "All right."}},
        {"no end mark", {"no end mark"}},
        {"", {}},
        {"   ", {"   "}},
        {"Well?! \"Yes.\" Good.", {"Well?! ", "\"Yes.\" ", "Good."}},
        {"그는 \"네, 알겠습니다.\" 하고 말했다. (정말이다.) 끝났다.", {"그는 \"네, 알겠습니다.\" ", "하고 말했다. ", "(정말이다.) ", "끝났다."}},
        {"「行きます。」次です。終わり！はい", {"「行きます。」", "次です。", "終わり！", "はい"}},
        {"좋아요! 😊 다음이에요. 네!😊 그리고요", {"좋아요! ", "😊 다음이에요. ", "네!😊 그리고요"}},
        {"**좋아요.** 다음은 **여기**예요.", {"**좋아요.** ", "다음은 **여기**예요."}},
    };
    for (const Row& row : rows) check(row, sentences_only);
}

TEST_CASE("a dot that belongs to a number, a date, a name or an abbreviation ends nothing")
{
    const char* const whole[] = {
        "It is 3.5 km away",
        "모두 1,000.50 달러예요",
        "오늘은 2026.11.21. 토요일이에요",
        "오늘은 2026. 11. 21. 토요일이에요",
        "14:30에 만나요",
        "See example.com for v1.2 of it",
        "Ask Dr. Kim or Mrs. Lee and Prof. Park",
        "Take fruit, e.g. apples, i.e. Braeburn",
        "The U.S. Army and the U.K. Parliament",
        "This is No. 7 of Fig. 3",
        "J. Kim and Acme Inc. Korea",
        "at 5 p.m. on Monday, approx. noon, etc. and so on",
        "Well... you know… maybe",
        "음…그래요",
    };
    for (const char* text : whole) check({text, {text}}, sentences_only);

    const Row ends[] = {
        {"No. I do not.", {"No. ", "I do not."}},
        {"It ends at 5 p.m. Then we go.", {"It ends at 5 p.m. ", "Then we go."}},
        {"He is 30. She is 31.", {"He is 30. ", "She is 31."}},
        {"Wait... What?", {"Wait... ", "What?"}},
        {"음... 그래요.", {"음... ", "그래요."}},
        {"음… 그래요.", {"음… ", "그래요."}},
        {"값은 3.5예요. 5는 아니에요.", {"값은 3.5예요. ", "5는 아니에요."}},
        {"저는 AI예요. iPhone은 몰라요.", {"저는 AI예요. ", "iPhone은 몰라요."}},
    };
    for (const Row& row : ends) check(row, sentences_only);
}

TEST_CASE("line breaks end pieces, and the numbers of a list do not")
{
    const Row rows[] = {
        {"제목\n\n첫 줄\n둘째 줄", {"제목\n", "\n첫 줄\n", "둘째 줄"}},
        {"1. 물을 끓여요.\n2. 면을 넣어요.\n", {"1. 물을 끓여요.\n", "2. 면을 넣어요.\n"}},
        {"> **1.** First thing. Second.", {"> **1.** First thing. ", "Second."}},
        {"A.\r\nB.", {"A.\r", "\nB."}},
        {"네.\n네.\n끝.", {"네.\n", "네.\n", "끝."}},
    };
    for (const Row& row : rows) check(row, sentences_only);
}

TEST_CASE("very short sentences go together with the next, but for the first")
{
    const Row rows[] = {
        {"네. 네. 알겠어요.", {"네. ", "네. 알겠어요."}},
        {"... 네. 알겠어요.", {"... 네. ", "알겠어요."}},
        {"아! 오! 좋네요.", {"아! ", "오! 좋네요."}},
    };
    for (const Row& row : rows) check(row, sentences_only);
}

TEST_CASE("the first piece ends at a clause, later ones do not")
{
    const Row rows[] = {
        {"오늘 이야기를 들어 보니, 많이 힘드셨겠어요. 그런데요, 제가 궁금한 것이, 하나 있어요.",
         {"오늘 이야기를 들어 보니, ", "많이 힘드셨겠어요. ", "그런데요, 제가 궁금한 것이, 하나 있어요."}},
        {"비가 많이 오고 있지만 괜찮아요.", {"비가 많이 오고 있지만 ", "괜찮아요."}},
        {"지금은 시간이 조금 없는데 나중에 해요.", {"지금은 시간이 조금 없는데 ", "나중에 해요."}},
        {"네, 알아요.", {"네, 알아요."}},
        {"That is a long thought: it goes on.", {"That is a long thought: ", "it goes on."}},
        {"It costs about 1,000,000 won at 14:30 today.", {"It costs about 1,000,000 won at 14:30 today."}},
        {"I thought so too — as it is.", {"I thought so too — ", "as it is."}},
        {"\"I thought so too,\" she said.", {"\"I thought so too,\" ", "she said."}},
    };
    for (const Row& row : rows) check(row, {});
}

TEST_CASE("a sentence without end is cut at a clause, else a space, else anywhere")
{
    std::string words;
    for (int i = 0; i < 300; ++i) words += "word ";
    std::string clauses;
    for (int i = 0; i < 60; ++i) clauses += i % 20 == 19 ? "이야기하고, " : "이야기 ";
    std::string letters;
    for (int i = 0; i < 500; ++i) letters += "가";
    const std::string marks(5'000, '!');
    const std::string spaces(5'000, ' ');
    const std::string quotes(31, '\'');
    for (const std::string& text : {words, clauses, letters, marks, spaces, marks + "a", std::string(700, '\"') + ".",
                                    letters + "." + quotes + "가. 나", letters + "!" + quotes + " 가." + quotes + "나"}) {
        INFO(text.substr(0, 40));
        const auto pieces = cut(text, 1'000'000);
        CHECK(joined(pieces) == text);
        for (const auto& piece : pieces) CHECK(piece.text.size() <= 3 * 200 + 40);
        CHECK(pieces.size() >= 2);
        for (const std::size_t delta_bytes : {1U, 7U}) CHECK(cut(text, delta_bytes) == pieces);
    }
    for (const auto& piece : texts(cut(words, 3))) CHECK(piece.ends_with(' '));
    CHECK(texts(cut(clauses, 3)).front().ends_with(", "));
    CHECK(texts(cut(letters, 3)).front().size() == 600);
}

TEST_CASE("what is no UTF-8 passes, and a character cut by the end of the reply too")
{
    for (const std::string text : {"ab\xFF\xFE. c\x80 d.\xE2\x80", "\xEA\xB0", "\xF0\x9F\x98 x. y", "\xE0\x80\x80. \xED\xA0\x80"}) {
        const auto pieces = cut(text, 1'000);
        CHECK(joined(pieces) == text);
        for (const std::size_t delta_bytes : {1U, 2U, 3U}) CHECK(cut(text, delta_bytes) == pieces);
    }
}

TEST_CASE("each piece knows how it is spoken, mark-up over several pieces too")
{
    const std::string text = "**안녕하세요! 반가워요.** 코드예요:\n```cpp\nint a = 1. 2;\n```\n"
                             "- 첫째 [여기](https://a.b/c?d=1.)를 보세요.\n자세히는 https://example.com/a?b=c.";
    const std::vector<SpeechPiece> expected = {
        {"**안녕하세요! ", "안녕하세요!"},
        {"반가워요.** ", "반가워요."},
        {"코드예요:\n", "코드예요:"},
        {"```cpp\n", ""},
        {"int a = 1. 2;\n", ""},
        {"```\n", ""},
        {"- 첫째 [여기](https://a.b/c?d=1.)를 보세요.\n", "첫째 여기를 보세요."},
        {"자세히는 https://example.com/a?b=c.", "자세히는."},
    };
    for (const std::size_t delta_bytes : {1U, 2U, 5U, 1'000U}) CHECK(cut(text, delta_bytes) == expected);
}

TEST_CASE("an address longer than a piece is not spoken in its second half")
{
    const std::string address = "https://example.com/" + std::string(500, 'x');
    std::string speech;
    for (const auto& piece : cut("여기예요 " + address + " 보세요.", 7)) speech += piece.speech + "|";
    INFO(speech);
    CHECK(speech.find('x') == std::string::npos);
    CHECK(speech.find("보세요.") != std::string::npos);
}

TEST_CASE("the first piece is the first that is heard")
{
    const auto pieces = cut("---\n오늘 이야기를 들어 보니, 그래요. 네. 네.", 4);
    CHECK(texts(pieces) == std::vector<std::string>{"---\n", "오늘 이야기를 들어 보니, ", "그래요. ", "네. 네."});
    CHECK(pieces[0].speech.empty());
}
