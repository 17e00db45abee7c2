#include "repartee/realtime/append_event.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/base/json.hpp"
#include "repartee/realtime/event_type.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace repartee;
using namespace repartee::realtime;

namespace {

std::vector<std::byte> some_bytes(std::size_t n)
{
    std::vector<std::byte> bytes(n);
    std::uint32_t state = 12345;
    for (std::byte& b : bytes) {
        state = state * 1664525 + 1013904223;
        b = static_cast<std::byte>(state >> 24);
    }
    return bytes;
}

std::vector<std::byte> decoded(std::string_view base64)
{
    std::vector<std::byte> bytes(audio::base64_decoded_bytes_max(base64.size()));
    const auto result = audio::base64_decode(base64, bytes.data());
    REQUIRE(result);
    bytes.resize(result.bytes);
    return bytes;
}

}  // namespace

TEST_CASE("an append event carries its audio through, however it lies in the ring")
{
    for (std::size_t size = 0; size <= 200; ++size) {
        const auto pcm = some_bytes(size);
        const std::span<const std::byte> all(pcm);
        for (std::size_t cut = 0; cut <= size; ++cut) {
            std::string event;
            build_append_event(all.first(cut), all.subspan(cut), event);
            REQUIRE(event.size() == append_event_bytes(size));
            REQUIRE(peek_type(event) == "input_audio_buffer.append");
            const auto found = find_append_audio(event);
            REQUIRE(found);
            REQUIRE(decoded(*found) == pcm);
            if (cut % 7 != 0) continue;
            const auto parsed = json::parse_object(event);
            REQUIRE(parsed.has_value());
            REQUIRE(parsed->size() == 2);
            REQUIRE(json::find_string(*parsed, "type") == "input_audio_buffer.append");
            REQUIRE(json::find_string(*parsed, "audio") == *found);
        }
    }
}

TEST_CASE("an append event is added to what the buffer holds")
{
    const auto pcm = some_bytes(3);
    std::string out = "kept";
    build_append_event(pcm, {}, out);
    CHECK(out.starts_with(R"(kept{"type":"input_audio_buffer.append","audio":")"));
    CHECK(out.ends_with(R"("})"));
}

TEST_CASE("an append event written in place fills its bytes and no others")
{
    for (std::size_t size = 0; size <= 200; ++size) {
        const auto pcm = some_bytes(size);
        const std::span<const std::byte> all(pcm);
        for (const std::size_t cut : {std::size_t{0}, size / 2, size}) {
            std::string built;
            build_append_event(all.first(cut), all.subspan(cut), built);
            std::string place(append_event_bytes(size) + 128, '~');
            REQUIRE(write_append_event(all.first(cut), all.subspan(cut), place.data()) == append_event_bytes(size));
            REQUIRE(place == built + std::string(128, '~'));
        }
    }
}

TEST_CASE("the audio of an append event is found in any order and spacing")
{
    const std::pair<const char*, const char*> rows[] = {
        {R"({"type":"input_audio_buffer.append","audio":"AAAA"})", "AAAA"},
        {R"({"audio":"AAAA","event_id":"e","type":"input_audio_buffer.append"})", "AAAA"},
        {" { \"event_id\" : null , \"audio\" : \"AA==\" , \"type\" : \"input_audio_buffer.append\" } ", "AA=="},
        {R"({"type":"input_audio_buffer.append","audio":""})", ""},
    };
    for (const auto& [json, audio] : rows) {
        CAPTURE(json);
        const auto found = find_append_audio(json);
        REQUIRE(found);
        CHECK(*found == audio);
    }
}

TEST_CASE("an append event of another form is left to the parser")
{
    const char* rows[] = {
        "",
        R"({"type":"input_audio_buffer.append"})",
        R"({"type":"session.update","audio":"AAAA"})",
        R"({"audio":"AAAA"})",
        R"({"type":"input_audio_buffer.append","audio":"AAAA","type":"session.update"})",
        R"({"type":"input_audio_buffer.append","audio":"AAAA","audio":"BBBB"})",
        R"({"type":"input_audio_buffer.append","audio":"AAAA","session":{}})",
        R"({"type":"input_audio_buffer\u002eappend","audio":"AAAA"})",
        R"({"type":"input_audio_buffer.append","audio":null})",
        R"({"type":"input_audio_buffer.append","audio":1})",
        R"({"type":"input_audio_buffer.append","audio":["AAAA"]})",
        R"({"type":"input_audio_buffer.append","audio":"AA\/A"})",
        R"({"type":"input_audio_buffer.append","\u0061udio":"AAAA"})",
        R"({"type":"input_audio_buffer.append","audio":"AAAA")",
        R"({"type":"input_audio_buffer.append","audio":"AAAA"}})",
        R"({"type":"input_audio_buffer.append","audio":"AAAA)",
        R"({"type":"input_audio_buffer.append","x":{"audio":"AAAA"}})",
    };
    for (const char* json : rows) {
        CAPTURE(json);
        CHECK_FALSE(find_append_audio(json));
    }
}

TEST_CASE("a cut append event has no audio")
{
    const std::string whole = R"({"audio":"QUJD","event_id":"e","type":"input_audio_buffer.append"})";
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const std::vector<char> exact(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        CAPTURE(length);
        CHECK_FALSE(find_append_audio({exact.data(), exact.size()}));
    }
    CHECK(find_append_audio(whole) == "QUJD");
}

TEST_CASE("a large append event is found whole")
{
    const auto pcm = some_bytes(1 << 20);
    std::string event;
    build_append_event(std::span(pcm).first(400'001), std::span(pcm).subspan(400'001), event);
    const auto found = find_append_audio(event);
    REQUIRE(found);
    CHECK(found->size() == audio::base64_encoded_bytes(pcm.size()));
    CHECK(decoded(*found) == pcm);
}
