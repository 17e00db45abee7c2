#include "repartee/voice/listening.hpp"

#include "listening_answers.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/audio/resampler.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/providers/stop_after.hpp"

#include <boost/asio/this_coro.hpp>

#include <cstring>
#include <deque>

namespace repartee::voice {
namespace {

using Clock = std::chrono::steady_clock;

/// Something to be answered, in its turn.
struct Utterance {
    std::vector<std::int16_t> samples;
    int hz = 0;
    Heard when;
    std::optional<Error> refusal;  ///< answered with this, unheard
};

std::vector<std::int16_t> samples_of(std::span<const std::byte> bytes)
{
    // A last odd byte is half a sample.
    std::vector<std::int16_t> samples(bytes.size() / audio::sample_bytes);
    if (!samples.empty()) std::memcpy(samples.data(), bytes.data(), samples.size() * audio::sample_bytes);
    return samples;
}

class Listener {
public:
    Listener(asio::any_io_executor executor, net::WebSocket client, ListenSettings settings, ListenContext context)
        : executor_(executor),
          client_(std::move(client)),
          settings_(std::move(settings)),
          context_(std::move(context)),
          to_24khz_(settings_.hz, audio::realtime_hz),
          cutter_(settings_.cutting),
          work_(executor),
          room_(executor),
          tasks_(executor, "listening")
    {
    }

    awaitable<void> run()
    {
        tasks_.spawn(read());
        tasks_.spawn(answer());
        const auto on_drain = [this] { drain(); };
        const std::stop_callback<std::function<void()>> drained(context_.draining, on_drain);
        co_await tasks_.wait_all();
        co_await client_.close(close_code_, close_reason_);
    }

private:
    /// Whatever the client said until now is still answered.
    void drain()
    {
        draining_ = true;
        close_code_ = 1001;
        close_reason_ = "going_away";
        client_.cancel_read();
        room_.notify();
    }

    awaitable<void> read()
    {
        while (!draining_ && !gone_) {
            const auto message = co_await client_.read();
            if (!message) {
                if (message.error().code == Code::cancelled) break;
                if (message.error().code != Code::closed) context_.metrics.count_error(message.error().code);
                leave();
                break;
            }
            context_.metrics.client_frames_in.add();
            context_.metrics.client_bytes_in.add(message->bytes.size());
            take(*message);
            while (is_full() && !draining_ && !gone_) co_await room_.wait();
        }
        if (settings_.continuous) flush();
        all_read_ = true;
        work_.notify();
    }

    /// Nobody reads the answers any more.
    void leave()
    {
        gone_ = true;
        stop_.request_stop();
        room_.notify();
    }

    void take(const net::Message& message)
    {
        if (!message.binary) return take_text(message.text());
        if (settings_.continuous) return take_stream(message.bytes);
        Utterance utterance;
        utterance.hz = settings_.hz;
        if (message.bytes.size() > settings_.utterance_bytes_max)
            utterance.refusal = Error{Code::too_large, fmt::format("The utterance has {} bytes; at most {} (listen.utterance_bytes_max) are taken.",
                                                                   message.bytes.size(), settings_.utterance_bytes_max)};
        else
            utterance.samples = samples_of(message.bytes);
        utterance.when.start_ms = position_ms();
        samples_taken_ += message.bytes.size() / audio::sample_bytes;
        utterance.when.end_ms = position_ms();
        add(std::move(utterance));
    }

    std::int64_t position_ms() const { return static_cast<std::int64_t>(samples_taken_ * 1000 / static_cast<std::uint64_t>(settings_.hz)); }

    void take_text(std::string_view text)
    {
        if (settings_.continuous && is_commit(text)) return flush();
        Utterance utterance;
        utterance.refusal =
            Error{Code::invalid_event, "Only binary frames with PCM16 samples are understood here, and with ?mode=stream the text `commit`."};
        add(std::move(utterance));
    }

    void take_stream(std::span<const std::byte> bytes)
    {
        // A sample may be cut in two between two messages.
        std::vector<std::byte> whole;
        if (odd_byte_) {
            whole.push_back(*odd_byte_);
            whole.insert(whole.end(), bytes.begin(), bytes.end());
            bytes = whole;
            odd_byte_.reset();
        }
        if (bytes.size() % audio::sample_bytes != 0) {
            odd_byte_ = bytes.back();
            bytes = bytes.first(bytes.size() - 1);
        }
        std::vector<std::int16_t> at_24khz;
        to_24khz_.process(samples_of(bytes), at_24khz);
        std::vector<engine::Utterance> ended;
        cutter_.push(at_24khz, ended);
        add_all(std::move(ended));
    }

