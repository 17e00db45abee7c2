#include "repartee/base/token_estimate.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace repartee;

TEST_CASE("Text tokens: four ASCII bytes or one other character", "[token_estimate]")
{
    CHECK(estimated_tokens("") == 0);
    CHECK(estimated_tokens("a") == 1);
    CHECK(estimated_tokens("abcd") == 1);
    CHECK(estimated_tokens("abcde") == 2);
    CHECK(estimated_tokens("안녕하세요") == 5);
    CHECK(estimated_tokens("안녕 hey!") == 4);
}

TEST_CASE("Counting in pieces counts the whole", "[token_estimate]")
{
    const std::string text = "Guten Tag, 안녕하세요!";
    TokenCounter counter;
    for (const char c : text) counter.add({&c, 1});
    CHECK(counter.tokens() == estimated_tokens(text));
}

TEST_CASE("A prefix within a limit ends between characters", "[token_estimate]")
{
    TokenCounter counter;
    counter.add("abc");
    CHECK(counter.prefix_bytes_within("de", 1) == 1);
    CHECK(counter.prefix_bytes_within("de", 2) == 2);
    CHECK(counter.prefix_bytes_within("가나다", 3) == 6);
    CHECK(counter.prefix_bytes_within("가나다", 0) == 0);
}
