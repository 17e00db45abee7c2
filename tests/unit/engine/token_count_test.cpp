#include "engine/realtime/token_count.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace repartee::engine;

TEST_CASE("Text tokens: four ASCII bytes or one other character", "[token_count]")
{
    CHECK(text_tokens("") == 0);
    CHECK(text_tokens("a") == 1);
    CHECK(text_tokens("abcd") == 1);
    CHECK(text_tokens("abcde") == 2);
    CHECK(text_tokens("안녕하세요") == 5);
    CHECK(text_tokens("안녕 hey!") == 4);
}

TEST_CASE("Counting in pieces counts the whole", "[token_count]")
{
    const std::string text = "Guten Tag, 안녕하세요!";
    TextTokenCounter counter;
    for (const char c : text) counter.add({&c, 1});
    CHECK(counter.tokens() == text_tokens(text));
}

TEST_CASE("A prefix within a limit ends between characters", "[token_count]")
{
    TextTokenCounter counter;
    counter.add("abc");
    CHECK(counter.prefix_bytes_within("de", 1) == 1);
    CHECK(counter.prefix_bytes_within("de", 2) == 2);
    CHECK(counter.prefix_bytes_within("가나다", 3) == 6);
    CHECK(counter.prefix_bytes_within("가나다", 0) == 0);
}

TEST_CASE("Audio tokens round up", "[token_count]")
{
    CHECK(user_audio_tokens(0) == 0);
    CHECK(user_audio_tokens(101) == 2);
    CHECK(assistant_audio_tokens(101) == 3);
}
