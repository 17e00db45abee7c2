#include "repartee/providers/think_filter.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace repartee::providers;

namespace {

std::string filtered(const std::vector<std::string>& deltas)
{
    ThinkFilter filter;
    std::string shown;
    for (const auto& delta : deltas) shown += filter.push(delta);
    shown += filter.finish();
    return shown;
}

const struct {
    std::string text, shown;
} table[] = {
    {"a<think>b</think>c", "ac"},
    {"<think>b</think>\n\n안녕", "안녕"},
    {"<think>b</think>c<think>d</think>e", "ce"},
    {"<thinking>b</thinking> c", "c"},
    {"<THINK>b</Think>c", "c"},
    {"word <think>b</think> word", "word  word"},
    {"<think>never closed", ""},
    {"said<think>never closed", "said"},
    {"<think>a < b </thin k> </think>c", "c"},
    {"1 < 2 and <b>bold</b>", "1 < 2 and <b>bold</b>"},
    {"<thinker>", "<thinker>"},
    {"<thin", "<thin"},
    {"a<", "a<"},
    {"<<think>b</think>c", "<c"},
    {"</think>c", "</think>c"},
    {"<think></think>", ""},
    {"  \n<think>b</think>  c", "  \nc"},
    {"", ""},
};

}  // namespace

TEST_CASE("thoughts are not shown")
{
    for (const auto& row : table) {
        INFO(row.text);
        CHECK(filtered({row.text}) == row.shown);
    }
}

TEST_CASE("a tag may be cut anywhere")
{
    for (const auto& row : table)
        for (std::size_t first = 0; first <= row.text.size(); ++first)
            for (std::size_t second = first; second <= row.text.size(); ++second) {
                INFO(row.text << " " << first << " " << second);
                REQUIRE(filtered({row.text.substr(0, first), row.text.substr(first, second - first), row.text.substr(second)}) == row.shown);
            }
}

TEST_CASE("what is no tag is not held back")
{
    ThinkFilter filter;
    CHECK(filter.push("Hello <") == "Hello ");
    CHECK(filter.push("t") == "");
    CHECK(filter.push("ea>, ") == "<tea>, ");
    CHECK(filter.push("you") == "you");
}
