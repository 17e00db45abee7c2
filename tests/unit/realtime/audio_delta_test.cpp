#include "repartee/realtime/audio_delta.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/base/json.hpp"
#include "repartee/realtime/event_type.hpp"

#include <catch2/catch.hpp>

#include <limits>
#include <vector>

using namespace repartee;
using namespace repartee::realtime;

namespace {

std::vector<std::byte> some_bytes(std::size_t n)
{
    std::vector<std::byte> bytes(n);
    std::uint32_t state = 54321;
    for (std::byte& b : bytes) {
        state = state * 1664525 + 1013904223;
        b = static_cast<std::byte>(state >> 24);
    }
    return bytes;
}

}  // namespace

TEST_CASE("an audio delta that was built is found with all its fields")
{
    for (std::size_t size = 0; size <= 200; ++size) {
        const auto pcm = some_bytes(size);
        std::string event = "kept";
        build_audio_delta({"event_1", "resp_1", "item_1", 2, 3}, pcm.data(), pcm.size(), event);
        REQUIRE(event.starts_with("kept{"));
        event.erase(0, 4);

        REQUIRE(is_audio_delta(peek_type(event)));
        const auto found = find_audio_delta(event);
        REQUIRE(found);
        REQUIRE(found->response_id == "resp_1");
        REQUIRE(found->item_id == "item_1");
        REQUIRE(found->output_index == 2);
        REQUIRE(found->content_index == 3);

        const auto parsed = json::parse_object(event);
        REQUIRE(parsed.has_value());
        REQUIRE(parsed->size() == 7);
        REQUIRE(json::find_string(*parsed, "event_id") == "event_1");
        REQUIRE(json::find_string(*parsed, "delta") == found->audio_base64);
        REQUIRE(json::find_int(*parsed, "output_index") == 2);
        REQUIRE(json::find_int(*parsed, "content_index") == 3);

        std::vector<std::byte> decoded(audio::base64_decoded_bytes_max(found->audio_base64.size()));
        const auto result = audio::base64_decode(found->audio_base64, decoded.data());
        REQUIRE(result);
        decoded.resize(result.bytes);
        REQUIRE(decoded == pcm);
    }
}

TEST_CASE("the largest indexes are written whole")
{
    constexpr auto least = std::numeric_limits<std::int64_t>::min();
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    std::string event;
    build_audio_delta({"e", "r", "i", least, most}, nullptr, 0, event);
    const auto found = find_audio_delta(event);
    REQUIRE(found);
    CHECK(found->output_index == least);
    CHECK(found->content_index == most);
    CHECK(found->audio_base64.empty());
}

TEST_CASE("both names of the audio delta are known")
{
    CHECK(is_audio_delta("response.output_audio.delta"));
    CHECK(is_audio_delta("response.audio.delta"));
    CHECK_FALSE(is_audio_delta("response.output_audio.done"));
    CHECK_FALSE(is_audio_delta("response.output_text.delta"));
    CHECK_FALSE(is_audio_delta(""));
}

TEST_CASE("an audio delta is found in any order, and what is absent reads as empty or zero")
{
    const auto bare = find_audio_delta(R"({"delta":"AAAA"})");
    REQUIRE(bare);
    CHECK(bare->audio_base64 == "AAAA");
    CHECK(bare->response_id.empty());
    CHECK(bare->item_id.empty());
    CHECK(bare->output_index == 0);
    CHECK(bare->content_index == 0);

    const auto shuffled = find_audio_delta(
        R"( {"delta" : "AAAA","x":{"delta":"BBBB","item_id":"wrong"},"content_index":1,"obfuscation":"a\"b",)"
        R"("item_id":"i","output_index":-4,)"
        R"("response_id":"r","type":"response.audio.delta","item_id":"second"} )");
    REQUIRE(shuffled);
    CHECK(shuffled->audio_base64 == "AAAA");
    CHECK(shuffled->item_id == "i");
    CHECK(shuffled->response_id == "r");
    CHECK(shuffled->output_index == -4);
    CHECK(shuffled->content_index == 1);

    const auto nulls = find_audio_delta(R"({"response_id":null,"item_id":null,"output_index":null,"content_index":null,"delta":"AA=="})");
    REQUIRE(nulls);
    CHECK(nulls->response_id.empty());
    CHECK(nulls->output_index == 0);
}

TEST_CASE("an audio delta of another form is left to the parser")
{
    const char* rows[] = {
        "",
        "{}",
        R"({"item_id":"i"})",
        R"({"delta":null})",
        R"({"delta":5})",
        R"({"delta":{"audio":"AAAA"}})",
        R"({"delta":"AA\/A"})",
        R"({"delta":"AAAA","item_id":"i\n"})",
        R"({"delta":"AAAA","item_id":7})",
        R"({"delta":"AAAA","output_index":1.5})",
        R"({"delta":"AAAA","output_index":"1"})",
        R"({"delta":"AAAA","output_index":99999999999999999999})",
        R"({"d\u0065lta":"AAAA"})",
        R"({"delta":"AAAA"},)",
        R"({"delta":"AAAA",})",
        R"({"x":{"delta":"AAAA"}})",
    };
    for (const char* json : rows) {
        CAPTURE(json);
        CHECK_FALSE(find_audio_delta(json));
    }
}

TEST_CASE("a cut audio delta is no audio delta")
{
    const auto pcm = some_bytes(100);
    std::string whole;
    build_audio_delta({"event_1", "resp_1", "item_1", 0, 0}, pcm.data(), pcm.size(), whole);
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const std::vector<char> exact(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        CAPTURE(length);
        CHECK_FALSE(find_audio_delta({exact.data(), exact.size()}));
    }
}
