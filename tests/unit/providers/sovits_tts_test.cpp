#include "canned_service.hpp"
#include "repartee/audio/wav.hpp"

#include <cstdlib>

using namespace repartee;
using namespace repartee::providers;
using namespace repartee::test;
using End = Canned::End;

namespace {

/// As api_v2.py streams: a header of 44 bytes that says no length, then samples.
std::string streamed_wav(std::size_t count, int hz)
{
    std::string wav = audio::make_wav(tone(count), hz);
    return wav.replace(40, 4, 4, '\0');
}

std::shared_ptr<const VoiceList> voices()
{
    auto list = parse_voices(R"({"voices":[
        {"id":"jihun","ref_audio_path":"/voices/jihun.wav","prompt_text":"안녕","prompt_lang":"ko","aux_ref_audio_paths":["/voices/b.wav"],"speed":1.5},
        {"id":"ann","ref_audio_path":"/voices/ann.wav","prompt_lang":"en","text_lang":"all_ko"},
        {"id":"suna","language":"ko","ref_audio_path":"/voices/suna.wav","prompt_lang":"ko"},
        {"id":"mute"}]})");
    REQUIRE(ok(list));
    return std::make_shared<const VoiceList>(std::move(*list));
}

TtsSettings settings_of(const CannedService& service)
{
    auto settings = settings_for<TtsSettings>(service, "tts");
    settings.provider = "sovits";
    settings.url = service.url().substr(0, service.url().size() - 3);
    settings.api_key.clear();
    settings.voices = voices();
    return settings;
}

struct Spoken {
    Result<SpeechUsage> outcome{SpeechUsage()};
    std::size_t samples = 0;
};

Spoken speak(Bench& bench, const TtsSettings& settings, const std::string& voice, const std::string& language = "ko-KR")
{
    auto tts = create_tts(settings, bench.resources);
    REQUIRE(ok(tts));
    SpeechRequest request;
    request.text = "안녕하세요.";
    request.voice = voice;
    request.language = language;
    Spoken spoken;
    const auto count = [&](std::span<const std::int16_t> piece) { spoken.samples += piece.size(); };
    spoken.outcome = run(bench.context, (*tts)->speak(request, count, {}));
    return spoken;
}

}  // namespace

