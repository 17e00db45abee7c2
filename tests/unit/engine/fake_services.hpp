#pragma once
#include "repartee/providers/roles.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

/// The three services played by a test: milliseconds instead of seconds, and an account of what runs.
namespace fake {

using namespace repartee;
using std::chrono::milliseconds;

/// Counts every moment at which something may go wrong, and lets a test act at one of them.
struct Steps {
    int taken = 0;
    std::function<void(int)> at{};  ///< called with the number of the step
    void next()
    {
        ++taken;
        if (at) at(taken);
    }
};

/// What runs now, and did.
struct Account {
    int running = 0, running_max = 0, begun = 0, stopped = 0;
};

class Running {
public:
    explicit Running(Account& account) : account_(account)
    {
        ++account_.begun;
        account_.running_max = std::max(account_.running_max, ++account_.running);
    }
    ~Running() { --account_.running; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

private:
    Account& account_;
};

inline Error stopped_error() { return Error{Code::cancelled, "Stopped."}; }

/// False: stopped while waiting.
inline awaitable<bool> wait(milliseconds duration, providers::Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    asio::steady_timer timer(executor, duration);
    const std::stop_callback on_stop(stop, [&] { timer.cancel(); });
    if (!stop.stop_requested()) co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return !stop.stop_requested();
}

constexpr milliseconds for_ever{60'000};

class Llm final : public providers::LanguageModel {
public:
    struct Line {
        milliseconds after{0};
        std::string text{};
        std::optional<providers::ToolCall> call{};
    };
    std::vector<Line> lines;
    std::optional<Error> failure;  ///< in place of the end
    milliseconds end_after{0};
    providers::ChatUsage usage;
    bool reads = true;
    Account account;
    Steps* steps = nullptr;
    std::vector<providers::ChatRequest> requests;

    Task<providers::ChatResult> chat(providers::ChatRequest request, providers::ChatSink sink, providers::Stop stop) override
    {
        const Running running(account);
        requests.push_back(std::move(request));
        for (const Line& line : lines) {
            const bool goes_on = co_await wait(line.after, stop);
            if (!goes_on) co_return end_stopped();
            if (!line.text.empty()) sink.text(line.text);
            if (line.call) sink.call(*line.call);
            if (steps) steps->next();
        }
        const bool goes_on = co_await wait(end_after, stop);
        if (!goes_on) co_return end_stopped();
        if (failure) co_return *failure;
        providers::ChatResult result;
        result.usage = usage;
        result.finish_reason = "stop";
        co_return result;
    }
    std::string_view provider_name() const override { return "fake"; }
    bool reads_words() const override { return reads; }

private:
    Error end_stopped()
    {
        ++account.stopped;
        return stopped_error();
    }
};

class Tts final : public providers::TextToSpeech {
public:
    struct Way {
        milliseconds before{0};
        int chunks = 2;
        milliseconds between{0};
        std::optional<Error> failure{};  ///< after the chunks
    };
    std::map<std::string, Way> ways;  ///< by text; others: `usual`
    Way usual;
    std::size_t chunk_samples = 240;
    Account account;
    Steps* steps = nullptr;
    std::vector<providers::SpeechRequest> requests;

    /// Each piece has a sound of its own: samples of this value.
    static std::int16_t sound_of(std::string_view text)
    {
        return static_cast<std::int16_t>(1 + std::hash<std::string_view>()(text) % 30'000);
    }

    Task<providers::SpeechUsage> speak(providers::SpeechRequest request, providers::SpeechSink sink, providers::Stop stop) override
    {
        const Running running(account);
        requests.push_back(request);
        const auto found = ways.find(request.text);
        const Way way = found == ways.end() ? usual : found->second;
        const std::vector<std::int16_t> samples(chunk_samples, sound_of(request.text));
        milliseconds pause = way.before;
        for (int i = 0; i < way.chunks; ++i) {
            const bool goes_on = co_await wait(pause, stop);
            if (!goes_on) co_return end_stopped();
            sink(samples);
            if (steps) steps->next();
            pause = way.between;
        }
        const bool goes_on = co_await wait(pause, stop);
        if (!goes_on) co_return end_stopped();
        if (way.failure) co_return *way.failure;
        providers::SpeechUsage usage;
        usage.characters = static_cast<std::int64_t>(request.text.size());
        co_return usage;
    }
    std::string_view provider_name() const override { return "fake"; }

private:
    Error end_stopped()
    {
        ++account.stopped;
        return stopped_error();
    }
};

class Stt final : public providers::SpeechToText {
public:
    struct Answer {
        milliseconds after{0};
        std::string text{};
        std::optional<Error> failure{};
        std::vector<std::string> deltas{};
    };
    std::vector<Answer> answers;  ///< in the order of the requests; the last one again and again
    Account account;
    std::vector<providers::TranscribeRequest> requests;

    Task<providers::Transcript> transcribe(providers::TranscribeRequest request, providers::TextSink delta, providers::Stop stop) override
    {
        const Running running(account);
        const Answer answer = answers.at(std::min(requests.size(), answers.size() - 1));
        requests.push_back(std::move(request));
        const bool goes_on = co_await wait(answer.after, stop);
        if (!goes_on) {
            ++account.stopped;
            co_return stopped_error();
        }
        for (const std::string& part : answer.deltas) delta(part);
        if (answer.failure) co_return *answer.failure;
        providers::Transcript transcript;
        transcript.text = answer.text;
        co_return transcript;
    }
    std::string_view provider_name() const override { return "fake"; }
};

}  // namespace fake
