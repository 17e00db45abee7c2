#include "repartee/engine/local_upstream.hpp"

#include "repartee/base/log.hpp"
#include "repartee/engine/speech_pieces.hpp"
#include "repartee/realtime/append_event.hpp"

#include <chrono>
#include <deque>
#include <set>

namespace repartee::engine {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

std::int64_t unix_time_s()
{
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

constexpr milliseconds full_queue_pause{20};

}  // namespace

struct LocalUpstream::State : std::enable_shared_from_this<State> {
    State(asio::any_io_executor executor, std::string voice, std::string instructions, LocalRoles given_roles, const LocalSettings& given)
        : settings(given),
          roles(std::move(given_roles)),
          server(settings.model, std::move(voice), std::move(instructions), settings.limits, unix_time_s(), settings.transcription_only),
          event_waiting(executor),
          clock_changed(executor),
          room(executor),
          tasks(executor, "engine.local")
    {
    }

    /// Takes what the server has to say and starts the work it asks for.
    void drain();
    bool is_running(std::string_view response_id) const { return !closed && running.find(response_id) != running.end(); }
    void end()
    {
        closed = true;
        running.clear();
        event_waiting.notify();
        clock_changed.notify();
        room.notify();
    }
    awaitable<void> clock();
    awaitable<void> reply(ReplyRequest request);
    awaitable<void> transcribe(TranscriptionRequest request);
    Task<> speak(const ReplyRequest& request, std::string piece);

