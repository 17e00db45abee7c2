#include "repartee/voice/interview.hpp"

#include "casting.hpp"
#include "chunk_sink.hpp"
#include "interview_flow.hpp"
#include "interview_prompt.hpp"

#include "repartee/base/log.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/providers/stop_after.hpp"

#include <boost/asio/this_coro.hpp>

namespace repartee::voice {
namespace {

using Clock = std::chrono::steady_clock;
using Stage = InterviewStage;

constexpr std::size_t unsent_events_bytes_max = 64 << 10;
constexpr int question_tokens_max = 400;  ///< some models count what they think
constexpr std::chrono::milliseconds replaced_limit{500};

/// One connection: a task that reads the client all the time, and one that does what the flow says next.
class Interview {
public:
    Interview(asio::any_io_executor executor, net::WebSocket& client, InterviewFlow& flow, const std::string& session_id, InterviewContext& context)
        : executor_(executor),
          client_(client),
          flow_(flow),
          session_id_(session_id),
          context_(context),
          changed_(executor),
          tasks_(executor, "interview")
    {
    }

    std::uint16_t close_code() const { return close_code_; }
    const std::string& close_reason() const { return close_reason_; }

    awaitable<void> run(std::stop_token leave)
    {
        flow_.begin();
        tasks_.spawn(read());
        tasks_.spawn(work());
        const auto on_leave = [this] {
            transcribing_.request_stop();
            end(1008, "replaced");
            // Whoever takes over does not wait for a connection that takes nothing any more.
            replaced_limit_.emplace(executor_, replaced_limit, [this] { client_.abort(); });
        };
        const auto on_drain = [this] { end(1001, "going_away"); };
        const std::stop_callback<std::function<void()>> left(std::move(leave), on_leave);
        const std::stop_callback<std::function<void()>> drained(context_.draining, on_drain);
        co_await tasks_.wait_all();
        replaced_limit_.reset();
    }

private:
    /// The first reason stays.
    void end(std::uint16_t close_code, std::string reason)
    {
        if (!ended_) {
            ended_ = true;
            close_code_ = close_code;
            close_reason_ = std::move(reason);
        }
        talking_.request_stop();
        changed_.notify();
    }

    void send_events()
    {
        for (const std::string& event : flow_.take_events()) send(event);
    }

    void send(const std::string& event)
    {
        context_.metrics.client_frames_out.add();
        context_.metrics.client_bytes_out.add(event.size());
        // A client that is gone is noticed by the reader.
        static_cast<void>(client_.send_text(event));
    }

    awaitable<void> read()
    {
        while (!work_over_) {
            const auto message = co_await client_.read();
            if (!message) {
                const Code code = message.error().code;
                if (code != Code::closed && code != Code::cancelled) context_.metrics.count_error(code);
                end(1000, {});
                co_return;
            }
            context_.metrics.client_frames_in.add();
            context_.metrics.client_bytes_in.add(message->bytes.size());
            if (message->binary)
                flow_.on_binary(message->bytes);
            else
                flow_.on_text(message->text());
            send_events();
            changed_.notify();
            if (client_.unsent_bytes() > unsent_events_bytes_max) co_await client_.sent();
        }
    }

    awaitable<void> work()
    {
        for (;;) {
            send_events();
            // An answer that is complete is transcribed whoever has left: only somebody who takes over does that anew.
            if (ended_ && (flow_.stage() != Stage::transcribing || transcribing_.stop_requested())) break;
            if (flow_.stage() == Stage::over) {
                end(flow_.close_code(), flow_.close_reason());
                break;
            }
            co_await step();
        }
        work_over_ = true;
        client_.cancel_read();
    }

    awaitable<void> step()
    {
        switch (flow_.stage()) {
        case Stage::asking: co_await ask(); break;
        case Stage::answering: co_await wait_for_answer(); break;
        case Stage::transcribing: co_await transcribe(); break;
        case Stage::thinking: co_await think(); break;
        case Stage::closing: co_await say_goodbye(); break;
        case Stage::over: break;
        }
    }

    awaitable<void> ask()
    {
        send(flow_.question_start_event());
        const std::string question = flow_.question();
        co_await say(question);
        if (ended_) co_return;
        send(R"({"type":"question_end"})");
        answer_deadline_ = Clock::now() + flow_.settings().answer_limit;
        flow_.on_question_spoken();
    }

    /// The words have been shown already: without a voice the interview goes on in writing.
    awaitable<void> say(std::string text)
    {
        const InterviewSettings& settings = flow_.settings();
        auto encoder = audio::create_reply_encoder(settings.format, settings.bitrate_kbps);
        if (!encoder) {
            report(encoder.error());
            co_return;
        }
        ChunkSink sink(client_, **encoder, settings.chunk_bytes, context_.metrics);
        engine::ReplyVoice voice = reply_voice(context_.interviewer.get(), *context_.roles.tts, settings.voice, settings.voice, settings.language);
        voice.speed *= settings.speed;
        if (!settings.model.empty()) voice.choice.model = settings.model;
        const auto spoken = co_await engine::speak_text(context_.roles.tts, std::move(text), std::move(voice), sink, talking_.get_token());
        if (ended_) co_return;
        const auto finished = sink.finish();
        if (!spoken)
            report(spoken.error());
        else if (!finished)
            report(finished.error());
        co_await client_.sent();
    }

    void report(const Error& error)
    {
        context_.metrics.count_error(error.code);
        log::warn("interview.failed", {{"session", session_id_}, {"code", name(error.code)}, {"message", error.message}});
        flow_.tell(error);
        send_events();
    }

    awaitable<void> wait_for_answer()
    {
        const bool in_time = co_await changed_.wait_until(answer_deadline_);
        if (!in_time && !ended_) flow_.on_answer_too_late();
    }

