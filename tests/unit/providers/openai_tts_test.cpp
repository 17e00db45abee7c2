#include "repartee/audio/wav.hpp"
#include "repartee/base/json.hpp"
#include "repartee/net/listener.hpp"
#include "repartee/providers/openai_tts.hpp"
#include "run.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

using namespace repartee;
using namespace repartee::providers;
using test::ok;

namespace {

/// A speech service on a free port that answers every request with the same pieces of bytes, and keeps what it was asked.
class CannedService {
public:
    CannedService(asio::io_context& context, std::vector<std::string> answer) : answer_(std::move(answer))
    {
        auto bound = net::Listener::bind(context.get_executor(), {"127.0.0.1", 0});
        REQUIRE(ok(bound));
        listener_.emplace(std::move(*bound));
        asio::co_spawn(context, serve(), [](std::exception_ptr) {});
    }

    OpenAiTtsSettings settings() const
    {
        OpenAiTtsSettings settings;
        settings.url = "http://127.0.0.1:" + std::to_string(listener_->port()) + "/v1/";
        settings.api_key = "sk-very-secret";
        return settings;
    }

    const std::vector<std::string>& requests() const { return requests_; }
    std::string body(std::size_t i) const { return requests_.at(i).substr(requests_.at(i).find("\r\n\r\n") + 4); }
    /// Keeps connections open instead of ending them behind the answer.
    void hold() { hold_ = true; }

private:
    static bool is_complete(const std::string& request)
    {
        const std::size_t end = request.find("\r\n\r\n");
        const std::size_t field = request.find("Content-Length: ");
        return end != std::string::npos && field < end && request.size() >= end + 4 + std::stoul(request.substr(field + 16));
    }

    awaitable<void> serve()
    {
        const auto executor = co_await asio::this_coro::executor;
        for (;;) {
            auto socket = co_await listener_->accept();
            if (!socket) co_return;
            streams_.push_back(net::ByteStream::adopt_tcp(executor, *socket));
            net::ByteStream& stream = streams_.back();
            std::string request;
            std::vector<std::byte> buffer(4096);
            while (!is_complete(request)) {
                auto n = co_await stream.read_some(buffer);
                if (!n) break;
                request.append(reinterpret_cast<const char*>(buffer.data()), *n);
            }
            requests_.push_back(request);
            for (const std::string& piece : answer_) co_await stream.write(piece);
            if (!hold_) co_await stream.shutdown(std::chrono::seconds(1));
        }
    }

