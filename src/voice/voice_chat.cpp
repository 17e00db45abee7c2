#include "repartee/voice/voice_chat.hpp"

#include "casting.hpp"
#include "lines.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/base/clock.hpp"
#include "repartee/base/log.hpp"
#include "repartee/characters/persona.hpp"
#include "repartee/engine/reply.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/providers/stop_after.hpp"
#include "repartee/voice/header_text.hpp"

#include <boost/asio/this_coro.hpp>

namespace repartee::voice {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds recall_limit{500};
constexpr int class_tokens_max = 16;
constexpr std::string_view class_prompt =
    "You sort what people say to a service. Answer with exactly one of these words and nothing else: general_question, complaint, order_status, "
    "other. order_status: about an order, a delivery or a refund under way. complaint: about something bad. general_question: any other question. "
    "other: the rest.";

store::StoredTurn turn(std::string role, std::string text, std::string label)
{
    return {std::move(role), std::move(text), std::move(label), unix_ms_now()};
}

}  // namespace

/// Shared by the request's owner, who takes bytes out, and by the task that makes them.
struct VoiceChat::State : engine::ReplySink {
    State(asio::any_io_executor executor, VoiceChatRequest asked, VoiceChatSettings configured, VoiceChatContext with, std::stop_token client_gone)
        : request(std::move(asked)),
          settings(std::move(configured)),
          context(std::move(with)),
          gone(std::move(client_gone)),
          began(Clock::now()),
          came(executor),
          room(executor),
          work(executor, "voice_chat"),
          helpers(executor, "voice_chat.class")
    {
        if (request.language.empty()) request.language = request.character ? request.character->language : settings.language;
        unsent_bytes_max = request.wait_for_text ? settings.answer_bytes_max : settings.unsent_bytes_max;
    }

    // --- the sink of the reply

    void on_text(std::string_view text) override
    {
        if (!text_known) texts.said += text;
    }

    void on_audio(std::span<const std::int16_t> samples) override
    {
        samples_made += samples.size();
        if (encoder_error) return;
        const auto encoded = encoder->encode(samples, unsent);
        if (!encoded) {
            encoder_error = encoded.error();
            stop.request_stop();
        }
        on_bytes();
    }

    void on_call(const providers::ToolCall&) override {}

    awaitable<void> wait_for_room() override
    {
        while (unsent.size() >= unsent_bytes_max && !over) {
            full = true;
            came.notify();
            co_await room.wait();
        }
    }

    // --- what the owner sees

    void on_bytes()
    {
        if (unsent.empty()) return;
        if (!began_to_sound) {
            began_to_sound = true;
            context.metrics.voice_chat_first_byte.observe(Clock::now() - began);
            settle_class();
        }
        came.notify();
    }

    /// The class as the headers say it; later words of the model about it are not waited for.
    void settle_class()
    {
        if (class_settled) return;
        class_settled = true;
        class_stop.request_stop();
        if (settings.classify == "off") return;
        if (model_class)
            texts.request_class = *model_class;
        else
            texts.request_class = texts.heard.empty() ? std::string_view("other") : classify_by_words(texts.heard);
    }

    bool ready() const
    {
        if (ended) return true;
        if (request.wait_for_text) return full;
        return began_to_sound;
    }

    void cancel() { stop.request_stop(); }

    VoiceChatRequest request;
    VoiceChatSettings settings;
    VoiceChatContext context;
    std::stop_token gone;
    std::stop_source stop, class_stop;
    const Instant began;

    std::unique_ptr<audio::ReplyEncoder> encoder;
    std::string unsent;
    std::size_t unsent_bytes_max = 0;
    std::uint64_t samples_made = 0;
    VoiceChatTexts texts;
    std::optional<std::string_view> model_class;
    bool text_known = false;  ///< it stands in `texts` already
    bool began_to_sound = false, class_settled = false, full = false, over = false, ended = false;
    std::optional<Error> error, encoder_error;

    net::Signal came;  ///< to the owner: bytes, or the end
    net::Signal room;  ///< to the maker: bytes were taken
    net::TaskGroup work, helpers;
};

