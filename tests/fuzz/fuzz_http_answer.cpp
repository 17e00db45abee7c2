#include "net/http_answer_parser.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

// The first byte says how the rest is cut; the rest is what a service sends before it ends its side. Whatever it is, the parser ends, holds no
// more than its limits, and the cuts make no difference.
namespace {

using repartee::net::HttpAnswerParser;

constexpr std::size_t header_bytes_max = 2000;

void check(bool holds)
{
    if (!holds) std::abort();
}

struct Outcome {
    bool sound = false, header_done = false;
    int status = 0;
    std::string body;
};

Outcome parse(std::string_view text, std::size_t piece_bytes, bool without_body)
{
    HttpAnswerParser parser(without_body, header_bytes_max);
    Outcome outcome;
    std::string piece;
    bool sound = true;
    while (sound && !text.empty() && !parser.complete()) {
        const auto fed = text.substr(0, piece_bytes);
        text.remove_prefix(fed.size());
        sound = parser.feed(fed);
        if (!parser.header_done()) continue;
        parser.take_body(piece);
        check(piece.size() <= fed.size() + header_bytes_max + 8);
        outcome.body += piece;
    }
    check(sound == parser.error().empty());
    if (sound && !parser.complete()) sound = parser.feed_end();
    check(!sound || parser.complete());
    check(!parser.leaves_usable() || parser.complete());
    outcome.sound = sound;
    outcome.header_done = parser.header_done();
    if (outcome.header_done) outcome.status = parser.status();
    if (outcome.header_done) check(parser.header("content-type").size() <= header_bytes_max);
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const bool without_body = data[0] >= 128;
    const Outcome whole = parse(text, std::max<std::size_t>(text.size(), 1), without_body);
    const Outcome cut = parse(text, data[0] % 128 + std::size_t{1}, without_body);
    if (!whole.sound || !cut.sound) return 0;  // a limit may be met at one cut and not at another
    check(whole.status == cut.status && whole.body == cut.body);
    check(!without_body || whole.body.empty());
    return 0;
}
