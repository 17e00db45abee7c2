#include "repartee/engine/reply.hpp"

#include "reply_pieces.hpp"
#include "repartee/base/quoted.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/net/task_group.hpp"

#include <boost/asio/this_coro.hpp>

#include <exception>
#include <stop_token>
#include <utility>
#include <vector>

namespace repartee::engine {
namespace {

// A provider bounds its answers too; these are for one that does not.
constexpr std::size_t calls_max = 64;
constexpr std::size_t call_bytes_max = 256 << 10;

/// Notes which of a reply's outputs there was, on the way to its sink.
class CountingSink final : public ReplySink {
public:
    explicit CountingSink(ReplySink& sink) : sink_(sink) {}

    void on_text(std::string_view text) override
    {
        said_anything = true;
        sink_.on_text(text);
    }
    void on_audio(std::span<const std::int16_t> samples) override
    {
        said_anything = true;
        sink_.on_audio(samples);
    }
    void on_call(const providers::ToolCall& call) override { sink_.on_call(call); }
    awaitable<void> wait_for_room() override { return sink_.wait_for_room(); }

    bool said_anything = false;

private:
    ReplySink& sink_;
};

/// One reply: the model's side of it, and what has become of the whole.
class Reply : public std::enable_shared_from_this<Reply> {
public:
    Reply(asio::any_io_executor executor, providers::Roles roles, ReplyPlan plan, ReplySink& sink)
        : roles_(std::move(roles)), plan_(std::move(plan)), sink_(sink), pieces_(plan_.rules), thinking_(executor, "engine.reply")
    {
        if (plan_.voice) {
            PieceSpeaker::Events events;
            events.on_sound = [this] { limit_.reset(); };
            events.on_failure = [this](const Error& error) { fail(error); };
            speaker_.emplace(executor, roles_.tts, *plan_.voice, plan_.ahead, sink_, std::move(events));
        }
        if (plan_.first_output_limit.count() > 0) limit_.emplace(executor, plan_.first_output_limit, [this] { on_too_late(); });
    }

    /// From outside, at any moment.
    void stop() { halt(Error{Code::cancelled, "The reply was stopped."}); }

    Task<ReplyEnd> run()
    {
        const auto self = shared_from_this();
        if (!halted_ && speaker_) {
            thinking_.spawn(think());
            co_await speak();
            co_await thinking_.wait_all();
        } else if (!halted_) {
            co_await think();
        }
        limit_.reset();
        for (const providers::ToolCall& call : calls_) {
            if (failure_) break;
            sink_.on_call(call);
        }
        if (failure_) co_return *failure_;
        end_.said_anything = sink_.said_anything;
        co_return std::move(end_);
    }

private:
    awaitable<void> think();
    awaitable<void> speak();
    void on_delta(std::string_view delta);
    void on_call(const providers::ToolCall& call);
    void on_model_end(const Result<providers::ChatResult>& answered);
    void take_pieces(bool end_of_reply);
    void on_too_late();
    /// Only the first failure is told. What was written before it may still be spoken.
    void fail(Error error)
    {
        if (!failure_) failure_ = std::move(error);
        model_stop_.request_stop();
    }
    void halt(Error error)
    {
        // A person who interrupts is the reason from then on, whatever had broken before.
        if (error.code == Code::cancelled) failure_ = error;
        halted_ = true;
        fail(std::move(error));
        if (speaker_) speaker_->stop();
    }

