#include "support.hpp"

using namespace test;
using conversation::Downlink;
using conversation::DownlinkSettings;

namespace {

std::vector<std::int16_t> drain(Downlink& downlink, Instant now)
{
    std::vector<std::int16_t> samples;
    for (;;) {
        const auto next = downlink.next(now);
        if (next.kind == Downlink::Next::Kind::nothing) return samples;
        if (next.kind != Downlink::Next::Kind::binary) continue;
        const std::size_t before = samples.size();
        samples.resize(before + next.binary.size() / 2);
        std::memcpy(samples.data() + before, next.binary.data(), next.binary.size());
    }
}

realtime::AudioDelta delta(std::string_view item, std::string_view audio) { return {"resp_1", item, 0, 0, audio}; }

}  // namespace

TEST_CASE("resampled items have their exact length at every client rate")
{
    for (const int hz : audio::client_rates_hz) {
        INFO(hz);
        DownlinkSettings settings;
        settings.output_hz = hz;
        settings.lead.reset();
        Downlink downlink(settings);
        const Instant now{std::chrono::hours(1)};
        const std::string audio = base64(pcm_ms(70, audio::realtime_hz));
        std::size_t samples = 0;
        for (int i = 0; i < 10; ++i) {
            REQUIRE(downlink.push_audio(delta("a", audio)));
            samples += drain(downlink, now).size();
        }
        downlink.end_item("a", "");
        samples += drain(downlink, now).size();
        CHECK(std::abs(static_cast<long>(samples) - 700L * hz / 1000) <= 1);
    }
}

TEST_CASE("samples that are split across deltas come out whole and unaltered")
{
    DownlinkSettings settings;
    settings.lead.reset();
    Downlink downlink(settings);
    const Instant now{std::chrono::hours(1)};
    std::vector<std::byte> bytes;
    for (int i = 0; i < 3001; ++i) bytes.push_back(static_cast<std::byte>(i * 7));
    std::vector<std::int16_t> got;
    for (std::size_t at = 0; at < bytes.size(); at += 17) {
        const auto piece = std::span(bytes).subspan(at, std::min<std::size_t>(17, bytes.size() - at));
        const std::string text = base64(piece);
        REQUIRE(downlink.push_audio(delta("a", text)));
        for (const auto sample : drain(downlink, now)) got.push_back(sample);
    }
    downlink.end_item("a", "");
    for (const auto sample : drain(downlink, now)) got.push_back(sample);
    bytes.push_back(std::byte{0});  // half a sample at the end is completed
    REQUIRE(got.size() * 2 == bytes.size());
    CHECK(std::memcmp(got.data(), bytes.data(), bytes.size()) == 0);
}

TEST_CASE("audio that is not base64 is refused and nothing of it is heard")
{
    Downlink downlink({});
    const auto pushed = downlink.push_audio(delta("a", "AAA*"));
    REQUIRE(!pushed);
    CHECK(pushed.error().code == Code::invalid_audio);
    CHECK(!downlink.has_unsent());
}

TEST_CASE("a full buffer is an error, not a growing one")
{
    DownlinkSettings settings;
    settings.capacity_bytes = 64 << 10;
    Downlink downlink(settings);
    const std::string audio = base64(pcm_ms(1000, audio::realtime_hz));
    REQUIRE(downlink.push_audio(delta("a", audio)));
    const auto second = downlink.push_audio(delta("a", audio));
    REQUIRE(!second);
    CHECK(second.error().code == Code::too_large);
    CHECK(!downlink.has_room());
}

TEST_CASE("two items in a row: each is announced before its first frame, and an interruption cuts both")
{
    Downlink downlink({});
    Instant now{std::chrono::hours(1)};
    const std::string audio = base64(pcm_ms(300, audio::realtime_hz));
    REQUIRE(downlink.push_audio(delta("a", audio)));
    REQUIRE(downlink.push_audio(delta("b", audio)));
    std::vector<std::string> order;
    for (;;) {
        const auto next = downlink.next(now);
        if (next.kind == Downlink::Next::Kind::nothing) break;
        order.push_back(next.kind == Downlink::Next::Kind::binary ? "binary" : std::string(json::find_string(json::parse_object(next.text).value(), "item_id").value()));
    }
    CHECK(order.at(0) == "a");
    CHECK(std::find(order.begin(), order.end(), "b") != order.end());

    now += milliseconds(350);  // 300 ms of a, 50 of b
    const auto cuts = downlink.interrupt(now);
    REQUIRE(cuts.size() == 1);
    CHECK(cuts[0].item_id == "b");
    CHECK(cuts[0].heard_ms == 50);
    CHECK(downlink.interrupt(now).empty());
}

TEST_CASE("a lead shorter than a frame still plays to the end")
{
    DownlinkSettings settings;
    settings.lead = milliseconds(20);
    Downlink downlink(settings);
    Instant now{std::chrono::hours(1)};
    REQUIRE(downlink.push_audio(delta("a", base64(pcm_ms(200, audio::realtime_hz)))));
    downlink.end_item("a", "");
    std::size_t samples = 0;
    for (int i = 0; i < 30; ++i, now += milliseconds(10)) samples += drain(downlink, now).size();
    CHECK(samples == 200 * 24);
}

TEST_CASE("text that waits is bounded in bytes, but a single large event passes")
{
    DownlinkSettings settings;
    settings.events_bytes_max = 1'000;
    Downlink downlink(settings);
    const Instant now{std::chrono::hours(1)};
    CHECK(downlink.push_event(std::string(5'000, 'x')));
    CHECK(!downlink.push_event("y"));
    CHECK(downlink.next(now).text.size() == 5'000);
    CHECK(downlink.push_event("y"));
}
