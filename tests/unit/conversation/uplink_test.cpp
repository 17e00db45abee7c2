#include "repartee/conversation/uplink.hpp"
#include "support.hpp"

using namespace test;
using conversation::Uplink;

namespace {

std::size_t audio_bytes(Uplink& uplink)
{
    std::size_t bytes = 0;
    std::string text;
    while (next(uplink, text)) {
        const auto event = json::parse_object(text).value();
        const auto base64_text = json::find_string(event, "audio");
        if (!base64_text) continue;
        std::vector<std::byte> pcm(audio::base64_decoded_bytes_max(base64_text->size()));
        bytes += audio::base64_decode(*base64_text, pcm.data()).bytes;
    }
    return bytes;
}

}  // namespace

TEST_CASE("every input rate arrives as 24 kHz of the same duration, whatever the chunks")
{
    for (const int hz : audio::client_rates_hz)
        for (const std::size_t chunk : {std::size_t{2}, std::size_t{318}, std::size_t{4'096}}) {
            INFO(hz << " Hz, chunks of " << chunk);
            Uplink uplink(hz, 1 << 20, 16);
            uplink.hold(false);
            const auto pcm = pcm_ms(1'000, hz);
            std::size_t bytes = 0;
            for (std::size_t at = 0; at < pcm.size(); at += chunk) {
                REQUIRE(uplink.push_audio(std::span(pcm).subspan(at, std::min(chunk, pcm.size() - at))));
                bytes += audio_bytes(uplink);
            }
            uplink.end_turn();
            bytes += audio_bytes(uplink);
            CHECK(std::abs(static_cast<long>(bytes) - 48'000L) <= 2);
        }
}

TEST_CASE("while held only urgent events leave")
{
    Uplink uplink(24'000, 1 << 16, 4);
    std::string text;
    uplink.push_audio(pcm_ms(20, 24'000));
    uplink.push_event("pinned");
    CHECK(!next(uplink, text));
    uplink.push_urgent("urgent");
    REQUIRE(next(uplink, text));
    CHECK(text == "urgent");
    CHECK(!next(uplink, text));
}

TEST_CASE("a backlog leaves in events of at most a second")
{
    Uplink uplink(24'000, 1 << 20, 4);
    uplink.hold(false);
    REQUIRE(uplink.push_audio(pcm_ms(2'500, 24'000)));
    int events = 0;
    std::string text;
    while (next(uplink, text)) ++events;
    CHECK(events == 3);
}

TEST_CASE("dropping audio spares the turn that has been committed but not sent")
{
    Uplink uplink(24'000, 1 << 20, 4);
    uplink.hold(false);
    std::string text;
    uplink.push_audio(pcm_ms(100, 24'000));
    uplink.drop_audio();
    CHECK(!next(uplink, text));
    uplink.push_audio(pcm_ms(100, 24'000));
    uplink.push_event("commit");
    uplink.push_audio(pcm_ms(20, 24'000));
    uplink.drop_audio();
    uplink.push_event("clear");
    std::vector<std::string> sent;
    while (next(uplink, text)) sent.push_back(text.substr(0, 10));
    CHECK(sent == Strings{R"({"type":"i)", "commit", R"({"type":"i)", "clear"});
}

TEST_CASE("waiting events are bounded in bytes too, but a single large one passes")
{
    Uplink uplink(24'000, 1 << 16, 100, 1'000);
    CHECK(uplink.push_event(std::string(5'000, 'x')));
    CHECK(!uplink.push_event("y"));
    uplink.hold(false);
    std::string text;
    CHECK(next(uplink, text));
    CHECK(uplink.push_event("y"));
}

TEST_CASE("waiting events are bounded")
{
    Uplink uplink(24'000, 1 << 16, 2);
    CHECK(uplink.push_event("1"));
    CHECK(uplink.push_event("2"));
    CHECK(!uplink.push_event("3"));
}
