#include "support.hpp"

using namespace test;
using conversation::Downlink;
using conversation::DownlinkSettings;
using Kind = Downlink::Next::Kind;

namespace {

/// A downlink and what comes out of it, in words: "start a", "start a@480", "end a 1000", "120" for ms of audio, or an event's type.
struct Talk {
    explicit Talk(DownlinkSettings settings = kept()) : downlink(settings), output_hz(settings.output_hz) {}

    static DownlinkSettings kept()
    {
        DownlinkSettings settings;
        settings.suspends = true;
        settings.resume.events_max = 100;
        return settings;
    }
    static DownlinkSettings unpaced()
    {
        DownlinkSettings settings = kept();
        settings.lead.reset();
        return settings;
    }

    void audio(std::string_view item, std::int64_t ms)
    {
        const std::string text = base64(pcm_ms(ms, audio::realtime_hz));
        REQUIRE(downlink.push_audio({"resp_1", item, 0, 0, text}));
    }
    void end(const std::string& item) { downlink.end_item(item, R"({"type":"done )" + item + R"(","event_id":"done_)" + item + R"("})"); }
    void event(const std::string& id) { REQUIRE(downlink.push_event(R"({"type":")" + id + R"(","event_id":")" + id + R"("})")); }

    Strings out()
    {
        Strings words;
        std::size_t bytes = 0;
        const auto flush = [&] {
            if (bytes > 0) words.push_back(std::to_string(audio::ms_of_bytes(bytes, output_hz)));
            bytes = 0;
        };
        for (;;) {
            const auto next = downlink.next(clock.now);
            if (next.kind == Kind::binary) {
                bytes += next.binary.size();
                continue;
            }
            flush();
            if (next.kind == Kind::nothing) return words;
            const auto event = json::parse_object(next.text).value();
            last_event = std::string(json::find_string(event, "event_id").value());
            std::string word(json::find_string(event, "type").value());
            const std::string item(json::find_string(event, "item_id").value_or(""));
            if (word == "audio.start") word = "start " + item;
            if (word == "audio.end") word = "end " + item + " " + std::to_string(json::find_int(event, "audio_ms").value());
            if (const auto offset = json::find_int(event, "offset_ms")) word += "@" + std::to_string(*offset);
            words.push_back(word);
        }
    }

    Strings heard()
    {
        Strings words;
        for (const auto& item : downlink.take_heard(clock.now))
            words.push_back(item.item_id + " " + std::to_string(item.heard_ms) + "/" + std::to_string(item.audio_ms) + (item.cut ? " cut" : ""));
        return words;
    }

    /// In words: "a@480".
    static Strings words(const std::vector<Downlink::Cut>& cuts)
    {
        Strings out;
        for (const auto& cut : cuts) out.push_back(cut.item_id + "@" + std::to_string(cut.heard_ms));
        return out;
    }

    Clock clock;
    Downlink downlink;
    int output_hz;
    std::string last_event;
};

}  // namespace

TEST_CASE("a suspended reply goes on where the loudspeaker stood, and is heard whole")
{
    Talk talk;
    talk.audio("a", 1'000);
    talk.end("a");
    CHECK(talk.out() == Strings{"start a", "400"});
    talk.clock.now += std::chrono::microseconds(123'456);
    CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"a@123"});
    CHECK(talk.downlink.is_suspended());
    CHECK(talk.downlink.is_speaking(talk.clock.now));
    CHECK(talk.downlink.has_unsent());
    talk.event("speech_started");
    CHECK(talk.out() == Strings{"speech_started"});
    talk.clock.advance(5'000);
    CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"a@123"});
    CHECK(talk.heard().empty());

    talk.downlink.go_on(talk.clock.now);
    CHECK(!talk.downlink.is_suspended());
    CHECK(talk.out() == Strings{"start a@123", "400"});
    talk.clock.advance(100);
    CHECK(talk.out() == Strings{"100"});
    talk.clock.advance(500);
    CHECK(talk.out() == Strings{"377", "end a 1000", "done a"});
    talk.clock.advance(376);
    CHECK(talk.downlink.is_speaking(talk.clock.now));
    CHECK(talk.heard().empty());
    talk.clock.advance(1);
    CHECK(!talk.downlink.is_speaking(talk.clock.now));
    CHECK(talk.heard() == Strings{"a 1000/1000"});
    CHECK(talk.heard().empty());
}