    providers::Roles roles_;
    ReplyPlan plan_;
    CountingSink sink_;
    SpeechPieces pieces_;
    std::optional<PieceSpeaker> speaker_;  ///< none: text only
    std::stop_source model_stop_;
    std::size_t text_bytes_ = 0, call_bytes_ = 0;
    bool full_ = false;    ///< the model has said enough
    bool halted_ = false;  ///< nothing goes out any more
    std::vector<providers::ToolCall> calls_;
    ReplyEnd end_;
    std::optional<Error> failure_;
    net::TaskGroup thinking_;
    std::optional<net::Deadline> limit_;
};

awaitable<void> Reply::think()
{
    const auto self = shared_from_this();
    providers::ChatSink sink;
    sink.text = [this](std::string_view delta) { on_delta(delta); };
    sink.call = [this](const providers::ToolCall& call) { on_call(call); };
    providers::ChatRequest request = std::move(plan_.chat);
    providers::Stop stop = model_stop_.get_token();
    std::string broke;
    try {
        const auto answered = co_await roles_.llm->chat(std::move(request), std::move(sink), std::move(stop));
        on_model_end(answered);
        co_return;
    } catch (const std::exception& exception) {
        broke = exception.what();
    }
    on_model_end(Error{Code::internal, "The language model broke off: " + broke});
}

awaitable<void> Reply::speak()
{
    const auto self = shared_from_this();
    std::string broke;
    try {
        const auto spoken = co_await speaker_->hand_out();
        if (spoken) end_.speech = *spoken;
        co_return;
    } catch (const std::exception& exception) {
        broke = exception.what();
    }
    halt(Error{Code::internal, "The reply broke off: " + broke});
}

void Reply::on_delta(std::string_view delta)
{
    if (full_ || failure_ || delta.empty()) return;
    const std::string_view fits = utf8_prefix(delta, plan_.text_bytes_max - text_bytes_);
    text_bytes_ += fits.size();
    full_ = fits.size() < delta.size();
    if (!fits.empty() && speaker_) {
        pieces_.push(fits);
        take_pieces(false);
    } else if (!fits.empty()) {
        limit_.reset();
        sink_.on_text(fits);
    }
    if (full_) model_stop_.request_stop();
}

void Reply::on_call(const providers::ToolCall& call)
{
    if (full_ || failure_) return;
    limit_.reset();
    call_bytes_ += call.name.size() + call.arguments.size();
    if (calls_.size() == calls_max || call_bytes_ > call_bytes_max)
        return fail(Error{Code::too_large, "The language model calls more functions at once than are taken (64 calls, 256 KiB). Offer fewer."});
    calls_.push_back(call);
}

void Reply::on_model_end(const Result<providers::ChatResult>& answered)
{
    if (answered) end_.chat = *answered;
    else if (full_) end_.chat.finish_reason = "length";
    else fail(answered.error());
    if (!speaker_) return;
    take_pieces(!failure_);
    speaker_->finish();
}

void Reply::take_pieces(bool end_of_reply)
{
    while (auto piece = pieces_.next(end_of_reply)) speaker_->add(std::move(*piece));
}

void Reply::on_too_late()
{
    halt(Error{Code::timeout, "Nothing of the reply came within " + std::to_string(plan_.first_output_limit.count()) +
                                  " ms. Look in the log at which service is slow, or allow more time."});
}

}  // namespace

Task<ReplyEnd> run_reply(providers::Roles roles, ReplyPlan plan, ReplySink& sink, providers::Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto reply = std::make_shared<Reply>(executor, std::move(roles), std::move(plan), sink);
    const std::stop_callback on_stop(stop, [&] { reply->stop(); });
    co_return co_await reply->run();
}

Task<providers::SpeechUsage> speak_text(std::shared_ptr<providers::TextToSpeech> tts, std::string text, ReplyVoice voice, ReplySink& sink,
                                        providers::Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    PieceSpeaker speaker(executor, std::move(tts), std::move(voice), 1, sink, PieceSpeaker::Events());
    const std::stop_callback on_stop(stop, [&] { speaker.stop(); });
    SpeechPieces pieces;
    pieces.push(text);
    for (const bool all : {false, true})
        while (auto piece = pieces.next(all)) speaker.add(std::move(*piece));
    speaker.finish();
    auto spoken = co_await speaker.hand_out();
    if (stop.stop_requested()) co_return Error{Code::cancelled, "The speech was stopped."};
    co_return spoken;
}

}  // namespace repartee::engine
