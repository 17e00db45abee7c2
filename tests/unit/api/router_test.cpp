#include "repartee/api/router.hpp"

#include <catch2/catch.hpp>

using namespace repartee::api;

namespace {

constexpr Route table[] = {
    {"GET", "/"}, {"GET", "/things"}, {"POST", "/things"}, {"GET", "/things/{id}"}, {"GET", "/things/{id}/parts/{part}"}, {"GET", "/audio/{id}_intro.mp3"},
};

}  // namespace

TEST_CASE("paths are matched segment by segment")
{
    struct Row {
        const char* method;
        const char* path;
        Match::Kind kind;
        std::size_t index;
    };
    const Row rows[] = {
        {"GET", "/", Match::Kind::found, 0},
        {"GET", "/things", Match::Kind::found, 1},
        {"HEAD", "/things", Match::Kind::found, 1},
        {"POST", "/things", Match::Kind::found, 2},
        {"DELETE", "/things", Match::Kind::method_not_allowed, 0},
        {"GET", "/things/7", Match::Kind::found, 3},
        {"GET", "/things/7/parts/x", Match::Kind::found, 4},
        {"GET", "/things/7/parts", Match::Kind::not_found, 0},
        {"GET", "/things/7/parts/x/y", Match::Kind::not_found, 0},
        {"GET", "/thing", Match::Kind::not_found, 0},
        {"GET", "/audio/anna_intro.mp3", Match::Kind::found, 5},
        {"GET", "/audio/_intro.mp3", Match::Kind::not_found, 0},
        {"GET", "/audio/anna.mp3", Match::Kind::not_found, 0},
        {"GET", "//", Match::Kind::not_found, 0},
    };
    for (const Row& row : rows) {
        INFO(row.method << " " << row.path);
        const Match match = match_route(table, row.method, row.path);
        CHECK(match.kind == row.kind);
        if (row.kind == Match::Kind::found) CHECK(match.index == row.index);
    }
}

TEST_CASE("parameters carry the text of their segment, without a suffix of the pattern")
{
    CHECK(match_route(table, "GET", "/things/7/parts/x").params == PathParams{{"id", "7"}, {"part", "x"}});
    CHECK(match_route(table, "GET", "/audio/anna_intro.mp3").params == PathParams{{"id", "anna"}});
}

TEST_CASE("a wrong verb is answered with the right ones")
{
    CHECK(match_route(table, "PUT", "/things").allow == "GET, HEAD, POST");
}