    LocalSettings settings;
    LocalRoles roles;
    RealtimeServer server;
    std::deque<std::string> events;
    std::size_t events_bytes = 0;
    std::string current;  ///< what receive() handed out
    std::string append_event;
    std::set<std::string, std::less<>> running;
    bool closed = false;
    net::Signal event_waiting, clock_changed, room;
    net::TaskGroup tasks;
};

void LocalUpstream::State::drain()
{
    RealtimeServer::Output output = server.take_output();
    for (std::string& event : output.events) {
        events_bytes += event.size();
        events.push_back(std::move(event));
    }
    for (const std::string& id : output.cancelled_responses) running.erase(id);
    for (ReplyRequest& request : output.replies) {
        running.insert(request.response_id);
        tasks.spawn(reply(std::move(request)));
    }
    for (TranscriptionRequest& request : output.transcriptions) tasks.spawn(transcribe(std::move(request)));
    if (!events.empty()) event_waiting.notify();
    clock_changed.notify();
}

// Wakes the server for what happens without an event: its idle time limit.
awaitable<void> LocalUpstream::State::clock()
{
    const auto self = shared_from_this();
    while (!closed) {
        const std::optional<Instant> tick = server.next_tick();
        if (!tick) {
            co_await clock_changed.wait();
            continue;
        }
        const bool changed = co_await clock_changed.wait_until(*tick);
        if (changed || closed) continue;
        server.on_tick(now());
        drain();
    }
}

Task<> LocalUpstream::State::speak(const ReplyRequest& request, std::string piece)
{
    auto executor = co_await asio::this_coro::executor;
    net::Signal pause{executor};
    while (is_running(request.response_id) && events.size() > settings.pending_events_max) {
        const Instant later = now() + full_queue_pause;
        co_await pause.wait_until(later);
    }
    server.on_reply_text(request.response_id, piece, now());
    drain();
    if (!request.audio) co_return Result<void>{};
    providers::SpeechRequest speech;
    speech.text = std::move(piece);
    speech.voice = request.voice;
    speech.language = roles.language;
    speech.speed = request.speed * roles.speed;
    speech.pitch = roles.pitch;
    auto sink = [&](std::span<const std::int16_t> samples) {
        server.on_reply_audio(request.response_id, samples, now());
        drain();
    };
    auto stop = [&] { return !is_running(request.response_id); };
    co_return co_await roles.tts->speak(std::move(speech), std::ref(sink), std::ref(stop));
}

awaitable<void> LocalUpstream::State::reply(ReplyRequest request)
{
    const auto self = shared_from_this();
    providers::ChatRequest chat;
    chat.messages.push_back({"system", request.instructions});
    for (const ContextMessage& message : request.context) chat.messages.push_back({message.role, message.text});
    chat.max_output_tokens = static_cast<int>(request.max_output_tokens);

    SpeechPieces pieces;
    std::size_t bytes = 0;
    auto sink = [&](std::string_view delta) {
        bytes += delta.size();
        if (bytes <= settings.reply_chars_max * 4) pieces.push(delta);
    };
    auto stop = [&] { return !is_running(request.response_id); };
    auto answered = co_await roles.llm->chat(std::move(chat), std::ref(sink), std::ref(stop));
    Result<void> outcome;
    if (!answered) outcome = answered.error();
    while (outcome && is_running(request.response_id)) {
        std::string piece = pieces.next(true);
        if (piece.empty()) break;
        outcome = co_await speak(request, std::move(piece));
    }
    if (!is_running(request.response_id)) co_return;
    running.erase(request.response_id);
    if (outcome)
        server.on_reply_done(request.response_id, now());
    else
        server.on_reply_failed(request.response_id, outcome.error(), now());
    drain();
}

awaitable<void> LocalUpstream::State::transcribe(TranscriptionRequest request)
{
    const auto self = shared_from_this();
    std::string language = request.language;
    if (language.empty()) language = roles.language;
    auto stop = [&] { return closed; };
    const auto text = co_await roles.stt->transcribe(std::move(request.samples), std::move(language), std::ref(stop));
    if (closed) co_return;
    if (text)
        server.on_transcript(request.item_id, *text, now());
    else
        server.on_transcription_failed(request.item_id, text.error(), now());
    drain();
}

LocalUpstream::LocalUpstream(asio::any_io_executor executor, std::string voice, std::string instructions, LocalRoles roles, const LocalSettings& settings)
    : state_(std::make_shared<State>(executor, std::move(voice), std::move(instructions), std::move(roles), settings))
{
    state_->drain();
    state_->tasks.spawn(state_->clock());
}

LocalUpstream::~LocalUpstream() { state_->end(); }

Task<std::string_view> LocalUpstream::receive()
{
    for (;;) {
        const auto event = try_receive();
        if (event) co_return *event;
        const bool more = co_await wait_event();
        if (!more) co_return Error{Code::closed, "The session is closed."};
    }
}

std::optional<std::string_view> LocalUpstream::try_receive()
{
    State& state = *state_;
    if (state.events.empty()) return std::nullopt;
    state.current = std::move(state.events.front());
    state.events.pop_front();
    state.events_bytes -= state.current.size();
    state.room.notify();
    return state.current;
}

awaitable<bool> LocalUpstream::wait_event()
{
    const auto state = state_;
    while (state->events.empty() && !state->closed) co_await state->event_waiting.wait();
    co_return !state->events.empty();
}

Result<void> LocalUpstream::post(std::string_view event)
{
    if (state_->closed) return Error{Code::closed, "The session is closed."};
    state_->server.on_client_event(event, now());
    state_->drain();
    return {};
}

Result<void> LocalUpstream::post_audio(std::span<const std::byte> first, std::span<const std::byte> second)
{
    std::string& event = state_->append_event;
    event.clear();
    realtime::build_append_event(first, second, event);
    return post(event);
}

/// Events are handled at the call; what holds a client up are the answers that it has not received.
std::size_t LocalUpstream::unsent_bytes() const
{
    return state_->events_bytes > state_->settings.pending_bytes_max ? state_->events_bytes : 0;
}

Task<> LocalUpstream::sent()
{
    const auto state = state_;
    while (!state->closed && state->events_bytes > state->settings.pending_bytes_max) co_await state->room.wait();
    if (state->closed) co_return Error{Code::closed, "The session is closed."};
    co_return Result<void>{};
}

awaitable<void> LocalUpstream::close()
{
    const auto state = state_;
    state->end();
    co_await state->tasks.wait_all();
}

LocalSource::LocalSource(asio::any_io_executor executor, LocalSettings settings, MakeRoles make_roles)
    : executor_(std::move(executor)), settings_(std::move(settings)), make_roles_(std::move(make_roles))
{
}

Task<upstream::Lease> LocalSource::lease(upstream::LeaseRequest request)
{
    LocalSettings settings = settings_;
    if (!request.model.empty()) settings.model = request.model;
    settings.transcription_only = request.transcription;
    std::string voice = "alloy";
    if (request.character) voice = request.character->openai_voice;
    upstream::Lease lease;
    lease.upstream = std::make_unique<LocalUpstream>(executor_, std::move(voice), std::string(), make_roles_(request.character.get()), settings);
    const auto created = co_await lease.upstream->receive();
    if (!created) co_return created.error();
    lease.session_created = std::string(*created);
    lease.warm = true;
    co_return std::move(lease);
}

awaitable<void> LocalSource::stop() { co_return; }

}  // namespace repartee::engine