TEST_CASE("GPT-SoVITS is asked in its own form, and its stream has the rate that its header says")
{
    for (const int hz : {32'000, 24'000, 48'000}) {
        Bench bench;
        CannedService service(bench.context, {chunked("audio/wav", in_pieces(streamed_wav(static_cast<std::size_t>(hz), hz), 777))});
        const Spoken spoken = speak(bench, settings_of(service), "Jihun");
        REQUIRE(ok(spoken.outcome));
        CHECK(std::abs(static_cast<int>(spoken.samples) - 24'000) <= 1);
        CHECK(spoken.outcome->characters == 6);
        CHECK(service.head(0).starts_with("POST /tts HTTP/1.1\r\n"));
        auto expected = json::parse_object(R"({"text":"안녕하세요.",
            "text_lang":"ko","ref_audio_path":"/voices/jihun.wav","prompt_lang":"ko","prompt_text":"안녕",
            "aux_ref_audio_paths":["/voices/b.wav"],"text_split_method":"cut0","batch_size":1,"media_type":"wav",
            "streaming_mode":2,"speed_factor":1.5E0})");
        REQUIRE(ok(expected));
        CHECK(json::value(service.json_body(0)) == json::value(*expected));
    }
}

TEST_CASE("languages as the service names them")
{
    const struct {
        std::string voice, language, expected;
    } table[] = {{"jihun", "ko", "ko"}, {"jihun", "EN-us", "en"}, {"jihun", "ja", "ja"}, {"jihun", "zh-CN", "zh"}, {"jihun", "de", "auto"}, {"jihun",
        "", "auto"}, {"ann", "en", "all_ko"}, {"suna", "", "ko"}, {"suna", "ja", "ja"}};
    for (const auto& row : table) {
        INFO(row.voice << " " << row.language);
        Bench bench;
        CannedService service(bench.context, {whole("200 OK", "audio/wav", streamed_wav(100, 32'000))});
        REQUIRE(ok(speak(bench, settings_of(service), row.voice, row.language).outcome));
        CHECK(json::find_string(service.json_body(0), "text_lang") == row.expected);
    }
}

TEST_CASE("sound without a header has the rate of the configuration")
{
    Bench bench;
    const auto samples = tone(32'000);
    CannedService service(bench.context, {whole("200 OK", "audio/raw", std::string(reinterpret_cast<const char*>(samples.data()), 64'000))});
    auto settings = settings_of(service);
    settings.sovits_media_type = "raw";
    settings.sovits_streaming_mode = 0;
    settings.pcm_hz = 32'000;
    CHECK(std::abs(static_cast<int>(speak(bench, settings, "jihun").samples) - 24'000) <= 1);
    CHECK(json::find_string(service.json_body(0), "media_type") == "raw");
    CHECK(json::find_int(service.json_body(0), "streaming_mode") == 0);
}

TEST_CASE("an unknown voice falls back to one that is there; one that cannot speak is an error that says what it lacks")
{
    Bench bench;
    CannedService service(bench.context, {whole("200 OK", "audio/wav", streamed_wav(100, 32'000))});
    REQUIRE(ok(speak(bench, settings_of(service), "sage").outcome));
    CHECK(json::find_string(service.json_body(0), "ref_audio_path") == "/voices/jihun.wav");
    auto settings = settings_of(service);
    settings.fallback_voice = "ann";
    REQUIRE(ok(speak(bench, settings, "sage").outcome));
    CHECK(json::find_string(service.json_body(1), "ref_audio_path") == "/voices/ann.wav");
    const Spoken mute = speak(bench, settings, "mute");
    REQUIRE(!mute.outcome);
    CHECK(mute.outcome.error().code == Code::not_configured);
    CHECK_THAT(mute.outcome.error().message, Catch::Contains("ref_audio_path and prompt_lang"));
    CHECK(service.requests().size() == 2);
}

TEST_CASE("GPT-SoVITS's failures")
{
    const Failure table[] = {
        {"refusal", whole("400 Bad Request", "application/json", R"({"message":"ref_audio_path is required"})"), Code::provider_failed,
         "\"ref_audio_path is required\""},
        {"exception", whole("400 Bad Request", "application/json", R"({"message":"tts failed","Exception":"CUDA out of memory"})"),
         Code::provider_failed,
         "\"tts failed: CUDA out of memory\""},
        {"cut", chunked("audio/wav", {streamed_wav(1'000, 32'000)}, End::close), Code::closed, "closed the connection"},
        {"only a header", chunked("audio/wav", {streamed_wav(0, 32'000)}), Code::provider_failed, ""},
    };
    for (const auto& row : table) {
        INFO(row.what);
        Bench bench;
        CannedService service(bench.context, {row.answer});
        const Spoken spoken = speak(bench, settings_of(service), "jihun");
        check_failure(spoken.outcome, row);
    }
}

TEST_CASE("GPT-SoVITS works on one request at a time, over all workers when they share a gate")
{
    Bench bench;
    CannedService service(bench.context, {chunked("audio/wav", {streamed_wav(100, 32'000), std::string(200, 'x')}, End::keep, milliseconds(40))});
    auto settings = settings_of(service);
    settings.gate = std::make_shared<Gate>(1);
    auto one = create_tts(settings, bench.resources);
    auto other = create_tts(settings, bench.resources);
    REQUIRE(ok(one));
    REQUIRE(ok(other));
    SpeechRequest request;
    request.text = "Hi";
    request.voice = "ann";
    int ended = 0;
    const auto count = [&](std::exception_ptr, Result<SpeechUsage> outcome) { ended += outcome ? 1 : 0; };
    const SpeechSink sink = [](std::span<const std::int16_t>) {};
    asio::co_spawn(bench.context, (*one)->speak(request, sink, {}), count);
    asio::co_spawn(bench.context, (*other)->speak(request, sink, {}), count);
    CHECK(bench.wait_for([&] { return service.requests().size() == 1; }, milliseconds(2'000)));
    bench.wait_for([] { return false; }, milliseconds(15));
    CHECK(service.requests().size() == 1);
    CHECK(bench.wait_for([&] { return ended == 2; }, milliseconds(5'000)));
    CHECK(service.requests().size() == 2);
}