TEST_CASE("an interruption makes a suspension final, with the same cuts")
{
    Talk talk;
    talk.audio("a", 300);
    talk.end("a");
    talk.audio("b", 1'000);
    CHECK(talk.out() == Strings{"start a", "300", "end a 300", "done a", "start b", "100"});
    talk.clock.advance(350);
    talk.out();
    const auto cuts = talk.downlink.suspend(talk.clock.now);
    CHECK(Talk::words(cuts) == Strings{"b@50"});
    talk.clock.advance(700);
    CHECK(Talk::words(talk.downlink.interrupt(talk.clock.now)) == Talk::words(cuts));
    CHECK(!talk.downlink.is_suspended());
    CHECK(talk.downlink.was_cut("b"));
    CHECK(talk.heard() == Strings{"a 300/300", "b 50/1000 cut"});
    talk.downlink.go_on(talk.clock.now);
    CHECK(talk.out().empty());
    CHECK(!talk.downlink.has_unsent());
}

TEST_CASE("a silent loudspeaker is not suspended")
{
    Talk talk;
    CHECK(talk.downlink.suspend(talk.clock.now).empty());
    CHECK(!talk.downlink.is_suspended());
    talk.audio("a", 100);
    talk.end("a");
    talk.out();
    talk.clock.advance(100);
    CHECK(talk.downlink.suspend(talk.clock.now).empty());
    CHECK(!talk.downlink.is_suspended());
}

TEST_CASE("ends that lie behind audio which leaves again leave again, those before it do not")
{
    Talk talk(Talk::unpaced());
    talk.audio("a", 300);
    talk.end("a");
    talk.audio("b", 300);
    talk.end("b");
    talk.audio("c", 300);
    CHECK(talk.out() == Strings{"start a", "300", "end a 300", "done a", "start b", "300", "end b 300", "done b", "start c", "300"});
    talk.clock.advance(450);
    CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"b@150", "c@0"});
    talk.audio("c", 100);
    talk.end("c");
    talk.downlink.go_on(talk.clock.now);
    CHECK(talk.out() == Strings{"start b@150", "150", "end b 300", "done b", "start c@0", "400", "end c 400", "done c"});
    talk.clock.advance(550);
    CHECK(talk.heard() == Strings{"a 300/300", "b 300/300", "c 400/400"});
}

TEST_CASE("what was heard counts from the item's beginning, through any number of suspensions")
{
    Talk talk;
    talk.audio("a", 3'000);
    for (int i = 0; i < 9; ++i) {
        for (int step = 0; step < 10; ++step, talk.clock.advance(10)) talk.out();
        CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"a@" + std::to_string(100 * (i + 1))});
        talk.clock.advance(333);
        talk.downlink.go_on(talk.clock.now);
    }
    talk.out();
    talk.clock.advance(50);
    CHECK(Talk::words(talk.downlink.interrupt(talk.clock.now)) == Strings{"a@950"});
}

TEST_CASE("the client's report is where the loudspeaker stands, whatever the model says")
{
    Talk talk;
    talk.audio("a", 1'000);
    talk.out();
    talk.clock.advance(200);
    talk.downlink.on_playback("a", 140, talk.clock.now);
    talk.clock.advance(100);
    talk.out();
    talk.downlink.on_playback("a", 240, talk.clock.now);
    CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"a@240"});
    talk.downlink.on_playback("a", 290, talk.clock.now);  // sent before the client knew
    CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"a@240"});
    talk.downlink.go_on(talk.clock.now);
    CHECK(talk.out() == Strings{"start a@240", "400"});
}

TEST_CASE("who hears an item has heard those before it; who has not heard one hears none behind it")
{
    Talk talk(Talk::unpaced());
    for (const char* item : {"a", "b", "c"}) {
        talk.audio(item, 300);
        talk.end(item);
    }
    talk.out();
    talk.clock.advance(400);
    talk.downlink.on_playback("a", 280, talk.clock.now);
    CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"a@280", "b@0", "c@0"});
    talk.downlink.go_on(talk.clock.now);
    CHECK(talk.out().front() == "start a@280");
    talk.downlink.on_playback("b", 10, talk.clock.now);
    CHECK(Talk::words(talk.downlink.interrupt(talk.clock.now)) == Strings{"b@10", "c@0"});
    CHECK(talk.heard() == Strings{"a 300/300", "b 10/300 cut", "c 0/300 cut"});
}

