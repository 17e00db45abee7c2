#include "canned_service.hpp"
#include "providers/openai_tts.hpp"
#include "repartee/audio/wav.hpp"

#include <algorithm>
#include <cstdlib>

using namespace repartee;
using namespace repartee::providers;
using namespace repartee::test;
using End = Canned::End;

namespace {

std::string bytes_of(const std::vector<std::int16_t>& samples)
{
    return {reinterpret_cast<const char*>(samples.data()), samples.size() * 2};
}

TtsSettings settings_of(const CannedService& service)
{
    auto settings = settings_for<TtsSettings>(service, "tts");
    settings.model = "tts-1";
    return settings;
}

struct Spoken {
    Result<SpeechUsage> outcome{SpeechUsage()};
    std::vector<std::int16_t> samples;
    std::size_t pieces = 0;
};

SpeechRequest hello()
{
    SpeechRequest request;
    request.text = "안녕\n하세요.";
    request.voice = "Sage";
    request.speed = 0.95;
    return request;
}

Spoken speak(Bench& bench, TextToSpeech& tts, const SpeechRequest& request = hello(), Stop stop = {})
{
    Spoken spoken;
    const auto collect = [&](std::span<const std::int16_t> piece) {
        spoken.samples.insert(spoken.samples.end(), piece.begin(), piece.end());
        ++spoken.pieces;
    };
    spoken.outcome = run(bench.context, tts.speak(request, collect, stop));
    return spoken;
}

Spoken speak(Bench& bench, const TtsSettings& settings, const SpeechRequest& request = hello(), Stop stop = {})
{
    auto tts = create_tts(settings, bench.resources);
    REQUIRE(ok(tts));
    return speak(bench, **tts, request, stop);
}

Canned pcm(const std::string& bytes) { return whole("200 OK", "audio/pcm", bytes); }

}  // namespace