    std::vector<std::string> answer_;
    std::optional<net::Listener> listener_;
    std::vector<net::ByteStream> streams_;
    std::vector<std::string> requests_;
    bool hold_ = false;
};

std::string head(const std::string& status, const std::string& type, std::size_t length)
{
    return "HTTP/1.1 " + status + "\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
}

std::string bytes_of(const std::vector<std::int16_t>& samples)
{
    return {reinterpret_cast<const char*>(samples.data()), samples.size() * 2};
}

std::string chunk(const std::string& bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

struct Spoken {
    Result<void> outcome;
    std::vector<std::int16_t> samples;
};

Spoken speak(asio::io_context& context, const OpenAiTtsSettings& settings, const SpeechRequest& request, Stop stop = {})
{
    auto tts = OpenAiTts::create(settings);
    REQUIRE(ok(tts));
    Spoken spoken;
    const auto collect = [&](std::span<const std::int16_t> piece) { spoken.samples.insert(spoken.samples.end(), piece.begin(), piece.end()); };
    spoken.outcome = test::run(context, (*tts)->speak(request, collect, stop));
    return spoken;
}

SpeechRequest hello()
{
    SpeechRequest request;
    request.text = "안녕\n하세요.";
    request.voice = "Sage";
    request.speed = 0.95;
    return request;
}

}  // namespace

TEST_CASE("PCM comes back as it was sent, and the request says what is wanted")
{
    asio::io_context context;
    const std::vector<std::int16_t> samples{0, 1, -1, 32767, -32768, 1234};
    CannedService service(context, {head("200 OK", "audio/pcm", 12), bytes_of(samples)});
    const Spoken spoken = speak(context, service.settings(), hello());
    REQUIRE(ok(spoken.outcome));
    CHECK(spoken.samples == samples);

    REQUIRE(service.requests().size() == 1);
    CHECK(service.requests()[0].starts_with("POST /v1/audio/speech HTTP/1.1\r\n"));
    CHECK(service.requests()[0].find("Authorization: Bearer sk-very-secret\r\n") != std::string::npos);
    const auto body = json::parse_object(service.body(0));
    REQUIRE(ok(body));
    CHECK(json::find_string(*body, "model") == "tts-1");
    CHECK(json::find_string(*body, "input") == "안녕 하세요.");
    CHECK(json::find_string(*body, "voice") == "sage");
    CHECK(json::find_string(*body, "response_format") == "pcm");
    CHECK(json::find_number(*body, "speed") == 0.95);
}

TEST_CASE("chunks split in the middle of a sample, and an odd last byte, do no harm")
{
    asio::io_context context;
    const std::vector<std::int16_t> samples{258, 772, 1286, 1800};
    const std::string bytes = bytes_of(samples) + "x";
    const std::string chunked = "HTTP/1.1 200 OK\r\nContent-Type: audio/pcm\r\nTransfer-Encoding: chunked\r\n\r\n";
    CannedService service(context, {chunked, chunk(bytes.substr(0, 1)), chunk(bytes.substr(1, 4)), chunk(bytes.substr(5)), "0\r\n\r\n"});
    const Spoken spoken = speak(context, service.settings(), hello());
    REQUIRE(ok(spoken.outcome));
    CHECK(spoken.samples == samples);
}

TEST_CASE("a WAV file is taken for what it is, whatever was asked, and brought to 24 kHz")
{
    std::vector<std::int16_t> tone(22'050);
    for (std::size_t i = 0; i < tone.size(); ++i) tone[i] = static_cast<std::int16_t>(8000 * std::sin(static_cast<double>(i) * 0.1));
    const std::string wav = audio::make_wav(tone, 22'050);
    asio::io_context context;
    CannedService service(context, {head("200 OK", "audio/pcm", wav.size()), wav});
    const Spoken spoken = speak(context, service.settings(), hello());
    REQUIRE(ok(spoken.outcome));
    CHECK(std::abs(static_cast<int>(spoken.samples.size()) - 24'000) <= 1);
    CHECK(*std::ranges::max_element(spoken.samples) > 7000);
    CHECK(*std::ranges::max_element(spoken.samples) < 9000);
}

TEST_CASE("a refused key is told with the service's words, the mend, and never the key")
{
    const std::string body = R"({"error":{"message":"Incorrect API key provided: sk-very-secret.\nFind yours.",)"
                             R"("type":"invalid_request_error","code":"invalid_api_key"}})";
    asio::io_context context;
    CannedService service(context, {head("401 Unauthorized", "application/json", body.size()), body});
    const Spoken spoken = speak(context, service.settings(), hello());
    REQUIRE(!spoken.outcome);
    const Error error = spoken.outcome.error();
    CHECK(error.code == Code::provider_failed);
    CHECK(error.upstream_code == "invalid_api_key");
    CHECK(error.message.find("answered 401: \"Incorrect API key provided: ***") != std::string::npos);
    CHECK(error.message.find("tts.api_key") != std::string::npos);
    CHECK(error.message.find("secret") == std::string::npos);
    CHECK(error.message.find('\n') == std::string::npos);
    CHECK(spoken.samples.empty());
}

TEST_CASE("other refusals are told as well, in whatever form they come")
{
    const struct {
        std::string status, type, body, expected;
    } table[] = {
        {"404 Not Found", "application/json", R"({"detail":"No such model"})", "answered 404: \"No such model\". Check tts.url"},
        {"429 Too Many Requests", "application/json", R"({"error":"slow down"})", "answered 429: \"slow down\". Check the account's quota"},
        {"500 Internal Server Error", "text/html", "<html>oops</html>", "answered 500. Try again later."},
        {"400 Bad Request", "text/plain", std::string(5000, 'x'), "answered 400: \"xxx"},
        {"200 OK", "application/json", R"({"audio":null})", "sent application/json where PCM was asked for"},
        {"200 OK", "audio/pcm", "", "sent no audio"},
        {"200 OK", "audio/wav", "RIFF but nothing else of a WAV file", "WAV file"},
    };
    for (const auto& row : table) {
        INFO(row.status << " " << row.body.substr(0, 40));
        asio::io_context context;
        CannedService service(context, {head(row.status, row.type, row.body.size()), row.body});
        const Spoken spoken = speak(context, service.settings(), hello());
        REQUIRE(!spoken.outcome);
        CHECK(spoken.outcome.error().code == Code::provider_failed);
        CHECK_THAT(spoken.outcome.error().message, Catch::Contains(row.expected));
        CHECK(spoken.outcome.error().message.size() < 500);
    }
}

TEST_CASE("a voice the model does not have falls back, and the service is asked for the other")
{
    asio::io_context context;
    CannedService service(context, {head("200 OK", "audio/pcm", 2), "ab"});
    SpeechRequest request = hello();
    request.voice = "cedar";
    REQUIRE(ok(speak(context, service.settings(), request).outcome));
    const auto body = json::parse_object(service.body(0));
    REQUIRE(ok(body));
    CHECK(json::find_string(*body, "voice") == "nova");
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
    asio::io_context context;
    CannedService service(context, {head("200 OK", "audio/pcm", 4), "abcd"});
    SpeechRequest request = hello();
    request.text.clear();
    for (int i = 0; i < 1000; ++i) request.text += "안녕하세요. ";
    const Spoken spoken = speak(context, service.settings(), request);
    REQUIRE(ok(spoken.outcome));
    CHECK(service.requests().size() == 2);
    CHECK(spoken.samples.size() == 4);
}

TEST_CASE("a service that does not answer is left when Stop says so, and at the limit")
{
    asio::io_context context;
    CannedService service(context, {});
    service.hold();
    const Spoken stopped = speak(context, service.settings(), hello(), [&] { return !service.requests().empty(); });
    REQUIRE(!stopped.outcome);
    CHECK(stopped.outcome.error().code == Code::cancelled);

    OpenAiTtsSettings settings = service.settings();
    settings.limit = std::chrono::milliseconds(50);
    const Spoken late = speak(context, settings, hello());
    REQUIRE(!late.outcome);
    CHECK(late.outcome.error().code == Code::timeout);
}

TEST_CASE("settings that cannot work are refused at once")
{
    OpenAiTtsSettings settings;
    const auto keyless = OpenAiTts::create(settings);
    REQUIRE(!keyless);
    CHECK(keyless.error().code == Code::not_configured);
    settings.url = "not a url";
    const auto bad_url = OpenAiTts::create(settings);
    REQUIRE(!bad_url);
    CHECK(bad_url.error().code == Code::invalid_value);
}