namespace {

using State = VoiceChat::State;
using StatePointer = std::shared_ptr<State>;

bool asks_the_model(const State& state)
{
    if (state.settings.classify == "model") return true;
    return state.settings.classify == "auto" && state.context.roles.llm->reads_words();
}

awaitable<void> classify(StatePointer state)
{
    const auto executor = co_await asio::this_coro::executor;
    const providers::StopAfter limit(executor, state->settings.classify_limit, state->class_stop.get_token());
    providers::ChatRequest request;
    request.messages.push_back({"system", std::string(class_prompt)});
    request.messages.push_back({"user", state->texts.heard});
    request.max_output_tokens = class_tokens_max;
    request.temperature = 0.0;
    request.choice = llm_choice(state->request.character.get());
    std::string answer;
    providers::ChatSink sink;
    sink.text = [&answer](std::string_view delta) { answer += delta; };
    sink.call = [](const providers::ToolCall&) {};
    const auto ended = co_await state->context.roles.llm->chat(std::move(request), std::move(sink), limit.token());
    if (ended) state->model_class = read_class(answer);
}

engine::ReplyPlan plan_of(const State& state, const std::vector<store::StoredTurn>& history)
{
    const characters::Character* character = state.request.character.get();
    engine::ReplyPlan plan;
    std::string instructions = state.settings.instructions;
    if (character) instructions = characters::build_instructions(*character);
    if (instructions.empty()) instructions = default_agent(state.request.language);
    plan.chat.messages.push_back({"system", std::move(instructions)});
    for (const store::StoredTurn& said : history)
        if (said.role == "user" || said.role == "assistant") plan.chat.messages.push_back({said.role, said.text});
    plan.chat.messages.push_back({"user", state.texts.heard});
    plan.chat.script = script_of(character, state.request.language);
    plan.chat.choice = llm_choice(character);
    plan.voice = reply_voice(character, *state.context.roles.tts, state.request.voice, state.settings.voice, state.request.language);
    return plan;
}

Task<> answer(StatePointer state, std::stop_token stop)
{
    const auto history = co_await state->context.memory.recall(state->request.session_id, recall_limit);
    if (!history) co_return history.error();
    if (asks_the_model(*state)) state->helpers.spawn(classify(state));
    engine::ReplyPlan plan = plan_of(*state, *history);
    auto ended = co_await engine::run_reply(state->context.roles, std::move(plan), *state, stop);
    state->settle_class();
    co_await state->helpers.wait_all();
    // As far as it was spoken: what somebody heard is part of the conversation, however it ended.
    if (!state->texts.said.empty()) {
        std::vector<store::StoredTurn> turns;
        turns.push_back(turn("user", state->texts.heard, state->texts.request_class));
        turns.push_back(turn("assistant", state->texts.said, {}));
        state->context.memory.remember(state->request.session_id, std::move(turns));
    }
    if (!ended) co_return ended.error();
    if (state->texts.said.empty())
        co_return Error{Code::provider_failed, "The language model answered nothing. Try again, or check llm.model and its instructions."};
    co_return Result<void>();
}

Task<> apologise(StatePointer state, std::stop_token stop)
{
    std::string line = state->settings.fallback_line;
    if (line.empty()) line = not_understood_line(state->request.language);
    state->texts.said = line;
    state->texts.said_all = true;
    state->text_known = true;
    engine::ReplyVoice voice =
        reply_voice(state->request.character.get(), *state->context.roles.tts, state->request.voice, state->settings.voice, state->request.language);
    const auto spoken = co_await engine::speak_text(state->context.roles.tts, std::move(line), std::move(voice), *state, stop);
    if (!spoken) co_return spoken.error();
    co_return Result<void>();
}

Task<> hear_and_answer(StatePointer state, std::stop_token stop)
{
    providers::TranscribeRequest request;
    request.audio = std::move(state->request.audio);
    state->request.audio = {};
    request.language = state->request.language;
    request.choice = stt_choice(state->request.character.get());
    auto heard = co_await state->context.roles.stt->transcribe(std::move(request), providers::TextSink(), stop);
    if (!heard) co_return heard.error();
    state->texts.heard = std::move(heard->text);
    if (state->texts.heard.empty()) co_return co_await apologise(state, stop);
    co_return co_await answer(state, stop);
}

void finish_encoding(State& state)
{
    if (state.samples_made == 0 && state.error) return;
    const auto finished = state.encoder->finish(state.unsent);
    if (!finished && !state.error) state.error = finished.error();
}

awaitable<void> work(StatePointer state)
{
    const auto executor = co_await asio::this_coro::executor;
    const auto on_gone = [&state] { state->cancel(); };
    const std::stop_callback<std::function<void()>> gone(state->gone, on_gone);
    const providers::StopAfter limit(executor, state->settings.limit, state->stop.get_token());
    // The voice may be waiting for room just then.
    const auto on_stop = [&state] {
        state->over = true;
        state->room.notify();
    };
    const std::stop_callback<std::function<void()>> stopped(limit.token(), on_stop);
    const auto ended = co_await hear_and_answer(state, limit.token());
    if (state->encoder_error)
        state->error = state->encoder_error;
    else if (!ended)
        state->error = limit.explain(ended.error(), "The voice chat (voice_chat.limit_ms)");
    state->texts.said_all = !state->error;
    finish_encoding(*state);
    if (state->error) {
        state->context.metrics.count_error(state->error->code);
        if (state->error->code != Code::cancelled)
            log::warn("voice_chat.failed",
                      {{"session", state->request.session_id}, {"code", name(state->error->code)}, {"message", state->error->message}});
    }
    state->settle_class();
    state->ended = true;
    state->on_bytes();
    state->came.notify();
}

}  // namespace