TEST_CASE("PCM comes back as it was sent, and the request says what is wanted")
{
    Bench bench;
    const std::vector<std::int16_t> samples = tone(5'000);
    CannedService service(bench.context, {pcm(bytes_of(samples))});
    const Spoken spoken = speak(bench, settings_of(service));
    REQUIRE(ok(spoken.outcome));
    CHECK(spoken.samples == samples);
    CHECK(spoken.outcome->characters == 7);

    REQUIRE(service.requests().size() == 1);
    CHECK(service.head(0).starts_with("POST /v1/audio/speech HTTP/1.1\r\n"));
    CHECK(service.head(0).find("Authorization: Bearer sk-very-secret\r\n") != std::string::npos);
    const auto body = service.json_body(0);
    CHECK(json::find_string(body, "model") == "tts-1");
    CHECK(json::find_string(body, "input") == "안녕 하세요.");
    CHECK(json::find_string(body, "voice") == "sage");
    CHECK(json::find_string(body, "response_format") == "pcm");
    CHECK(json::find_number(body, "speed") == 0.95);
}

TEST_CASE("sound is handed on as it comes; chunks split in the middle of a sample, and an odd last byte, do no harm")
{
    for (const std::size_t size : {1u, 3u, 1'001u}) {
        Bench bench;
        const std::vector<std::int16_t> samples = tone(2'000);
        CannedService service(bench.context, {chunked("audio/pcm", in_pieces(bytes_of(samples) + "x", size))});
        const Spoken spoken = speak(bench, settings_of(service));
        REQUIRE(ok(spoken.outcome));
        CHECK(spoken.samples == samples);
    }
    Bench bench;
    CannedService service(bench.context, {chunked("audio/pcm", in_pieces(bytes_of(tone(24'000)), 12'000), End::keep, milliseconds(30))});
    auto tts = create_tts(settings_of(service), bench.resources);
    REQUIRE(ok(tts));
    const auto began = std::chrono::steady_clock::now();
    std::optional<std::chrono::steady_clock::duration> first;
    const SpeechSink sink = [&](std::span<const std::int16_t>) { if (!first) first = std::chrono::steady_clock::now() - began; };
    REQUIRE(ok(run(bench.context, (*tts)->speak(hello(), sink, {}))));
    REQUIRE(first);
    CHECK(std::chrono::steady_clock::now() - began - *first > milliseconds(60));
}

TEST_CASE("a WAV file is taken for what it is, whatever was asked, and brought to 24 kHz")
{
    std::string wav = audio::make_wav(tone(22'050), 22'050);
    for (const std::string& length : {wav.substr(40, 4), std::string("\xFF\xFF\xFF\xFF"), std::string(4, '\0')}) {
        wav.replace(40, 4, length);
        Bench bench;
        CannedService service(bench.context, {chunked("audio/pcm", in_pieces(wav, 999))});
        const Spoken spoken = speak(bench, settings_of(service));
        REQUIRE(ok(spoken.outcome));
        CHECK(std::abs(static_cast<int>(spoken.samples.size()) - 24'000) <= 1);
        CHECK(*std::ranges::max_element(spoken.samples) > 7000);
        CHECK(*std::ranges::max_element(spoken.samples) < 9000);
    }
}

TEST_CASE("headerless sound of another rate is brought to 24 kHz")
{
    Bench bench;
    CannedService service(bench.context, {pcm(bytes_of(tone(44'100)))});
    auto settings = settings_of(service);
    settings.pcm_hz = 44'100;
    CHECK(std::abs(static_cast<int>(speak(bench, settings).samples.size()) - 24'000) <= 1);
}

TEST_CASE("refusals are told with the service's words, the mend, and never the key")
{
    const Failure table[] = {
        {"key", whole("401 Unauthorized", "application/json",
                      R"({"error":{"message":"Incorrect API key provided: sk-very-secret.\nFind yours.","code":"invalid_api_key"}})"),
         Code::provider_failed, "answered 401: \"Incorrect API key provided: ***. Find yours.\". Check tts.api_key."},
        {"model", whole("404 Not Found", "application/json", R"({"detail":"No such model"})"), Code::provider_failed,
         "answered 404: \"No such model\". Check tts.url"},
        {"rate", whole("429 Too Many Requests", "application/json", R"({"error":"slow down"})"), Code::provider_failed,
         "answered 429: \"slow down\". Check the account's quota"},
        {"500", whole("500 Internal Server Error", "text/html", "<html>oops</html>"), Code::provider_failed, "answered 500. Try again later."},
        {"long", whole("400 Bad Request", "text/plain", std::string(5000, 'x')), Code::provider_failed, "answered 400: \"xxx"},
        {"JSON", whole("200 OK", "application/json", R"({"audio":null})"), Code::provider_failed,
         "sent application/json where sound was expected. Check tts.url."},
        {"error", whole("200 OK", "application/json", R"({"error":{"message":"no sk-very-secret"}})"), Code::provider_failed, "no ***"},
        {"HTML", whole("200 OK", "text/html", "<html></html>"), Code::provider_failed, "sent text/html where sound was expected"},
        {"HTML as sound", whole("200 OK", "audio/pcm", "<!DOCTYPE html><html></html>"), Code::provider_failed,
         "sent text/html where sound was expected"},
        {"nothing", pcm(""), Code::provider_failed, "sent no sound"},
        {"half a header", whole("200 OK", "audio/wav", "RIFFsizeWAVEfmt "), Code::provider_failed, ""},
        {"cut", chunked("audio/pcm", {bytes_of(tone(100))}, End::close), Code::closed, "closed the connection"},
    };
    for (const auto& row : table) {
        INFO(row.what);
        Bench bench;
        CannedService service(bench.context, {row.answer});
        const Spoken spoken = speak(bench, settings_of(service));
        check_failure(spoken.outcome, row);
        CHECK(spoken.outcome.error().message.find('\n') == std::string::npos);
        CHECK(spoken.outcome.error().message.size() < 500);
    }
}

TEST_CASE("sound without end is an error")
{
    Bench bench;
    CannedService service(bench.context, {chunked("audio/pcm", std::vector<std::string>(30, bytes_of(tone(2'400))))});
    auto settings = settings_of(service);
    settings.audio_ms_max = 1'000;
    const Spoken spoken = speak(bench, settings);
    REQUIRE(!spoken.outcome);
    CHECK_THAT(spoken.outcome.error().message, Catch::Contains("more than 1 s of sound"));
    CHECK(spoken.samples.size() <= 24'000);
}

TEST_CASE("a voice the model does not have falls back, and the service is asked for the other")
{
    Bench bench;
    CannedService service(bench.context, {pcm("ab")});
    SpeechRequest request = hello();
    request.voice = "cedar";
    request.speed = 1;
    request.instructions = "softly";
    REQUIRE(ok(speak(bench, settings_of(service), request).outcome));
    CHECK(json::find_string(service.json_body(0), "voice") == "nova");
    CHECK_FALSE(service.json_body(0).contains("instructions"));
    CHECK_FALSE(service.json_body(0).contains("speed"));
}

TEST_CASE("a voice that the service refuses falls back, and is not asked for again")
{
    Bench bench;
    CannedService service(bench.context, {whole("400 Bad Request", "application/json", R"({"detail":{"message":"Voice 'sage' not found"}})"),
                                          pcm("ab")});
    auto settings = settings_of(service);
    settings.model = "kokoro";
    settings.fallback_voice = "af_sky";
    auto tts = create_tts(settings, bench.resources);
    REQUIRE(ok(tts));
    REQUIRE(ok(speak(bench, **tts).outcome));
    REQUIRE(ok(speak(bench, **tts).outcome));
    REQUIRE(service.requests().size() == 3);
    CHECK(json::find_string(service.json_body(0), "voice") == "sage");
    CHECK(json::find_string(service.json_body(1), "voice") == "af_sky");
    CHECK(json::find_string(service.json_body(2), "voice") == "af_sky");
}

TEST_CASE("a voice of the operator's own goes by the service's name for it; instructions and a wished model go along")
{
    Bench bench;
    CannedService service(bench.context, {pcm("ab")});
    auto settings = settings_of(service);
    Voice voice;
    voice.id = "jihun";
    voice.voice = "cedar";
    voice.speed = 0.5;
    settings.voices = std::make_shared<const VoiceList>(std::vector<Voice>{voice}, "jihun");
    settings.instructions = "calmly";
    SpeechRequest request = hello();
    request.voice = "Jihun";
    request.speed = 1.5;
    request.choice.model = "gpt-4o-mini-tts";
    REQUIRE(ok(speak(bench, settings, request).outcome));
    CHECK(json::find_string(service.json_body(0), "voice") == "cedar");
    CHECK(json::find_string(service.json_body(0), "model") == "gpt-4o-mini-tts");
    CHECK(json::find_string(service.json_body(0), "instructions") == "calmly");
    CHECK(json::find_number(service.json_body(0), "speed") == 0.75);
}

TEST_CASE("voices and models")
{
    const struct {
        std::string model, wanted, chosen;
    } table[] = {
        {"tts-1", "Cedar", "nova"}, {"tts-1-hd", "marin", "nova"},           {"tts-1", "verse", "nova"},       {"tts-1", "SAGE", "sage"},
        {"tts-1", "", "nova"},      {"gpt-4o-mini-tts", "Cedar", "cedar"},   {"gpt-4o-mini-tts", "marin", "marin"},
        {"kokoro", "af_sky", "af_sky"}, {"kokoro", "", "nova"},
    };
    for (const auto& row : table) {
        INFO(row.model << " " << row.wanted);
        CHECK(choose_voice(row.model, row.wanted, "nova") == row.chosen);
    }
    CHECK(choose_voice("tts-1", "cedar", "") == "cedar");
}

TEST_CASE("a long text goes in several requests of at most 4096 characters")
{
    Bench bench;
    CannedService service(bench.context, {pcm("abcd")});
    SpeechRequest request = hello();
    request.text.clear();
    for (int i = 0; i < 1000; ++i) request.text += "안녕하세요. ";
    const Spoken spoken = speak(bench, settings_of(service), request);
    REQUIRE(ok(spoken.outcome));
    CHECK(service.requests().size() == 2);
    CHECK(service.connections() == 1);
    CHECK(spoken.samples.size() == 4);
    request.text = " \n";
    REQUIRE(ok(speak(bench, settings_of(service), request).outcome));
    CHECK(service.requests().size() == 2);
}

TEST_CASE("a stop ends the speech request at once, and the service sees it")
{
    for (const bool amid : {false, true}) {
        Bench bench;
        CannedService service(bench.context, {amid ? chunked("audio/pcm", {bytes_of(tone(2'400))}, End::hang) : Canned({}, End::hang)});
        LaterStop stop(bench.context, milliseconds(50));
        const Spoken spoken = speak(bench, settings_of(service), hello(), stop.token());
        REQUIRE(!spoken.outcome);
        CHECK(spoken.outcome.error().code == Code::cancelled);
        CHECK(spoken.samples.empty() != amid);
        CHECK(bench.wait_for([&] { return service.left() == 1; }, milliseconds(2'000)));
        CHECK(stop.since() < milliseconds(50));
    }
}

TEST_CASE("no more requests at once than the section says")
{
    Bench bench;
    CannedService service(bench.context, {chunked("audio/pcm", {bytes_of(tone(100)), bytes_of(tone(100))}, End::keep, milliseconds(50))});
    auto settings = settings_of(service);
    settings.requests_at_once = 1;
    auto tts = create_tts(settings, bench.resources);
    REQUIRE(ok(tts));
    int ended = 0, running = 0, running_max = 0;
    for (int i = 0; i < 3; ++i) {
        const auto first_sound = std::make_shared<bool>(true);
        const SpeechSink sink = [&, first_sound](std::span<const std::int16_t>) {
            if (std::exchange(*first_sound, false)) running_max = std::max(running_max, ++running);
        };
        asio::co_spawn(bench.context, (*tts)->speak(hello(), sink, {}), [&](std::exception_ptr, Result<SpeechUsage> outcome) {
            --running;
            ended += outcome ? 1 : 0;
        });
    }
    CHECK(bench.wait_for([&] { return ended == 3; }, milliseconds(5'000)));
    CHECK(running_max == 1);
}
