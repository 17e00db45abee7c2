#include "repartee/voice/listening.hpp"

#include "../../support/run_coroutine.hpp"
#include "../audio/signals.hpp"
#include "fakes.hpp"
#include "repartee/net/task_group.hpp"
#include "sockets.hpp"

#include <boost/asio/this_coro.hpp>
#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::voice;
using testing::FakeStt;
using testing::run_coroutine;

namespace {

struct Heard {
    std::vector<std::string> answers;
    std::uint16_t close_code = 0;
};

/// Sends these messages at once, reads `answers` texts, then closes (or lets `drain` end it).
Heard listen(std::shared_ptr<FakeStt> stt, ListenSettings settings, std::vector<std::string> messages, std::size_t answers, bool drain = false)
{
    Heard heard;
    Metrics metrics;
    run_coroutine([&]() -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        auto sides = testing::websocket_pair(executor);
        std::stop_source draining;
        ListenContext context{stt, {}, metrics, nullptr, draining.get_token()};
        net::TaskGroup server(executor, "test");
        server.spawn(run_listening(std::move(sides.server), settings, std::move(context)));
        for (const std::string& message : messages) {
            if (message.starts_with("text:"))
                co_await sides.client.write_text(message.substr(5));
            else
                co_await sides.client.write_binary(std::as_bytes(std::span(message)));
        }
        while (heard.answers.size() < answers) {
            const auto message = co_await sides.client.read();
            if (!message) break;
            heard.answers.emplace_back(message->text());
        }
        if (drain) {
            draining.request_stop();
            const auto end = co_await sides.client.read();
            static_cast<void>(end);
        } else {
            co_await sides.client.close(1000, "");
        }
        heard.close_code = sides.client.close_code();
        co_await server.wait_all();
    }());
    return heard;
}

const std::string second(32'000, '\x10');  // one second at 16 kHz

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("each binary message is one utterance, answered in order with the sentence itself")
{
    const auto stt = std::make_shared<FakeStt>();
    for (const char* text : {"One.", "Two.", "Three.", "Four.", "Five."}) stt->answers.emplace_back(text);
    ListenSettings settings;
    settings.waiting_max = 2;
    const Heard heard = listen(stt, settings, {second, second + "\x01", second, second, second}, 5);
    CHECK(heard.answers == List{"One.", "Two.", "Three.", "Four.", "Five."});
    REQUIRE(stt->asked.size() == 5);
    CHECK(stt->asked[0].audio.hz == 16'000);
    CHECK(stt->asked[1].audio.samples.size() == 16'000);  // the odd byte is dropped
    CHECK(heard.close_code == 1000);
}

TEST_CASE("what cannot be recognised is a clear text, and the socket stays open")
{
    const auto stt = std::make_shared<FakeStt>();
    stt->answers = {Result<std::string>(Error{Code::provider_failed, "The service is down."}), Result<std::string>("Back.")};
    ListenSettings settings;
    settings.utterance_bytes_max = 40'000;
    const Heard heard = listen(stt, settings, {second, std::string(50'000, 'x'), "text:hello", "", "ab", second}, 6);
    REQUIRE(heard.answers.size() == 6);
    CHECK(heard.answers[0] == "[not recognised] The service is down.");
    CHECK(heard.answers[1].starts_with("[not recognised] The utterance has 50000 bytes"));
    CHECK(heard.answers[2].starts_with("[not recognised] Only binary frames"));
    CHECK(heard.answers[3].empty());
    CHECK(heard.answers[4].empty());
    CHECK(heard.answers[5] == "Back.");
    CHECK(stt->asked.size() == 2);
}

TEST_CASE("JSON says when it was said")
{
    const auto stt = std::make_shared<FakeStt>();
    ListenSettings settings;
    settings.as_json = true;
    const Heard heard = listen(stt, settings, {second, second}, 2);
    REQUIRE(heard.answers.size() == 2);
    CHECK(heard.answers[0].find(R"("text":"heard 1","start_ms":0,"end_ms":1000,"duration_ms":1000)") != std::string::npos);
    CHECK(heard.answers[1].find(R"("text":"heard 2","start_ms":1000,"end_ms":2000,"duration_ms":1000)") != std::string::npos);
}

TEST_CASE("a stream is cut into sentences, however its messages are cut, and commit ends the last one")
{
    namespace signals = audio::signals;
    signals::Samples samples = signals::white_noise(24 * 400, -75);
    for (int i = 0; i < 3; ++i) {
        const auto loud = signals::voice(24 * 700, -20);
        samples.insert(samples.end(), loud.begin(), loud.end());
        const auto quiet = signals::white_noise(i < 2 ? 24 * 900 : 24 * 100, -75);
        samples.insert(samples.end(), quiet.begin(), quiet.end());
    }
    const std::string bytes(reinterpret_cast<const char*>(samples.data()), samples.size() * 2);
    std::vector<std::string> messages;
    for (std::size_t at = 0; at < bytes.size(); at += 1'333) messages.push_back(bytes.substr(at, 1'333));
    messages.push_back("text:commit");
    const auto stt = std::make_shared<FakeStt>();
    ListenSettings settings;
    settings.hz = 24'000;
    settings.continuous = settings.as_json = true;
    const Heard heard = listen(stt, settings, messages, 3);
    REQUIRE(heard.answers.size() == 3);
    REQUIRE(stt->asked.size() == 3);
    for (const auto& asked : stt->asked) {
        CHECK(asked.audio.hz == 24'000);
        CHECK(asked.audio.samples.size() > 24 * 600);
        CHECK(asked.audio.samples.size() < 24 * 1'800);
    }
    CHECK(heard.answers[2].find(R"("text":"heard 3")") != std::string::npos);
}

TEST_CASE("a recogniser that never answers is given up")
{
    const auto stt = std::make_shared<FakeStt>();
    stt->hangs = true;
    ListenSettings settings;
    settings.limit = std::chrono::milliseconds(50);
    const Heard heard = listen(stt, settings, {second}, 1);
    REQUIRE(heard.answers.size() == 1);
    CHECK(heard.answers[0].find("50 ms") != std::string::npos);
    CHECK(stt->cancelled == 1);
}

TEST_CASE("a client that leaves stops the recognition, and a server that goes away says so")
{
    const auto stt = std::make_shared<FakeStt>();
    stt->hangs = true;
    listen(stt, {}, {second}, 0);
    CHECK(stt->cancelled <= 1);  // it may not even have begun

    const Heard drained = listen(std::make_shared<FakeStt>(), {}, {second}, 1, true);
    CHECK(drained.answers == List{"heard 1"});
    CHECK(drained.close_code == 1001);
}
