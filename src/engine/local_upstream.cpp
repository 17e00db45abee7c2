#include "local_state.hpp"
#include "repartee/realtime/append_event.hpp"

#include <algorithm>

namespace repartee::engine {
namespace {

std::int64_t unix_time_s()
{
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

LocalUpstream::State::State(asio::any_io_executor given_executor, std::string voice, std::string instructions, LocalRoles given_roles,
                            const LocalSettings& given)
    : executor(std::move(given_executor)),
      settings(given),
      roles(std::move(given_roles)),
      server(settings.model, std::move(voice), std::move(instructions), settings.limits, unix_time_s(), settings.transcription_only),
      event_waiting(executor),
      clock_changed(executor),
      room(executor),
      tasks(executor, "engine.local")
{
    server.transcribe_every_turn(reads_words());
}

void LocalUpstream::State::drain()
{
    RealtimeServer::Output output = server.take_output();
    // First of all, so that nothing is made, and paid for, that nobody will hear.
    for (const std::string& id : output.cancelled_responses) {
        const auto cancelled = turns.find(id);
        if (cancelled == turns.end()) continue;
        const std::shared_ptr<LocalTurn> turn = cancelled->second;
        turns.erase(cancelled);
        turn->end();
    }
    for (std::string& event : output.events) {
        events_bytes += event.size();
        events.push_back(std::move(event));
    }
    for (TranscriptionRequest& request : output.transcriptions) queue_transcription(std::move(request));
    for (ReplyRequest& request : output.replies) {
        const auto& cancelled = output.cancelled_responses;
        if (std::find(cancelled.begin(), cancelled.end(), request.response_id) != cancelled.end()) continue;
        auto turn = std::make_shared<LocalTurn>(executor, std::move(request));
        turns.emplace(turn->request.response_id, turn);
        tasks.spawn(reply(std::move(turn)));
    }
    if (!events.empty()) event_waiting.notify();
    clock_changed.notify();
}

void LocalUpstream::State::end()
{
    closed = true;
    closing.request_stop();
    for (const auto& [id, turn] : std::exchange(turns, {})) turn->end();
    waiting.clear();
    event_waiting.notify();
    clock_changed.notify();
    room.notify();
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
        server.on_tick(clock_now());
        drain();
    }
}

std::string_view LocalUpstream::State::next_event()
{
    current = std::move(events.front());
    events.pop_front();
    events_bytes -= current.size();
    room.notify();
    if (events.size() == settings.pending_events_max)
        for (const auto& [id, turn] : turns) turn->changed.notify();
    return current;
}

LocalUpstream::LocalUpstream(asio::any_io_executor executor, std::string voice, std::string instructions, LocalRoles roles,
                             const LocalSettings& settings)
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
        if (!more && !state_->closed) co_return Error{Code::cancelled, "Stopped by its owner."};
        if (!more) co_return Error{Code::closed, "The session is closed."};
    }
}

std::optional<std::string_view> LocalUpstream::try_receive()
{
    if (state_->events.empty()) return std::nullopt;
    return state_->next_event();
}

awaitable<bool> LocalUpstream::wait_event()
{
    const auto state = state_;
    while (state->events.empty() && !state->closed && !state->receive_cancelled) co_await state->event_waiting.wait();
    const bool cancelled = std::exchange(state->receive_cancelled, false);
    co_return !cancelled && !state->events.empty();
}

void LocalUpstream::cancel_receive()
{
    state_->receive_cancelled = true;
    state_->event_waiting.notify();
}

Result<void> LocalUpstream::post(std::string_view event)
{
    if (state_->closed) return Error{Code::closed, "The session is closed."};
    state_->server.on_client_event(event, clock_now());
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
    co_return Result<void>();
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
