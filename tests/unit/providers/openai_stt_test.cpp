#include "canned_service.hpp"
#include "repartee/audio/wav.hpp"
#include "repartee/net/multipart.hpp"

#include <cstdlib>

using namespace repartee;
using namespace repartee::providers;
using namespace repartee::test;
using End = Canned::End;

namespace {

std::string event(const std::string& members) { return "data: {" + members + "}\n\n"; }
const std::string done = event(R"("type":"transcript.text.done","text":"안녕하세요.","usage":{"type":"tokens","input_tokens":14,"output_tokens":45})");
const std::string streamed = event(R"("type":"transcript.text.delta","delta":"안녕")") + event(R"("type":"transcript.text.delta","delta":"하세요.")")
    + done;

SttSettings settings_of(const CannedService& service)
{
    auto settings = settings_for<SttSettings>(service, "stt");
    settings.model = "gpt-transcribe";
    settings.language = "ko";
    return settings;
}

TranscribeRequest speech(int ms = 1'000)
{
    TranscribeRequest request;
    request.audio.samples = tone(static_cast<std::size_t>(ms) * 24);
    return request;
}

struct Heard {
    Result<Transcript> outcome{Transcript()};
    std::vector<std::string> deltas;
};

Heard transcribe(Bench& bench, const SttSettings& settings, const TranscribeRequest& request = speech(), Stop stop = {})
{
    auto stt = create_stt(settings, bench.resources);
    REQUIRE(ok(stt));
    Heard heard;
    const auto collect = [&](std::string_view delta) { heard.deltas.emplace_back(delta); };
    heard.outcome = run(bench.context, (*stt)->transcribe(request, collect, stop));
    return heard;
}

std::string content_type(const CannedService& service)
{
    const std::string head = service.head(0);
    const std::size_t at = head.find("Content-Type: ") + 14;
    return head.substr(at, head.find("\r\n", at) - at);
}

std::string field(const CannedService& service, const std::string& name)
{
    const std::string body = service.body(0);
    const auto parts = net::parse_multipart(content_type(service), body, net::FormLimits());
    REQUIRE(ok(parts));
    const auto* part = net::find_part(*parts, name);
    return part ? std::string(part->bytes) : "(none)";
}

}  // namespace

TEST_CASE("samples go as a WAV file with a name and a type, the file last")
{
    Bench bench;
    CannedService service(bench.context, {whole("200 OK", "application/json",
                                                R"({"text":" Hello\nthere. ","usage":{"type":"tokens","input_tokens":14,"output_tokens":45}})")});
    auto request = speech();
    request.prompt = "박지훈";
    request.language = "en-US";
    const Heard heard = transcribe(bench, settings_of(service), request);
    REQUIRE(ok(heard.outcome));
    CHECK(heard.outcome->text == "Hello there.");
    CHECK(heard.outcome->input_tokens == 14);
    CHECK(heard.outcome->output_tokens == 45);
    CHECK(heard.outcome->duration_s == 1.0);
    CHECK(heard.deltas == std::vector<std::string>{"Hello there."});

    CHECK(service.head(0).starts_with("POST /v1/audio/transcriptions HTTP/1.1\r\n"));
    CHECK(service.head(0).find("Authorization: Bearer sk-very-secret\r\n") != std::string::npos);
    CHECK(field(service, "model") == "gpt-transcribe");
    CHECK(field(service, "language") == "en");
    CHECK(field(service, "prompt") == "박지훈");
    CHECK(field(service, "response_format") == "json");
    CHECK(field(service, "stream") == "true");
    const std::string body = service.body(0);
    const auto parts = net::parse_multipart(content_type(service), body, net::FormLimits());
    REQUIRE(ok(parts));
    CHECK(parts->back().name == "file");
    CHECK(parts->back().file_name == "speech.wav");
    CHECK(parts->back().content_type == "audio/wav");
    const auto wav = audio::parse_wav(std::as_bytes(std::span(parts->back().bytes)));
    REQUIRE(ok(wav));
    CHECK(wav->sample_rate_hz == 16'000);
    CHECK(std::abs(static_cast<int>(wav->data_bytes) - 32'000) <= 4);
}

TEST_CASE("a streamed transcript comes in deltas, wherever the bytes are cut")
{
    for (const std::size_t size : {1u, 11u, 100'000u}) {
        Bench bench;
        CannedService service(bench.context, {chunked("text/event-stream", in_pieces(streamed, size))});
        const Heard heard = transcribe(bench, settings_of(service));
        REQUIRE(ok(heard.outcome));
        CHECK(heard.deltas == std::vector<std::string>{"안녕", "하세요."});
        CHECK(heard.outcome->text == "안녕하세요.");
        CHECK(heard.outcome->input_tokens == 14);
    }
}

TEST_CASE("other forms of a stream")
{
    const struct {
        const char* what;
        std::string type, body, text;
        std::vector<std::string> deltas;
    } table[] = {
        {"only the end", "text/event-stream", done, "안녕하세요.", {"안녕하세요."}},
        {"bare segments", "text/event-stream", event(R"("text":"One.")") + event(R"("text":"Two.")"), "One. Two.", {"One.", " Two."}},
        {"events under another name", "application/json", streamed, "안녕하세요.", {"안녕", "하세요."}},
        {"the last text wins", "text/event-stream", event(R"("type":"transcript.text.delta","delta":" Halo")")
         + event(R"("type":"transcript.text.done","text":"Hello")"),
         "Hello", {"Halo"}},
        {"nothing said", "text/event-stream", event(R"("type":"transcript.text.done","text":"")"), "", {}},
    };
    for (const auto& row : table) {
        INFO(row.what);
        Bench bench;
        CannedService service(bench.context, {whole("200 OK", row.type, row.body)});
        const Heard heard = transcribe(bench, settings_of(service));
        REQUIRE(ok(heard.outcome));
        CHECK(heard.outcome->text == row.text);
        CHECK(heard.deltas == row.deltas);
    }
}

TEST_CASE("a file goes as it is, under the name of its kind")
{
    Bench bench;
    CannedService service(bench.context, {whole("200 OK", "application/json", R"({"text":"Hi","usage":{"type":"duration","seconds":9}})")});
    TranscribeRequest request;
    request.audio.file = std::string("\x1A\x45\xDF\xA3 some film\0 and more", 24);
    request.audio.container = audio::Container::webm;
    auto settings = settings_of(service);
    settings.model = "whisper-1";
    const Heard heard = transcribe(bench, settings, request);
    REQUIRE(ok(heard.outcome));
    CHECK(heard.outcome->duration_s == 9.0);
    CHECK(field(service, "file") == request.audio.file);
    CHECK(field(service, "stream") == "(none)");
    CHECK(service.body(0).find("filename=\"speech.webm\"") != std::string::npos);
}

TEST_CASE("a service that reads nothing but WAV gets WAV at its rate")
{
    Bench bench;
    CannedService service(bench.context, {whole("200 OK", "application/json", R"({"text":"Hi"})")});
    TranscribeRequest request;
    request.audio.file = audio::make_wav(std::vector<std::int16_t>(48'000, 100), 48'000);
    request.audio.container = audio::Container::wav;
    auto settings = settings_of(service);
    settings.wav_only = true;
    REQUIRE(ok(transcribe(bench, settings, request).outcome));
    const std::string sent = field(service, "file");
    const auto wav = audio::parse_wav(std::as_bytes(std::span(sent)));
    REQUIRE(ok(wav));
    CHECK(wav->sample_rate_hz == 16'000);
}

TEST_CASE("words that models invent for silence are not heard")
{
    const auto segments = [](const std::string& list) { return R"({"text":"Thanks for watching!","language":"english","duration":2.5,"segments":[)"
                                                       + list + "]}"; };
    const struct {
        std::string body, text;
    } table[] = {
        {segments(R"({"start":0,"end":2.5,"text":"Thanks","no_speech_prob":0.9,"avg_logprob":-1.4})"), ""},
        {segments(R"({"text":"Thanks","no_speech_prob":0.9})"), ""},
        {segments(R"({"text":"Thanks","no_speech_prob":0.9,"avg_logprob":-0.2})"), "Thanks for watching!"},
        {segments(R"({"text":"Thanks","no_speech_prob":0.9,"avg_logprob":-2},{"text":"for","no_speech_prob":0.1,"avg_logprob":-2})"),
         "Thanks for watching!"},
        {segments(""), "Thanks for watching!"},
    };
    for (const auto& row : table) {
        INFO(row.body);
        Bench bench;
        CannedService service(bench.context, {whole("200 OK", "application/json", row.body)});
        auto settings = settings_of(service);
        settings.response_format = "verbose_json";
        const Heard heard = transcribe(bench, settings);
        REQUIRE(ok(heard.outcome));
        CHECK(heard.outcome->text == row.text);
        CHECK(heard.outcome->language == "english");
        CHECK(heard.outcome->duration_s == 2.5);
        CHECK(field(service, "stream") == "(none)");
    }
}

TEST_CASE("plain text")
{
    for (const std::string type : {"text/plain; charset=utf-8", "text/html; charset=utf-8"}) {
        Bench bench;
        CannedService service(bench.context, {whole("200 OK", type, " 안녕하세요.\n")});
        auto settings = settings_of(service);
        settings.response_format = "text";
        const Heard heard = transcribe(bench, settings);
        REQUIRE(ok(heard.outcome));
        CHECK(heard.outcome->text == "안녕하세요.");
    }
}

TEST_CASE("less than a tenth of a second is not sent, nor is too much")
{
    Bench bench;
    CannedService service(bench.context, {whole("200 OK", "application/json", R"({"text":"Hi"})")});
    const Heard blip = transcribe(bench, settings_of(service), speech(99));
    REQUIRE(ok(blip.outcome));
    CHECK(blip.outcome->text.empty());
    auto settings = settings_of(service);
    settings.audio_bytes_max = 1'000;
    const Heard long_one = transcribe(bench, settings);
    REQUIRE(!long_one.outcome);
    CHECK(long_one.outcome.error().code == Code::too_large);
    CHECK(service.requests().empty());
}

TEST_CASE("what goes wrong with a transcription")
{
    const Failure table[] = {
        {"key", whole("401 Unauthorized", "application/json", R"({"error":{"message":"Bad key sk-very-secret"}})"), Code::provider_failed,
         "Check stt.api_key."},
        {"file", whole("400 Bad Request", "application/json", R"({"error":{"message":"Invalid file format. Use wav.","param":null}})"),
         Code::invalid_audio, "Invalid file format"},
        {"file by name", whole("400 Bad Request", "application/json", R"({"error":{"message":"No.","param":"file"}})"), Code::invalid_audio, "No."},
        {"language", whole("400 Bad Request", "application/json", R"({"error":{"message":"Invalid language","param":"language"}})"),
         Code::provider_failed, "Invalid language"},
        {"too large", whole("413 Payload Too Large", "text/plain", "too much"), Code::provider_failed, "Send less at once."},
        {"broken JSON", whole("200 OK", "application/json", R"({"text":)"), Code::provider_failed, "broken answer"},
        {"no text", whole("200 OK", "application/json", R"({"words":[]})"), Code::provider_failed, "without a \"text\""},
        {"HTML", whole("200 OK", "text/html", "<html></html>"), Code::provider_failed, "sent text/html where a transcript was expected"},
        {"error amid", chunked("text/event-stream", {event(R"("type":"transcript.text.delta","delta":"안")"),
                                                     event(R"("error":{"message":"overloaded"})")}), Code::provider_failed, "overloaded"},
        {"cut", chunked("text/event-stream", {event(R"("type":"transcript.text.delta","delta":"안")")}, End::close), Code::closed,
         "closed the connection"},
        {"ended amid", chunked("text/event-stream", {event(R"("type":"transcript.text.delta","delta":"안")")}), Code::closed, "broke off"},
        {"nothing", whole("200 OK", "text/event-stream", ""), Code::provider_failed, "ended without an answer"},
    };
    for (const auto& row : table) {
        INFO(row.what);
        Bench bench;
        CannedService service(bench.context, {row.answer});
        const Heard heard = transcribe(bench, settings_of(service));
        check_failure(heard.outcome, row);
    }
}

TEST_CASE("a recording that the service finds too short was silence")
{
    Bench bench;
    CannedService service(bench.context, {whole("400 Bad Request", "application/json",
                                                R"({"error":{"message":"Audio file is too short. Minimum audio length is 0.1 seconds.",)"
                                                R"("code":"audio_too_short"}})")});
    const Heard heard = transcribe(bench, settings_of(service));
    REQUIRE(ok(heard.outcome));
    CHECK(heard.outcome->text.empty());
}

TEST_CASE("a form is sent whole the second time as well")
{
    Bench bench;
    CannedService service(bench.context, {whole("503 Service Unavailable", "text/plain", ""), whole("200 OK", "application/json",
        R"({"text":"Hi"})")});
    auto settings = settings_of(service);
    settings.retries = 1;
    REQUIRE(ok(transcribe(bench, settings).outcome));
    REQUIRE(service.requests().size() == 2);
    CHECK(service.body(0) == service.body(1));
}

TEST_CASE("a stop ends a transcription")
{
    Bench bench;
    CannedService service(bench.context, {Canned({}, End::hang)});
    LaterStop stop(bench.context, milliseconds(30));
    const Heard heard = transcribe(bench, settings_of(service), speech(), stop.token());
    REQUIRE(!heard.outcome);
    CHECK(heard.outcome.error().code == Code::cancelled);
    CHECK(bench.wait_for([&] { return service.left() == 1; }, milliseconds(2'000)));
}