TEST_CASE("audio that was not kept is skipped, and the new start says so")
{
    DownlinkSettings settings;  // as without a reason to keep anything
    Talk talk(settings);
    talk.audio("a", 1'000);
    CHECK(talk.out() == Strings{"start a", "400"});
    talk.clock.advance(100);
    talk.out();
    CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"a@100"});
    CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"a@100"});
    talk.downlink.go_on(talk.clock.now);
    CHECK(talk.out() == Strings{"start a@500", "400"});
}

TEST_CASE("at another rate, what leaves again has its exact length too")
{
    for (const int hz : audio::client_rates_hz) {
        INFO(hz);
        DownlinkSettings settings = Talk::unpaced();
        settings.output_hz = hz;
        Talk talk(settings);
        talk.audio("a", 700);
        talk.end("a");
        talk.out();
        talk.clock.advance(333);
        talk.downlink.suspend(talk.clock.now);
        talk.downlink.go_on(talk.clock.now);
        std::size_t samples = 0;
        for (auto next = talk.downlink.next(talk.clock.now); next.kind != Kind::nothing; next = talk.downlink.next(talk.clock.now))
            if (next.kind == Kind::binary) samples += next.binary.size() / audio::sample_bytes;
        CHECK(std::abs(static_cast<long>(samples) - 367L * hz / 1000) <= 1);
    }
}

TEST_CASE("a frame says when it is heard, and how it was before it was resampled")
{
    DownlinkSettings settings = Talk::kept();
    settings.output_hz = 48'000;
    Talk talk(settings);
    talk.audio("a", 100);
    talk.end("a");
    CHECK(talk.downlink.next(talk.clock.now).kind == Kind::text);
    const Instant began = talk.clock.now;
    std::size_t source_bytes = 0;
    for (auto next = talk.downlink.next(talk.clock.now); next.kind == Kind::binary; next = talk.downlink.next(talk.clock.now)) {
        CHECK(next.plays_at - began == milliseconds(audio::ms_of_bytes(source_bytes, audio::realtime_hz)));
        for (const auto& part : next.source) source_bytes += part.size();
    }
    CHECK(source_bytes == audio::bytes_of_ms(100, audio::realtime_hz));
    CHECK(talk.downlink.quiet_at(talk.clock.now) == began + milliseconds(100));
    talk.clock.advance(100);
    CHECK(!talk.downlink.quiet_at(talk.clock.now));
}

TEST_CASE("a client that comes back gets the events it missed, once and in order, and the audio it has not heard")
{
    Talk talk;
    talk.event("e1");
    talk.audio("a", 1'000);
    CHECK(talk.out() == Strings{"e1", "start a", "400"});
    talk.event("e2");
    talk.out();
    const std::string got = talk.last_event;
    talk.event("e3");
    CHECK(talk.out() == Strings{"e3"});
    talk.clock.advance(200);
    CHECK(talk.out() == Strings{"200"});
    talk.downlink.on_client_lost(talk.clock.now);
    CHECK(talk.out().empty());
    talk.event("e4");
    talk.clock.advance(30'000);
    talk.audio("a", 500);
    talk.end("a");
    talk.event("e5");

    SECTION("it says what it had last")
    {
        const auto again = talk.downlink.on_client_back({got, {}, 0}, talk.clock.now);
        CHECK(again.events == 1);
        CHECK(again.events_lost == 0);
        CHECK(again.audio_ms == 400);
        CHECK(talk.out() == Strings{"e3", "e4", "e5", "start a@200", "400"});
    }
    SECTION("it says where its loudspeaker was: never beyond what was sent")
    {
        CHECK(talk.downlink.on_client_back({got, "a", 230}, talk.clock.now).audio_ms == 370);
        CHECK(talk.out() == Strings{"e3", "e4", "e5", "start a@230", "400"});
        for (int i = 0; i < 127; ++i, talk.clock.advance(10)) talk.out();
        CHECK(talk.heard() == Strings{"a 1500/1500"});
    }
    SECTION("nor before what was kept")
    {
        talk.downlink.on_client_back({got, "a", 700}, talk.clock.now);
        CHECK(talk.out() == Strings{"e3", "e4", "e5", "start a@600", "400"});
    }
    SECTION("an item that nobody knows")
    {
        talk.downlink.on_client_back({got, "x", 700}, talk.clock.now);
        CHECK(talk.out() == Strings{"e3", "e4", "e5", "start a@200", "400"});
    }
    SECTION("it says nothing: what was sent shortly before leaves again")
    {
        CHECK(talk.downlink.on_client_back({}, talk.clock.now).events == 3);
        CHECK(talk.out() == Strings{"e1", "e2", "e3", "e4", "e5", "start a@200", "400"});
    }
    SECTION("it is lost again before it got anything")
    {
        talk.downlink.on_client_back({got, {}, 0}, talk.clock.now);
        talk.out();
        talk.downlink.on_client_lost(talk.clock.now);
        talk.downlink.on_client_back({got, {}, 0}, talk.clock.now);
        CHECK(talk.out() == Strings{"e3", "e4", "e5", "start a@200", "400"});
    }
    SECTION("it is interrupted while it is away")
    {
        CHECK(Talk::words(talk.downlink.interrupt(talk.clock.now)) == Strings{"a@200"});
        talk.downlink.push_event_first(R"({"type":"audio.clear","event_id":"c"})");
        CHECK(talk.downlink.on_client_back({got, "a", 100}, talk.clock.now).audio_ms == 0);
        CHECK(talk.out() == Strings{"e3", "audio.clear", "e4", "e5", "done a"});
        CHECK(talk.heard() == Strings{"a 200/1500 cut"});
    }
    SECTION("it is suspended while it is away")
    {
        CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"a@200"});
        talk.downlink.on_client_back({got, "a", 230}, talk.clock.now);
        CHECK(talk.out() == Strings{"e3", "e4", "e5"});
        talk.downlink.go_on(talk.clock.now);
        CHECK(talk.out() == Strings{"start a@200", "400"});
    }
}

