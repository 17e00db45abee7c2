#include "script.hpp"

#include <catch2/catch.hpp>

using namespace script;

namespace {

std::string append(std::span<const std::byte> bytes) { return R"({"type":"input_audio_buffer.append","audio":")" + base64(bytes) + "\"}"; }

}  // namespace

TEST_CASE("Odd byte counts are put together again across appends", "[realtime_server]")
{
    Script s;
    s.turn_detection("null");
    const Samples spoken = voice(200);
    const auto bytes = std::as_bytes(std::span(spoken));
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t n = std::min<std::size_t>(at % 7 * 2 + 1, bytes.size() - at);
        s.client(append(bytes.subspan(at, n)));
        at += n;
    }
    s.client(R"({"type":"input_audio_buffer.commit"})");
    s.client(R"({"type":"conversation.item.retrieve","item_id":")" + s.text("input_audio_buffer.committed", "item_id") + "\"}");
    const Json& part = json::find_array(s.event("conversation.item.retrieved"), "item.content")->at(0).as_object();
    CHECK(json::find_string(part, "audio") == base64(spoken));
}

TEST_CASE("An append that is not of the plain form is understood all the same", "[realtime_server]")
{
    Script s;
    s.turn_detection("null");
    const std::string audio = base64(voice(100));
    s.client(R"({ "audio" : ")" + audio + R"(", "type" : "input_audio_buffer.append" })");
    std::string escaped;
    for (const char c : audio) escaped += c == '/' ? "\\/" : std::string(1, c);
    s.client(R"({"type":"input_audio_buffer.append","audio":")" + escaped + "\"}");
    s.take();
    s.client(R"({"type":"input_audio_buffer.commit"})");
    CHECK(s.take() == committed);
    s.respond();
    CHECK(s.replies.at(0).context.at(0).audio_ms == 200);
}

TEST_CASE("Telephone audio comes in and goes out at 8 kHz", "[realtime_server]")
{
    const std::string format = GENERATE("audio/pcmu", "audio/pcma");
    const auto silence_code = static_cast<std::byte>(format == "audio/pcmu" ? 0xFF : 0xD5);
    Script s;
    s.update(R"("audio":{"input":{"turn_detection":null,"format":{"type":")" + format + R"("}},"output":{"format":{"type":")" + format + "\"}}}");
    CHECK(s.take() == Types{"session.created", "session.updated"});
    s.client(append(std::vector<std::byte>(8000, silence_code))).client(R"({"type":"input_audio_buffer.commit"})").respond();
    CHECK(s.replies.at(0).context.at(0).audio_ms == Approx(1000).margin(10));  // the rate converter holds a few ms back
    s.client(R"({"type":"conversation.item.retrieve","item_id":")" + s.text("input_audio_buffer.committed", "item_id") + "\"}");
    const Json& part = json::find_array(s.event("conversation.item.retrieved"), "item.content")->at(0).as_object();
    const auto kept = bytes_of(*json::find_string(part, "audio"));
    CHECK(kept.size() == Approx(8000).margin(80));
    CHECK(std::all_of(kept.begin(), kept.end(), [&](std::byte b) { return b == silence_code; }));

    s.brain_says("Hello").brain_sounds(1000).brain_is_done();
    s.take();
    CHECK(s.text("response.created", "response.audio.output.format.type") == format);
    std::size_t bytes = 0;
    for (const Json& event : s.taken) {
        if (json::find_string(event, "type") != "response.output_audio.delta") continue;
        const std::size_t n = bytes_of(*json::find_string(event, "delta")).size();
        CHECK(n <= 2000);
        bytes += n;
    }
    CHECK(bytes == Approx(8000).margin(1));
}

TEST_CASE("A change of the input format holds from the next append on", "[realtime_server]")
{
    Script s;
    s.turn_detection("null").user_sends(quiet(200)).update(R"("audio":{"input":{"format":{"type":"audio/pcmu"}}})");
    s.client(append(std::vector<std::byte>(1600, std::byte{0xFF}))).client(R"({"type":"input_audio_buffer.commit"})").respond();
    CHECK(s.replies.at(0).context.at(0).audio_ms == Approx(400).margin(10));
}

