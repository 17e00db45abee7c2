#include "repartee/net/sse.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

// The first byte says how the rest is cut; the cuts make no difference, and no event is larger than the limit.
namespace {

using repartee::net::SseEvent;
using repartee::net::SseParser;

constexpr std::size_t event_bytes_max = 300;

void check(bool holds)
{
    if (!holds) std::abort();
}

struct Outcome {
    bool too_large = false;
    std::vector<SseEvent> events;
};

void take(SseParser& parser, Outcome& outcome)
{
    for (;;) {
        auto event = parser.next();
        outcome.too_large = !event;
        if (!event || !*event) return;
        check((*event)->data.size() <= event_bytes_max && (*event)->name.size() <= event_bytes_max);
        outcome.events.push_back(std::move(**event));
    }
}

Outcome parse(std::string_view text, std::size_t piece_bytes)
{
    SseParser parser(event_bytes_max);
    Outcome outcome;
    while (!text.empty() && !outcome.too_large) {
        const auto piece = text.substr(0, piece_bytes);
        text.remove_prefix(piece.size());
        parser.feed(piece);
        take(parser, outcome);
    }
    if (outcome.too_large) return outcome;
    if (auto last = parser.finish()) outcome.events.push_back(std::move(*last));
    check(!parser.finish());
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Outcome whole = parse(text, std::max<std::size_t>(text.size(), 1));
    const Outcome cut = parse(text, data[0] % 128 + std::size_t{1});
    check(whole.too_large == cut.too_large);
    check(std::ranges::equal(whole.events, cut.events, [](const SseEvent& a, const SseEvent& b) { return a.name == b.name && a.data == b.data; }));
    return 0;
}