    awaitable<void> transcribe()
    {
        const InterviewSettings& settings = flow_.settings();
        const providers::StopAfter limit(executor_, settings.stage_limit, transcribing_.get_token());
        std::vector<providers::AudioClip> clips = flow_.clips();
        std::string text;
        for (providers::AudioClip& clip : clips) {
            providers::TranscribeRequest request;
            request.audio = std::move(clip);
            request.language = settings.language;
            request.choice = stt_choice(context_.interviewer.get());
            const auto transcript = co_await context_.roles.stt->transcribe(std::move(request), providers::TextSink(), limit.token());
            if (!transcript) {
                const Error error = limit.explain(transcript.error(), "Transcribing an answer (interview.stage_limit_ms)");
                if (error.code != Code::cancelled) {
                    context_.metrics.count_error(error.code);
                    log::warn("interview.failed", {{"session", session_id_}, {"code", name(error.code)}, {"message", error.message}});
                }
                answer_deadline_ = Clock::now() + settings.answer_limit;
                flow_.on_not_transcribed(error);
                co_return;
            }
            if (!text.empty() && !transcript->text.empty()) text += ' ';
            text += transcript->text;
        }
        flow_.on_transcript(std::move(text));
        context_.book.save(session_id_, flow_.state());
    }

    awaitable<void> think()
    {
        const providers::StopAfter limit(executor_, flow_.settings().stage_limit, talking_.get_token());
        providers::ChatRequest request;
        request.messages = question_prompt(flow_.settings(), flow_.state(), context_.interviewer.get());
        request.max_output_tokens = question_tokens_max;
        request.choice = llm_choice(context_.interviewer.get());
        std::string made;
        providers::ChatSink sink;
        sink.text = [&made](std::string_view delta) { made += delta; };
        sink.call = [](const providers::ToolCall&) {};
        const auto ended = co_await context_.roles.llm->chat(std::move(request), std::move(sink), limit.token());
        if (ended_) co_return;
        if (ended) {
            flow_.on_made_question(std::move(made));
            co_return;
        }
        const Error error = limit.explain(ended.error(), "Making a question (interview.stage_limit_ms)");
        context_.metrics.count_error(error.code);
        log::warn("interview.no_follow_up", {{"session", session_id_}, {"code", name(error.code)}, {"message", error.message}});
        flow_.on_made_question(std::nullopt);
    }

    awaitable<void> say_goodbye()
    {
        send(flow_.closing_event());
        const std::string line = flow_.closing_line();
        co_await say(line);
        flow_.on_closing_spoken();
        send_events();
        if (!ended_) co_await client_.sent();
    }

    asio::any_io_executor executor_;
    net::WebSocket& client_;
    InterviewFlow& flow_;
    const std::string& session_id_;
    InterviewContext& context_;
    std::stop_source talking_;       ///< speech and the making of questions: worth nothing without a listener
    std::stop_source transcribing_;  ///< only for a takeover
    std::optional<net::Deadline> replaced_limit_;
    Instant answer_deadline_ = Instant::max();
    bool ended_ = false;       ///< why the connection ends is known
    bool work_over_ = false;
    std::uint16_t close_code_ = 1000;
    std::string close_reason_;
    net::Signal changed_;
    net::TaskGroup tasks_;
};

/// Gives the session back whatever happens, also when the server's last second has come.
class Holding {
public:
    Holding(InterviewBook& book, InterviewFlow& flow, InterviewBook::Held held) : book_(book), flow_(flow), held_(std::move(held)) {}
    ~Holding() { give_back(); }
    Holding(const Holding&) = delete;
    Holding& operator=(const Holding&) = delete;

    void give_back()
    {
        if (std::exchange(given_back_, true)) return;
        held_.state = flow_.state();
        held_.parts = flow_.take_parts();
        book_.put_back(std::move(held_));
    }

private:
    InterviewBook& book_;
    InterviewFlow& flow_;
    InterviewBook::Held held_;
    bool given_back_ = false;
};

}  // namespace

awaitable<void> run_interview(net::WebSocket client, std::string session_id, InterviewContext context)
{
    const Instant began = Clock::now();
    const auto executor = co_await asio::this_coro::executor;
    auto held = co_await context.book.take(session_id);
    if (!held) {
        context.metrics.count_error(held.error().code);
        const std::string event =
            json::to_text(json::object{{"type", "error"}, {"message", held.error().message}, {"code", name(held.error().code)}});
        co_await client.write_text(event);
        const std::uint16_t close_code = held.error().code == Code::not_found ? 1008 : 1013;
        co_await client.close(close_code, std::string(name(held.error().code)));
        co_return;
    }
    const bool resumed = !held->state.exchanges.empty();
    if (resumed)
        context.metrics.interviews_resumed_total.add();
    else
        context.metrics.interviews_total.add();
    log::info("interview.start", {{"session", session_id}, {"peer", client.remote_address()}, {"resumed", resumed ? "yes" : "no"}});

    std::stop_token leave = held->leave;
    InterviewFlow flow(session_id, held->settings, held->state, std::exchange(held->parts, {}), context.roles.llm->reads_words());
    Holding holding(context.book, flow, std::move(*held));
    Interview interview(executor, client, flow, session_id, context);
    co_await interview.run(std::move(leave));
    holding.give_back();  // before the close, which may take long, and somebody may be waiting for the session
    co_await client.close(interview.close_code(), interview.close_reason());
    log::info("interview.end", {{"session", session_id},
                                {"close_reason", interview.close_reason()},
                                {"finished", flow.state().finished ? "yes" : "no"},
                                {"seconds", std::chrono::duration<double>(Clock::now() - began).count()}});
}

}  // namespace repartee::voice