TEST_CASE("Spoken deltas hold at most a quarter of a second", "[realtime_server]")
{
    Script s;
    s.respond().brain_sounds(900);
    std::vector<std::size_t> sizes;
    s.take();
    for (const Json& event : s.taken)
        if (json::find_string(event, "type") == "response.output_audio.delta") sizes.push_back(bytes_of(*json::find_string(event, "delta")).size());
    CHECK(sizes == std::vector<std::size_t>{12'000, 12'000, 12'000, 7'200});
}

TEST_CASE("Positions of turns count from the session's first audio byte and include padding and silence", "[realtime_server]")
{
    Script s;
    s.turn_detection(R"({"type":"server_vad","prefix_padding_ms":200,"silence_duration_ms":300})");
    s.user_is_quiet(1000).user_speaks(600).user_is_quiet(1000).user_speaks(600).user_is_quiet(1000);
    s.take();
    CHECK(s.number("input_audio_buffer.speech_started", "audio_start_ms", 0) == 800);
    CHECK(s.number("input_audio_buffer.speech_stopped", "audio_end_ms", 0) == Approx(1900).margin(40));
    CHECK(s.number("input_audio_buffer.speech_started", "audio_start_ms", 1) == 2400);
    CHECK(s.number("input_audio_buffer.speech_stopped", "audio_end_ms", 1) == Approx(3500).margin(40));

    SECTION("A committed item is as long as its positions say, and positions never restart")
    {
        const std::int64_t first_ms = s.number("input_audio_buffer.speech_stopped", "audio_end_ms", 0) - 800;
        CHECK(s.replies.at(0).context.at(0).audio_ms == first_ms);
        s.client(R"({"type":"input_audio_buffer.clear"})").take();
        s.user_is_quiet(500).user_speaks(200);
        CHECK(s.number("input_audio_buffer.speech_started", "audio_start_ms") == 4500);
    }
}

TEST_CASE("Padding does not reach into a turn that is already committed, nor before the session", "[realtime_server]")
{
    Script s;
    s.turn_detection(R"({"type":"server_vad","prefix_padding_ms":5000,"silence_duration_ms":100})");
    s.user_is_quiet(200).user_speaks(400).user_is_quiet(300).user_speaks(400);
    s.take();
    CHECK(s.number("input_audio_buffer.speech_started", "audio_start_ms", 0) == 0);
    CHECK(s.number("input_audio_buffer.speech_started", "audio_start_ms", 1) == s.number("input_audio_buffer.speech_stopped", "audio_end_ms", 0));
}

TEST_CASE("A commit by hand within a spoken turn is that turn's item", "[realtime_server]")
{
    Script s;
    s.user_is_quiet(1000).user_speaks(500);
    const std::string item = s.text("input_audio_buffer.speech_started", "item_id");
    s.take();
    s.client(R"({"type":"input_audio_buffer.commit"})");
    CHECK(s.take() == committed);
    CHECK(s.text("input_audio_buffer.committed", "item_id") == item);
    s.respond();
    CHECK(s.replies.at(0).context.at(0).audio_ms == 800);  // padding and speech
    s.take();
    s.user_speaks(300);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started", "response.done"});
}

TEST_CASE("Clearing the buffer within a turn forgets the turn", "[realtime_server]")
{
    Script s;
    s.user_is_quiet(300).user_speaks(300).client(R"({"type":"input_audio_buffer.clear"})");
    s.take();
    s.user_is_quiet(1000);
    CHECK(s.take().empty());
}

TEST_CASE("Turn detection switched off within a turn leaves its audio to a commit by hand", "[realtime_server]")
{
    Script s;
    s.user_is_quiet(200).user_speaks(300).turn_detection("null").user_is_quiet(1000);
    s.take();
    CHECK(s.client(R"({"type":"input_audio_buffer.commit"})").take() == committed);
    s.turn_detection(R"({"type":"semantic_vad","eagerness":"high"})").take();
    CHECK(s.text("session.updated", "session.audio.input.turn_detection.type") == "semantic_vad");
    s.user_is_quiet(200).user_speaks(300).user_is_quiet(480);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started"});
    s.user_is_quiet(80);
    CHECK(s.take() == Types{"input_audio_buffer.speech_stopped"} + committed + Types{"response.created"});
}