    void flush()
    {
        std::vector<engine::Utterance> ended;
        cutter_.flush(ended);
        add_all(std::move(ended));
    }

    void add_all(std::vector<engine::Utterance> ended)
    {
        for (engine::Utterance& one : ended) {
            Utterance utterance;
            utterance.hz = audio::realtime_hz;
            utterance.when.start_ms = one.start_ms;
            utterance.when.end_ms = one.end_ms;
            utterance.samples = std::move(one.samples);
            add(std::move(utterance));
        }
    }

    bool is_full() const { return waiting_.size() >= settings_.waiting_max || waiting_bytes_ > settings_.utterance_bytes_max; }

    void add(Utterance utterance)
    {
        waiting_bytes_ += utterance.samples.size() * audio::sample_bytes;
        waiting_.push_back(std::move(utterance));
        work_.notify();
    }

    awaitable<void> answer()
    {
        for (;;) {
            while (waiting_.empty() && !all_read_) co_await work_.wait();
            if (waiting_.empty() || gone_) co_return;
            Utterance utterance = std::move(waiting_.front());
            waiting_.pop_front();
            waiting_bytes_ -= utterance.samples.size() * audio::sample_bytes;
            room_.notify();
            const std::string text = co_await recognise(std::move(utterance));
            if (gone_) co_return;
            context_.metrics.client_frames_out.add();
            context_.metrics.client_bytes_out.add(text.size());
            const auto sent = co_await client_.write_text(text);
            if (sent) continue;
            leave();
            client_.cancel_read();
            co_return;
        }
    }

    awaitable<std::string> recognise(Utterance utterance)
    {
        if (utterance.refusal) {
            context_.metrics.count_error(utterance.refusal->code);
            co_return failure_answer(*utterance.refusal, settings_.as_json);
        }
        context_.metrics.utterances_total.add();
        if (context_.debug && !utterance.samples.empty()) context_.debug->keep(utterance.samples, utterance.hz);
        const auto samples_min = static_cast<std::size_t>(settings_.utterance_ms_min * utterance.hz / 1000);
        if (utterance.samples.size() < samples_min) co_return sentence_answer({}, utterance.when, settings_.as_json);

        const Instant began = Clock::now();
        const providers::StopAfter limit(executor_, settings_.limit, stop_.get_token());
        providers::TranscribeRequest request;
        request.audio.samples = std::move(utterance.samples);
        request.audio.hz = utterance.hz;
        request.language = settings_.language;
        request.choice = context_.choice;
        const auto transcript = co_await context_.stt->transcribe(std::move(request), providers::TextSink(), limit.token());
        utterance.when.processing_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count();
        if (transcript) co_return sentence_answer(*transcript, utterance.when, settings_.as_json);
        const Error error = limit.explain(transcript.error(), "The recognition of an utterance (listen.limit_ms)");
        if (!gone_) {
            context_.metrics.count_error(error.code);
            log::warn("listening.failed", {{"code", name(error.code)}, {"message", error.message}});
        }
        co_return failure_answer(error, settings_.as_json);
    }

    asio::any_io_executor executor_;
    net::WebSocket client_;
    ListenSettings settings_;
    ListenContext context_;
    audio::Resampler to_24khz_;
    engine::UtteranceCutter cutter_;
    std::optional<std::byte> odd_byte_;
    std::uint64_t samples_taken_ = 0;
    std::deque<Utterance> waiting_;  ///< at most waiting_max, and what the last message held
    std::size_t waiting_bytes_ = 0;
    std::stop_source stop_;
    bool all_read_ = false, draining_ = false, gone_ = false;
    std::uint16_t close_code_ = 1000;
    std::string close_reason_;
    net::Signal work_, room_;
    net::TaskGroup tasks_;
};

}  // namespace

awaitable<void> run_listening(net::WebSocket client, ListenSettings settings, ListenContext context)
{
    const Instant began = Clock::now();
    log::info("listening.start", {{"peer", client.remote_address()}, {"mode", settings.continuous ? "stream" : "utterance"}, {"hz", settings.hz}});
    const auto executor = co_await asio::this_coro::executor;
    Listener listener(executor, std::move(client), std::move(settings), std::move(context));
    co_await listener.run();
    log::info("listening.end", {{"seconds", std::chrono::duration<double>(Clock::now() - began).count()}});
}

}  // namespace repartee::voice