VoiceChat::VoiceChat(std::shared_ptr<State> state) : state_(std::move(state)) {}
VoiceChat::VoiceChat(VoiceChat&&) noexcept = default;

VoiceChat::~VoiceChat()
{
    if (state_) state_->cancel();
}

awaitable<VoiceChat> VoiceChat::begin(VoiceChatRequest request, VoiceChatSettings settings, VoiceChatContext context, std::stop_token gone)
{
    const auto executor = co_await asio::this_coro::executor;
    auto state = std::make_shared<State>(executor, std::move(request), std::move(settings), std::move(context), std::move(gone));
    VoiceChat chat(state);
    state->context.metrics.voice_chats_total.add();
    if (state->request.audio.is_file() && state->request.audio.container == audio::Container::unknown) {
        state->error = Error{Code::invalid_audio, "The recording is of no known kind: send WAV, MP3, Ogg, WebM, M4A, FLAC or AAC.", "audio"};
        state->ended = true;
        co_return std::move(chat);
    }
    auto encoder = audio::create_reply_encoder(state->request.format, state->settings.bitrate_kbps);
    if (!encoder) {
        state->error = encoder.error();
        state->ended = true;
        co_return std::move(chat);
    }
    state->encoder = std::move(*encoder);
    state->work.spawn(work(state));
    while (!state->ready()) co_await state->came.wait();
    co_return std::move(chat);
}

std::optional<Error> VoiceChat::failure() const
{
    if (state_->began_to_sound || !state_->ended) return std::nullopt;
    return state_->error;
}

VoiceChatTexts VoiceChat::texts() const { return state_->texts; }

awaitable<bool> VoiceChat::pump(net::BodyWriter& to)
{
    const std::shared_ptr<State> state = state_;
    state->unsent_bytes_max = state->settings.unsent_bytes_max;
    bool sent_all = true;
    for (;;) {
        while (state->unsent.empty() && !state->ended) co_await state->came.wait();
        if (state->unsent.empty()) break;
        const std::string bytes = std::exchange(state->unsent, {});
        state->room.notify();
        const auto written = co_await to.write(bytes);
        if (written) continue;
        sent_all = false;
        state->cancel();
        break;
    }
    co_await state->work.wait_all();
    if (state->error || !sent_all) co_return false;
    to.add_trailer("X-Reply-Text", header_text(state->texts.said, trailer_text_bytes_max));
    co_return true;
}

Task<VoiceChat::Whole> VoiceChat::finish()
{
    const std::shared_ptr<State> state = state_;
    Whole whole;
    bool too_large = false;
    for (;;) {
        while (state->unsent.empty() && !state->ended) co_await state->came.wait();
        if (state->unsent.empty()) break;
        const std::string bytes = std::exchange(state->unsent, {});
        state->room.notify();
        if (whole.audio.size() + bytes.size() > state->settings.answer_bytes_max) {
            too_large = true;
            state->cancel();
            break;
        }
        whole.audio += bytes;
    }
    co_await state->work.wait_all();
    if (too_large)
        co_return Error{Code::too_large, "The spoken answer is too long to be handed out as a whole. Ask for audio, which comes as it is made."};
    if (state->error) co_return *state->error;
    whole.texts = state->texts;
    whole.duration_ms = static_cast<std::int64_t>(state->samples_made * 1000 / audio::realtime_hz);
    co_return whole;
}

}  // namespace repartee::voice
