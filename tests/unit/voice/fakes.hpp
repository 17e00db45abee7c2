#pragma once
#include "repartee/net/signal.hpp"
#include "repartee/providers/roles.hpp"

#include <boost/asio/this_coro.hpp>

#include <deque>
#include <functional>
#include <stop_token>

/// The three services as a test wants them.
namespace repartee::testing {

/// Ends when the stop comes.
inline awaitable<void> wait_for_stop(providers::Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    net::Signal stopped(executor);
    const auto on_stop = [&stopped] { stopped.notify(); };
    const std::stop_callback<std::function<void()>> callback(stop, on_stop);
    while (!stop.stop_requested()) co_await stopped.wait();
}

/// Each answer once, in order; then "heard N".
class FakeStt final : public providers::SpeechToText {
public:
    std::deque<Result<std::string>> answers;
    std::vector<providers::TranscribeRequest> asked;
    bool hangs = false;
    int cancelled = 0;

    Task<providers::Transcript> transcribe(providers::TranscribeRequest request, providers::TextSink, providers::Stop stop) override
    {
        asked.push_back(std::move(request));
        if (hangs) {
            co_await wait_for_stop(stop);
            ++cancelled;
            co_return Error{Code::cancelled, "stopped"};
        }
        providers::Transcript transcript;
        transcript.text = "heard " + std::to_string(asked.size());
        if (answers.empty()) co_return transcript;
        const Result<std::string> next = std::move(answers.front());
        answers.pop_front();
        if (!next) co_return next.error();
        transcript.text = *next;
        co_return transcript;
    }
    std::string_view provider_name() const override { return "fake"; }
};

/// Says `reply` word by word; the class when it is asked to sort.
class FakeLlm final : public providers::LanguageModel {
public:
    std::string reply = "Of course. I will look it up.";
    std::string request_class = "order_status";
    std::optional<Error> failure;
    bool hangs = false, knows_words = true;
    int cancelled = 0;
    std::vector<providers::ChatRequest> asked;

    Task<providers::ChatResult> chat(providers::ChatRequest request, providers::ChatSink sink, providers::Stop stop) override
    {
        const bool sorts = request.max_output_tokens == 16;
        if (!sorts) asked.push_back(std::move(request));
        if (hangs) {
            co_await wait_for_stop(stop);
            ++cancelled;
            co_return Error{Code::cancelled, "stopped"};
        }
        if (failure) co_return *failure;
        const std::string text = sorts ? request_class : reply;
        for (std::size_t at = 0; at < text.size(); at += 5) sink.text(std::string_view(text).substr(at, 5));
        co_return providers::ChatResult{};
    }
    std::string_view provider_name() const override { return "fake"; }
    bool reads_words() const override { return knows_words; }
};

/// 100 ms of a ramp for each text.
class FakeTts final : public providers::TextToSpeech {
public:
    std::optional<Error> failure;
    bool hangs = false;
    int cancelled = 0;
    int pieces = 1;  ///< of 100 ms
    std::vector<std::string> spoken;

    Task<providers::SpeechUsage> speak(providers::SpeechRequest request, providers::SpeechSink sink, providers::Stop stop) override
    {
        spoken.push_back(request.text);
        if (failure) co_return *failure;
        std::vector<std::int16_t> samples(2'400);
        for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::int16_t>(i);
        for (int i = 0; i < pieces; ++i) sink(samples);
        if (hangs) {
            co_await wait_for_stop(stop);
            ++cancelled;
            co_return Error{Code::cancelled, "stopped"};
        }
        co_return providers::SpeechUsage{};
    }
    std::string_view provider_name() const override { return "fake"; }
};

struct FakeRoles {
    std::shared_ptr<FakeStt> stt = std::make_shared<FakeStt>();
    std::shared_ptr<FakeLlm> llm = std::make_shared<FakeLlm>();
    std::shared_ptr<FakeTts> tts = std::make_shared<FakeTts>();
    providers::Roles roles() const { return {stt, llm, tts}; }
};

}  // namespace repartee::testing
