#include "repartee/providers/voices.hpp"
#include "run.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::providers;
using test::ok;

TEST_CASE("a file of voices is read whole")
{
    const auto voices = parse_voices(R"({"default_voice_id":"Jihun","voices":[
        {"id":"jihun","name":"지훈","language":"ko","description":"calm","voice":"sage","ref_audio_path":"/v/jihun.wav","prompt_text":"안녕",
         "prompt_lang":"ko",
         "text_lang":"ko","aux_ref_audio_paths":["/v/a.wav","/v/b.wav"],"speed":0.9},
        {"id":"Ann","voice":null}]})");
    REQUIRE(ok(voices));
    REQUIRE(voices->all().size() == 2);
    const Voice* jihun = voices->find("JIHUN");
    REQUIRE(jihun);
    CHECK(jihun->name == "지훈");
    CHECK(jihun->voice == "sage");
    CHECK(jihun->ref_audio_path == "/v/jihun.wav");
    CHECK(jihun->prompt_lang == "ko");
    CHECK(jihun->aux_ref_audio_paths == std::vector<std::string>{"/v/a.wav", "/v/b.wav"});
    CHECK(jihun->speed == 0.9);
    CHECK(voices->find("ann")->id == "Ann");
    CHECK(voices->find("nobody") == jihun);
    CHECK(voices->find("") == jihun);
    CHECK(voices->default_id() == "Jihun");
}

TEST_CASE("without a default an unknown voice is none")
{
    const auto voices = parse_voices(R"({"voices":[{"id":"ann"}]})");
    REQUIRE(ok(voices));
    CHECK(voices->find("bob") == nullptr);
    CHECK(VoiceList().find("bob") == nullptr);
}

TEST_CASE("mistakes in a file of voices are named by their place")
{
    const struct {
        std::string text, expected;
    } table[] = {
        {"nonsense", "Not valid JSON"},
        {"[]", "JSON object"},
        {"{}", "needs a list \"voices\""},
        {R"({"voices":{}})", "needs a list \"voices\""},
        {R"({"voices":[],"voice":1})", "no member \"voice\""},
        {R"({"voices":[1]})", "voices[0] must be an object"},
        {R"({"voices":[{"name":"x"}]})", "voices[0] has no \"id\""},
        {R"({"voices":[{"id":"a"},{"id":"A"}]})", "Two voices have the id \"A\""},
        {R"({"voices":[{"id":"a","ref_audio":"x"}]})", "voices[0].ref_audio"},
        {R"({"voices":[{"id":"a","speed":9}]})", "voices[0].speed must be a number"},
        {R"({"voices":[{"id":"a","speed":"fast"}]})", "voices[0].speed must be a number"},
        {R"({"voices":[{"id":7}]})", "voices[0].id must be a string"},
        {R"({"voices":[{"id":"a","aux_ref_audio_paths":"x"}]})", "voices[0].aux_ref_audio_paths must be a list"},
        {R"({"voices":[{"id":"a","aux_ref_audio_paths":[1]}]})", "paths only"},
        {R"({"voices":[{"id":"a"}],"default_voice_id":"b"})", "there is no such voice"},
        {R"({"voices":[{"id":"a"}],"default_voice_id":3})", "default_voice_id must be a string"},
    };
    for (const auto& row : table) {
        INFO(row.text);
        const auto voices = parse_voices(row.text);
        REQUIRE(!voices);
        CHECK_THAT(voices.error().message, Catch::Contains(row.expected));
    }
    CHECK_FALSE(parse_voices(std::string(2 << 20, ' ')).has_value());
    std::string many = R"({"voices":[)";
    for (int i = 0; i < 1001; ++i) many += (i ? "," : "") + std::string(R"({"id":"v)") + std::to_string(i) + "\"}";
    CHECK_FALSE(parse_voices(many + "]}").has_value());
}