TEST_CASE("an end that the client has comes again only behind audio, and what the service said comes once")
{
    Talk talk(Talk::unpaced());
    talk.audio("a", 500);
    talk.end("a");
    CHECK(talk.out() == Strings{"start a", "500", "end a 500", "done a"});
    const std::string got = talk.last_event;
    talk.clock.advance(100);
    talk.downlink.on_client_lost(talk.clock.now);
    SECTION("it had it")
    {
        CHECK(talk.downlink.on_client_back({got, {}, 0}, talk.clock.now).events == 0);
        CHECK(talk.out() == Strings{"start a@100", "400", "end a 500"});
    }
    SECTION("it had it not")
    {
        CHECK(talk.downlink.on_client_back({"unknown", {}, 0}, talk.clock.now).events == 1);
        CHECK(talk.out() == Strings{"start a@100", "400", "end a 500", "done a"});
    }
    SECTION("it has heard all of it, and had only no end of it")
    {
        talk.downlink.on_client_back({"unknown", "a", 500}, talk.clock.now);
        CHECK(talk.out() == Strings{"start a", "end a 500", "done a"});
        CHECK(talk.heard() == Strings{"a 500/500"});
    }
}

TEST_CASE("a client that reported and fell silent gets the audio from its last report on")
{
    Talk talk;
    talk.audio("a", 4'000);
    talk.end("a");
    for (int i = 0; i < 100; ++i, talk.clock.advance(10)) {
        talk.out();
        if (i % 10 == 0) talk.downlink.on_playback("a", 10 * i, talk.clock.now);
    }
    for (int i = 0; i < 800; ++i, talk.clock.advance(10)) talk.out();  // into a dead connection
    CHECK(talk.heard().empty());
    CHECK(!talk.downlink.is_speaking(talk.clock.now));
    const auto again = talk.downlink.on_client_back({talk.last_event, {}, 0}, talk.clock.now);
    CHECK(again.audio_ms == 3'100);
    CHECK(talk.out() == Strings{"start a@900", "400"});
}

TEST_CASE("before its first report of an item, a client that reports may be behind the model, and nothing is let go of")
{
    Talk talk;
    talk.audio("a", 100);
    talk.end("a");
    talk.audio("b", 4'000);
    talk.out();
    talk.downlink.on_playback("a", 20, talk.clock.now);
    talk.clock.advance(300);
    talk.out();
    talk.downlink.on_playback("b", 50, talk.clock.now);
    CHECK(Talk::words(talk.downlink.suspend(talk.clock.now)) == Strings{"b@50"});
    talk.downlink.go_on(talk.clock.now);
    CHECK(talk.out() == Strings{"start b@50", "400"});
}

TEST_CASE("what was sent long before its time is not taken as heard for that")
{
    Talk talk(Talk::unpaced());
    for (const char* item : {"a", "b", "c"}) {
        talk.audio(item, 5'000);
        talk.end(item);
        talk.audio(item, 100);  // more of it, as a stretch of its own
    }
    talk.out();
    for (int ms = 0; ms < 4'900; ms += 100, talk.clock.advance(100)) {
        talk.out();
        talk.downlink.on_playback("a", ms, talk.clock.now);
    }
    talk.clock.advance(9'000);
    CHECK(talk.heard().empty());
    CHECK(talk.downlink.is_speaking(talk.clock.now));
    talk.downlink.on_client_back({talk.last_event, "a", 4'850}, talk.clock.now);
    CHECK(talk.out().front() == "start a@4850");
}

TEST_CASE("an interruption after the last sample, and before the end was told, still tells it")
{
    Talk talk;
    talk.audio("a", 200);
    talk.out();
    talk.clock.advance(300);
    talk.end("a");
    CHECK(talk.downlink.interrupt(talk.clock.now).empty());
    CHECK(talk.out() == Strings{"end a 200", "done a"});
    CHECK(talk.heard() == Strings{"a 200/200"});
}

TEST_CASE("the last bit that nobody reports is not played twice, but to a client that asks for it")
{
    Talk talk;
    talk.audio("a", 300);
    talk.end("a");
    talk.out();
    talk.clock.advance(250);
    talk.downlink.on_playback("a", 200, talk.clock.now);
    talk.clock.advance(1'101);
    CHECK(!talk.downlink.is_speaking(talk.clock.now));
    SECTION("it does not")
    {
        talk.downlink.on_client_lost(talk.clock.now);
        talk.downlink.on_client_back({talk.last_event, {}, 0}, talk.clock.now);
        CHECK(talk.out().empty());
    }
    SECTION("it does")
    {
        talk.downlink.on_client_lost(talk.clock.now);
        talk.downlink.on_client_back({talk.last_event, "a", 220}, talk.clock.now);
        CHECK(talk.out() == Strings{"start a@220", "80", "end a 300"});
    }
    SECTION("it stays, and is told to have heard all of it when that is sure")
    {
        talk.clock.advance(8'999);
        CHECK(talk.heard().empty());
        talk.clock.advance(1);
        CHECK(talk.heard() == Strings{"a 300/300"});
    }
    SECTION("it stays, and hears something else")
    {
        talk.audio("b", 100);
        talk.out();
        talk.downlink.on_playback("b", 10, talk.clock.now);
        CHECK(talk.heard() == Strings{"a 300/300"});
    }
}

TEST_CASE("not more audio is kept for a return than the settings say")
{
    DownlinkSettings settings = Talk::unpaced();
    settings.suspends = false;
    settings.resume.audio_max = milliseconds(1'000);
    Talk talk(settings);
    talk.audio("a", 2'000);
    talk.audio("a", 2'000);
    talk.out();
    talk.clock.advance(100);
    talk.out();
    talk.downlink.on_client_lost(talk.clock.now);
    CHECK(talk.downlink.on_client_back({}, talk.clock.now).audio_ms == 1'000);
    CHECK(talk.out() == Strings{"start a@3000", "1000"});
}

TEST_CASE("while the client is away the oldest events go, and it is told how many")
{
    DownlinkSettings settings = Talk::kept();
    settings.events_max = 8;
    settings.resume.events_max = 4;
    Talk talk(settings);
    for (int i = 0; i < 6; ++i) talk.event("s" + std::to_string(i));
    talk.out();
    talk.downlink.on_client_lost(talk.clock.now);
    for (int i = 0; i < 100; ++i) talk.event("w" + std::to_string(i));
    for (int i = 0; i < 100; ++i) talk.downlink.push_event_first(R"({"type":"clear","event_id":"c"})");
    const auto again = talk.downlink.on_client_back({"s5", {}, 0}, talk.clock.now);
    const auto words = talk.out();
    CHECK(words.size() == 6);  // with room for what comes next
    CHECK(again.events == 0);
    CHECK(again.events_lost == 200 - 6);
    talk.event("e");
    CHECK(talk.out() == Strings{"e"});
}

TEST_CASE("events that fell out of the journal are counted")
{
    DownlinkSettings settings = Talk::kept();
    settings.resume.events_max = 4;
    Talk talk(settings);
    for (int i = 0; i < 10; ++i) talk.event("e" + std::to_string(i));
    talk.out();
    talk.downlink.on_client_lost(talk.clock.now);
    const auto again = talk.downlink.on_client_back({"e1", {}, 0}, talk.clock.now);
    CHECK(again.events == 4);
    CHECK(again.events_lost == 6);
    CHECK(talk.out() == Strings{"e6", "e7", "e8", "e9"});
}

TEST_CASE("what greeted the client before does not greet it again: its token is void")
{
    Talk talk;
    talk.event("session.created");
    talk.event("e1");
    talk.event("session.resumed");
    talk.event("e2");
    talk.out();
    talk.downlink.on_client_lost(talk.clock.now);
    CHECK(talk.downlink.on_client_back({"unknown", {}, 0}, talk.clock.now).events == 2);
    talk.downlink.push_event_first(R"({"type":"session.resumed","event_id":"new"})");
    CHECK(talk.out() == Strings{"session.resumed", "e1", "e2"});
}

TEST_CASE("while the client is away audio gathers until the buffer is full, and none of it is lost")
{
    DownlinkSettings settings = Talk::kept();
    settings.capacity_bytes = 1 << 20;  // 21.8 s
    Talk talk(settings);
    talk.audio("a", 1'000);
    talk.out();
    talk.clock.advance(200);
    talk.out();
    talk.downlink.on_client_lost(talk.clock.now);
    std::int64_t ms = 1'000;
    for (; talk.downlink.has_room(); ms += 1'000) {
        talk.audio("a", 1'000);
        talk.clock.advance(1'000);
    }
    CHECK(ms > 15'000);
    CHECK(ms < 21'000);
    CHECK(talk.downlink.received_ms("a") == ms);
    CHECK(talk.downlink.unfinished_items() == Strings{"a"});
    talk.end("a");
    CHECK(talk.downlink.unfinished_items().empty());
    talk.downlink.on_client_back({}, talk.clock.now);
    for (std::int64_t step = 0; step < ms; step += 10, talk.clock.advance(10)) talk.out();
    CHECK(talk.heard() == Strings{"a " + std::to_string(ms) + "/" + std::to_string(ms)});
}

TEST_CASE("audio that is kept makes way for new audio")
{
    DownlinkSettings settings = Talk::unpaced();
    settings.capacity_bytes = 1 << 20;
    Talk talk(settings);
    for (int i = 0; i < 60; ++i) {
        REQUIRE(talk.downlink.has_room());
        talk.audio("a", 1'000);
        talk.out();
    }
}

TEST_CASE("sound that comes for an item after its end, or after another item, is announced anew with its place")
{
    Talk talk(Talk::unpaced());
    talk.audio("a", 100);
    talk.audio("b", 100);
    talk.audio("a", 50);
    CHECK(talk.out() == Strings{"start a", "100", "end a 100", "start b", "100", "end b 100", "start a@100", "50"});
    talk.clock.advance(220);
    CHECK(Talk::words(talk.downlink.interrupt(talk.clock.now)) == Strings{"a@120"});
    CHECK(talk.heard() == Strings{"b 100/100", "a 120/150 cut"});
}

TEST_CASE("half a sample of one item does not reach into the next, nor over an interruption")
{
    Talk talk(Talk::unpaced());
    const auto push = [&](std::string_view item, std::span<const std::byte> bytes) {
        const std::string text = base64(bytes);
        REQUIRE(talk.downlink.push_audio({"resp_1", item, 0, 0, text}));
    };
    const auto samples = [&] {
        std::vector<std::int16_t> got;
        for (auto next = talk.downlink.next(talk.clock.now); next.kind != Kind::nothing; next = talk.downlink.next(talk.clock.now))
            for (std::size_t i = 0; next.kind == Kind::binary && i < next.binary.size(); i += 2) {
                std::int16_t sample = 0;
                std::memcpy(&sample, next.binary.data() + i, 2);
                got.push_back(sample);
            }
        return got;
    };
    const std::byte three[] = {std::byte{1}, std::byte{2}, std::byte{3}};
    push("a", three);
    push("b", std::span(three).first(2));
    CHECK(samples() == std::vector<std::int16_t>{0x0201, 0x0003, 0x0201});
    push("c", three);
    samples();
    talk.downlink.interrupt(talk.clock.now);
    push("d", std::span(three).first(2));
    CHECK(samples() == std::vector<std::int16_t>{0x0201});
}
