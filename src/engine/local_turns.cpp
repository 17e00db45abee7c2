#include "local_state.hpp"
#include "repartee/engine/chat_prompt.hpp"

#include <algorithm>
#include <limits>

namespace repartee::engine {
namespace {

/// What goes from a reply to the server. A stopped reply says nothing any more, so its response is still there.
class TurnSink final : public ReplySink {
public:
    TurnSink(RealtimeServer& server, LocalTurn& turn, std::function<void()> drain, std::function<bool()> has_room)
        : server_(server), turn_(turn), drain_(std::move(drain)), has_room_(std::move(has_room))
    {
    }

    void on_text(std::string_view text) override
    {
        server_.on_reply_text(turn_.request.response_id, text, clock_now());
        drain_();
    }
    void on_audio(std::span<const std::int16_t> samples) override
    {
        server_.on_reply_audio(turn_.request.response_id, samples, clock_now());
        drain_();
    }
    void on_call(const providers::ToolCall& call) override
    {
        server_.on_reply_function_call(turn_.request.response_id, call.name, call.arguments, clock_now());
        drain_();
    }
    awaitable<void> wait_for_room() override
    {
        while (!has_room_() && !turn_.stop.stop_requested()) co_await turn_.changed.wait();
    }

private:
    RealtimeServer& server_;
    LocalTurn& turn_;
    std::function<void()> drain_;
    std::function<bool()> has_room_;
};

}  // namespace

ReplyPlan LocalUpstream::State::plan_of(const LocalTurn& turn, Instant deadline) const
{
    const ReplyRequest& request = turn.request;
    ReplyPlan plan;
    plan.chat.messages = chat_messages(request.instructions, request.context, settings.context_tokens_max);
    plan.chat.tools = request.tools;
    plan.chat.tool_choice = request.tool_choice;
    plan.chat.max_output_tokens = static_cast<int>(std::min<std::int64_t>(request.max_output_tokens, std::numeric_limits<int>::max()));
    plan.chat.script = roles.script;
    plan.chat.choice = roles.llm_choice;
    if (request.audio) {
        plan.voice.emplace();
        plan.voice->voice = roles.voice_id.empty() ? request.voice : roles.voice_id;
        plan.voice->language = roles.language;
        plan.voice->speed = request.speed * roles.speed;
        plan.voice->pitch = roles.pitch;
        plan.voice->choice = roles.tts_choice;
    }
    plan.rules = settings.pieces;
    plan.ahead = settings.pieces_ahead;
    plan.text_bytes_max = settings.reply_chars_max * 4;
    plan.first_output_limit = std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(deadline - clock_now()));
    return plan;
}

Task<ReplyEnd> LocalUpstream::State::answer(std::shared_ptr<LocalTurn> turn)
{
    const auto self = shared_from_this();
    const Instant deadline = clock_now() + settings.turn_limit;
    if (reads_words()) {
        const auto heard = co_await hear(turn, deadline);
        if (!heard) co_return heard.error();
        const auto understood = was_understood(*turn);
        if (!understood) co_return understood.error();
        if (!*understood) co_return ReplyEnd();
    }
    ReplyPlan plan = plan_of(*turn, deadline);
    TurnSink sink(server, *turn, [this] { drain(); }, [this] { return has_room(); });
    providers::Stop stop = turn->stop.get_token();
    co_return co_await run_reply(roles.services, std::move(plan), sink, std::move(stop));
}

awaitable<void> LocalUpstream::State::reply(std::shared_ptr<LocalTurn> turn)
{
    const auto self = shared_from_this();
    const auto end = co_await answer(turn);
    if (turn->stop.stop_requested()) co_return;
    const std::string& id = turn->request.response_id;
    turns.erase(id);
    if (!end) {
        server.on_reply_failed(id, end.error(), clock_now());
        if (settings.on_turn_failed) settings.on_turn_failed(end.error());
    } else {
        if (end->chat.usage.told) server.on_reply_usage(id, end->chat.usage.input_tokens, end->chat.usage.output_tokens);
        server.on_reply_done(id, clock_now());
    }
    drain();
}

}  // namespace repartee::engine
