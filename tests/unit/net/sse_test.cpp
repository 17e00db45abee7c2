#include "repartee/net/sse.hpp"

#include <catch2/catch.hpp>

#include <vector>

using repartee::Code;
using repartee::net::SseEvent;
using repartee::net::SseParser;

namespace {

/// "name|data" of every event.
std::vector<std::string> events_of(std::string_view text, std::size_t piece_bytes)
{
    SseParser parser;
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
        parser.feed(text.substr(at, piece_bytes));
        for (;;) {
            const auto event = parser.next();
            REQUIRE(event.has_value());
            if (!*event) break;
            out.push_back((*event)->name + "|" + (*event)->data);
        }
    }
    if (const auto event = parser.finish()) out.push_back(event->name + "|" + event->data);
    return out;
}

}  // namespace

TEST_CASE("Server-sent events are read however they are written and cut")
{
    using Events = std::vector<std::string>;
    struct Row {
        const char* text;
        Events events;
    };
    const Row rows[] = {
        {"data: {\"a\":1}\n\ndata: [DONE]\n\n", {"|{\"a\":1}", "|[DONE]"}},
        {"data:no space\r\n\r\ndata:  two spaces\r\n\r\n", {"|no space", "| two spaces"}},
        {"event: delta\ndata: x\n\ndata: y\n\n", {"delta|x", "|y"}},
        {": ping\n\nid: 7\nretry: 100\nunknown\ndata: x\n: amid\ndata: y\n\n", {"|x\ny"}},
        {"event: only a name\n\ndata: x\n\n", {"|x"}},
        {"data\n\ndata:\ndata\n\n", {"|", "|\n"}},
        {"\xEF\xBB\xBF" "data: marked\n\n\xEF\xBB\xBF" "data: not a field\n\n", {"|marked"}},
        {"data: no blank line", {"|no blank line"}},
        {"data: no blank line\n", {"|no blank line"}},
        {"\n\n\n", {}},
        {"", {}},
    };
    for (const auto& row : rows)
        for (std::size_t piece = 1; piece < 9; ++piece) {
            CAPTURE(row.text, piece);
            CHECK(events_of(row.text, piece) == row.events);
        }
}

TEST_CASE("An event over the limit is refused, in one line or in many")
{
    SseParser line(10);
    line.feed("data: " + std::string(20, 'x') + "\n\n");
    CHECK(line.next().error().code == Code::too_large);
    SseParser many(10);
    for (int i = 0; i < 10; ++i) many.feed("data: x\n");
    CHECK(many.next().error().code == Code::too_large);
}
