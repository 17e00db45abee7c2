#include "repartee/conversation/backlog.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using repartee::conversation::Backlog;
using Strings = std::vector<std::string>;

namespace {

Strings texts(const Backlog& backlog)
{
    Strings out;
    std::size_t bytes = 0;
    for (const auto& event : backlog.events()) {
        out.push_back(event.text);
        bytes += event.text.size();
    }
    CHECK(backlog.bytes() == bytes);
    CHECK(backlog.size() == out.size());
    CHECK(backlog.empty() == out.empty());
    return out;
}

Backlog filled(std::initializer_list<Backlog::Event> events)
{
    Backlog backlog(100, 10'000);
    for (const auto& event : events) REQUIRE(backlog.push(event));
    return backlog;
}

}  // namespace

TEST_CASE("a backlog is bounded by count and bytes, but a single larger text passes")
{
    struct Row {
        const char* name;
        std::size_t events_max, bytes_max;
        std::vector<std::size_t> pushed;
        std::size_t taken;  ///< so many of them, the first
    };
    for (const Row& row : {Row{"count", 2, 100, {1, 1, 1}, 2}, Row{"bytes", 10, 5, {3, 2, 1}, 2}, Row{"one too large, alone", 10, 5, {50}, 1},
                           Row{"one too large, behind another", 10, 5, {1, 50}, 1}, Row{"none at all", 0, 5, {1}, 0},
                           Row{"empty texts count", 2, 0, {0, 0, 0}, 2}}) {
        INFO(row.name);
        Backlog backlog(row.events_max, row.bytes_max);
        std::size_t taken = 0;
        for (const std::size_t bytes : row.pushed) taken += backlog.push(std::string(bytes, 'x')) ? 1 : 0;
        CHECK(taken == row.taken);
        CHECK(texts(backlog).size() == row.taken);
        while (!backlog.empty()) backlog.take();
        CHECK(backlog.bytes() == 0);
        CHECK(backlog.push(std::string("y")) == (row.events_max > 0));
    }
}

TEST_CASE("a backlog gives out in order, and what was put first before that")
{
    Backlog backlog(2, 3);
    REQUIRE(backlog.push(std::string("a")));
    REQUIRE(backlog.push(std::string("b")));
    backlog.push_first(std::string("beyond all bounds"));
    CHECK(texts(backlog) == Strings{"beyond all bounds", "a", "b"});
    CHECK(!backlog.push(std::string("c")));
    CHECK(backlog.front().text == "beyond all bounds");
    CHECK(backlog.take().text == "beyond all bounds");
    CHECK(backlog.take().text == "a");
    CHECK(texts(backlog) == Strings{"b"});
    backlog.clear();
    CHECK(texts(backlog).empty());
}

TEST_CASE("the newest of a backlog push the oldest out, and stay however large they are")
{
    struct Row {
        const char* name;
        std::string text;
        std::size_t gone;
        Strings left;
    };
    for (const Row& row : {Row{"fits", "dd", 0, {"a", "bb", "cc", "dd"}}, Row{"one too much", "ddd", 1, {"bb", "cc", "ddd"}},
                           Row{"some", "dddddd", 3, {"dddddd"}},
                           Row{"too large", "dddddddddddd", 3, {"dddddddddddd"}}}) {
        INFO(row.name);
        Backlog backlog(10, 7);
        for (const char* text : {"a", "bb", "cc"}) REQUIRE(backlog.push_newest({text}) == 0);
        CHECK(backlog.push_newest({row.text}) == row.gone);
        CHECK(texts(backlog) == row.left);
    }
    Backlog counted(2, 100);
    CHECK(counted.push_newest({"a"}) + counted.push_newest({"b"}) == 0);
    CHECK(counted.push_newest({"c"}) == 1);
    CHECK(texts(counted) == Strings{"b", "c"});
}

TEST_CASE("the oldest of a key is taken out of a backlog")
{
    Backlog backlog = filled({{"1", "x", 10}, {"2", "y", 20}, {"3", "x", 30}, {"4"}});
    CHECK(!backlog.take("z"));
    const auto first = backlog.take("x");
    REQUIRE(first);
    CHECK(first->text == "1");
    CHECK(first->position == 10);
    CHECK(backlog.contains("x"));
    CHECK(backlog.take("x")->text == "3");
    CHECK(!backlog.contains("x"));
    CHECK(!backlog.take("x"));
    CHECK(texts(backlog) == Strings{"2", "4"});
}

TEST_CASE("an emptied event still answers to its key, until those are dropped")
{
    Backlog backlog = filled({{"one", "x"}, {"two", "y"}, {"three", "x"}});
    backlog.empty_texts("x");
    CHECK(texts(backlog) == Strings{"", "two", ""});
    CHECK(backlog.take("x")->text.empty());
    backlog.drop_emptied();
    CHECK(texts(backlog) == Strings{"two"});
}

TEST_CASE("events move from one backlog to another without a copy")
{
    Backlog from = filled({{"a text that is too long to stand in a string itself", "k", 4}, {"b"}});
    Backlog to = filled({{"0"}});
    const char* const place = from.front().text.data();
    const auto& moved = to.take_from(from);
    CHECK(moved.text.data() == place);
    CHECK(moved.key == "k");
    CHECK(moved.position == 4);
    CHECK(texts(from) == Strings{"b"});
    CHECK(texts(to) == Strings{"0", "a text that is too long to stand in a string itself"});

    Backlog narrow(1, 1);
    REQUIRE(narrow.push(std::string("z")));
    CHECK(narrow.take_from(to).text == "0");
    CHECK(texts(narrow) == Strings{"0"});
}

TEST_CASE("older events go before what is there, and the oldest of them go when that is too much")
{
    Backlog older = filled({{"1"}, {"2"}, {"3"}});
    Backlog newer(4, 100);
    REQUIRE(newer.push(std::string("4")));
    REQUIRE(newer.push(std::string("5")));
    newer.put_before(older);
    CHECK(texts(newer) == Strings{"2", "3", "4", "5"});
    CHECK(texts(older).empty());
}

TEST_CASE("events without a position go before those with one, each in order")
{
    struct Row {
        std::string kinds;  ///< capitals are pinned
        std::string order;
    };
    for (const Row& row : {Row{"", ""}, Row{"ab", "ab"}, Row{"AB", "AB"}, Row{"aBcD", "acBD"}, Row{"AbCd", "bdAC"}, Row{"ABc", "cAB"},
                           Row{"abC", "abC"}}) {
        Backlog backlog(100, 100);
        for (const char kind : row.kinds)
            REQUIRE(backlog.push({std::string(1, kind), {}, kind < 'a' ? std::optional<std::uint64_t>(7) : std::nullopt}));
        backlog.put_unpinned_first();
        std::string order;
        for (const auto& text : texts(backlog)) order += text;
        CHECK(order == row.order);
    }
}
