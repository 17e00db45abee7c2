#include "support.hpp"

using namespace test;
using conversation::Downlink;
using conversation::DownlinkSettings;
using Kind = Downlink::Next::Kind;

namespace {

/// A downlink whose client takes all that comes, up to a bound: what leaves for ever is found out.
struct Pipe {
    Pipe() : downlink(kept()) {}

    static DownlinkSettings kept()
    {
        DownlinkSettings settings;
        settings.suspends = true;
        settings.resume.events_max = 100;
        return settings;
    }
    void reply(std::string_view response, std::string_view item, std::int64_t ms)
    {
        const std::string text = base64(pcm_ms(ms, audio::realtime_hz));
        REQUIRE(downlink.push_audio({response, item, 0, 0, text}));
        downlink.end_item(item, {});
    }
    /// In ms; every frame must have something in it.
    std::int64_t take()
    {
        std::size_t bytes = 0;
        for (;;) {
            const auto next = downlink.next(clock.now);
            if (next.kind == Kind::nothing) return audio::ms_of_bytes(bytes, audio::realtime_hz);
            if (next.kind == Kind::text) continue;
            REQUIRE(!next.binary.empty());
            bytes += next.binary.size();
        }
    }
    /// What leaves meanwhile; without `passing`, to its end.
    std::int64_t play(std::int64_t passing = 10'000)
    {
        std::int64_t ms = take();
        for (std::int64_t passed = 0; passed < passing; passed += 20) {
            clock.advance(20);
            ms += take();
        }
        return ms;
    }

    Clock clock;
    Downlink downlink;
};

}  // namespace

TEST_CASE("a reply that is to go on is not dropped as one that waits, and leaves to its end")
{
    for (const bool by_client : {false, true}) {
        INFO((by_client ? "the client comes back" : "a false interruption"));
        Pipe pipe;
        pipe.reply("resp_1", "item_1", 2'000);
        CHECK(pipe.play(1'200) == 1'600);
        if (by_client) {
            pipe.downlink.on_client_lost(pipe.clock.now);
            pipe.downlink.on_client_back({}, pipe.clock.now);
        } else {
            pipe.downlink.suspend(pipe.clock.now);
            pipe.downlink.go_on(pipe.clock.now);
        }
        REQUIRE(pipe.downlink.drop_waiting("resp_1") == Strings{});
        CHECK(pipe.play() == 800);
        CHECK(!pipe.downlink.is_speaking(pipe.clock.now));
    }
}

TEST_CASE("a reply that nobody began to hear is dropped from behind one that is to go on")
{
    Pipe pipe;
    pipe.reply("resp_1", "item_1", 2'000);
    CHECK(pipe.play(1'000) == 1'400);
    pipe.reply("resp_2", "item_2", 1'000);
    pipe.downlink.suspend(pipe.clock.now);
    pipe.downlink.go_on(pipe.clock.now);
    REQUIRE(pipe.downlink.drop_waiting("resp_2") == Strings{"item_2"});
    REQUIRE(pipe.downlink.drop_waiting("resp_1") == Strings{});
    CHECK(pipe.play() == 1'000);
    pipe.reply("resp_3", "item_3", 500);
    CHECK(pipe.play() == 500);
}
