#include "conversation_relay.hpp"

#include "repartee/base/log.hpp"
#include "repartee/realtime/server_event.hpp"

namespace repartee::relay {
namespace {

constexpr milliseconds drain_poll{50};

}  // namespace

ConversationRelay::ConversationRelay(asio::any_io_executor executor, net::WebSocket client, ConversationPlan&& plan, Metrics& metrics)
    : executor_(executor),
      client_(std::make_shared<net::WebSocket>(std::move(client))),
      metrics_(metrics),
      source_(*plan.source),
      next_request_(std::move(plan.next)),
      session_limit_(plan.session_limit),
      recovery_(plan.recovery),
      last_words_(std::move(plan.last_words)),
      speak_(std::move(plan.speak)),
      session_(std::move(plan.session), metrics, now()),
      for_upstream_(executor),
      for_client_(executor),
      room_(executor),
      uplink_room_(executor),
      client_change_(executor),
      retry_(executor),
      rotation_(executor),
      over_(executor),
      loops_(executor, "relay.conversation", [this] { stop(); }),
      waiting_(std::move(plan.waiting))
{
    take_upstream(std::move(plan.lease));
}

awaitable<void> ConversationRelay::run()
{
    expect_return();
    begin_session();
    pump_client(now());  // session.created, before the persona goes the other way
    session_.begin_record(now());
    loops_.spawn(serve_clients());
    loops_.spawn(write_upstream());
    loops_.spawn(serve_upstreams());
    loops_.spawn(write_client());
    if (session_.rotate_at()) loops_.spawn(rotate());
    co_await over_.wait();
    if (upstream_) co_await upstream_->close();
    if (ahead_) co_await ahead_->upstream->close();
    co_await loops_.wait_all();
    session_.close(now());
}

void ConversationRelay::drain()
{
    session_.drain();
    draining_ = true;
    if (!client_here_) stop();
    for_client_.notify();
}

void ConversationRelay::pump(Instant at)
{
    pump_upstream(at);
    pump_client(at);
    if (upstream_ && upstream_->unsent_bytes() > 0) for_upstream_.notify();
    const auto& tick = session_.next_tick();
    const bool wakes_too_late = (client_next_ && *client_next_ < writer_wakes_at_) || (tick && *tick < writer_wakes_at_);
    const bool writer_is_needed = client_->unsent_bytes() > 0 || session_.ending() || wakes_too_late;
    if (writer_is_needed) for_client_.notify();
}

bool ConversationRelay::pump_upstream(Instant at)
{
    using Kind = conversation::Uplink::Next::Kind;
    if (!upstream_) return false;
    Result<void> posted;
    while (posted && upstream_->unsent_bytes() == 0) {
        const auto next = session_.next_for_upstream(at);
        if (next.kind == Kind::nothing) break;
        posted = next.kind == Kind::audio ? upstream_->post_audio(next.audio[0], next.audio[1]) : upstream_->post(next.event);
    }
    if (session_.can_take_client_audio()) uplink_room_.notify();
    return posted.has_value();
}

void ConversationRelay::pump_client(Instant at)
{
    using Kind = conversation::Downlink::Next::Kind;
    client_next_.reset();
    while (client_here_ && client_sent_ && client_->unsent_bytes() == 0) {
        const auto next = session_.next_for_client(at);
        if (next.kind == Kind::nothing) {
            client_next_ = next.wake_at;
            break;
        }
        metrics_.client_frames_out.add();
        metrics_.client_bytes_out.add(next.kind == Kind::binary ? next.binary.size() : next.text.size());
        client_sent_ = next.kind == Kind::binary ? client_->send_binary(next.binary) : client_->send_text(next.text);
    }
    if (session_.can_take_upstream()) room_.notify();
}

awaitable<void> ConversationRelay::write_upstream()
{
    while (!stopping_) {
        const std::shared_ptr<upstream::Upstream> upstream = upstream_;
        const bool taken = pump_upstream(now());
        if (taken && upstream->unsent_bytes() > 0)
            co_await upstream->sent();
        else
            co_await for_upstream_.wait();
    }
}

awaitable<void> ConversationRelay::write_client()
{
    while (!stopping_) {
        const Instant at = now();
        if (const auto tick = session_.next_tick(); tick && at >= *tick) {
            session_.on_tick(at);
            for_upstream_.notify();  // what is due may be the service's
        }
        pump_client(at);
        const std::shared_ptr<net::WebSocket> client = client_;
        if (client_here_ && client_sent_ && client->unsent_bytes() > 0) {
            const auto sent = co_await client->sent();
            if (client == client_) client_sent_ = sent;
            if (sent) continue;
        }
        if (client_here_ && !client_sent_) {
            note_client_end(client_sent_.error());
            client_here_ = false;
            client_->cancel_read();  // serve_clients sees to what follows
            uplink_room_.notify();
            if (!waiting_) break;
        }
        if (session_.ending() && !client_next_) break;  // what the loudspeaker was promised is still sent
        co_await wait_for_more();
    }
    const std::shared_ptr<net::WebSocket> client = client_;
    if (const auto ending = session_.ending())
        co_await client->close(ending->close_code, ending->reason);
    else
        co_await client->close(1000, {});
    if (client_ != client) co_await end_late(client_);
    stop();
}

awaitable<void> ConversationRelay::end_late(std::shared_ptr<net::WebSocket> client)
{
    const conversation::Ending end = session_.ending().value_or(conversation::Ending{1000, {}});
    co_await client->close(end.close_code, end.reason);
}

awaitable<void> ConversationRelay::wait_for_more()
{
    const Instant at = now();
    const auto tick = session_.wake_at(at);
    writer_wakes_at_ = client_next_.value_or(Instant::max());
    if (draining_ && !client_next_) writer_wakes_at_ = at + drain_poll;  // the loudspeaker falls silent without an event
    if (tick) writer_wakes_at_ = std::min(writer_wakes_at_, *tick);
    if (writer_wakes_at_ == Instant::max())
        co_await for_client_.wait();
    else
        co_await for_client_.wait_until(writer_wakes_at_);
}

void ConversationRelay::note_client_end(const Error& error)
{
    if (error.code == Code::closed || error.code == Code::cancelled) return;
    metrics_.count_error(error.code);
    log::info("session.client_error", {{"session", session_.id()}, {"code", name(error.code)}, {"message", error.message}});
}

void ConversationRelay::stop()
{
    stopping_ = true;
    if (waiting_) waiting_->withdraw();
    if (returned_)
        loops_.spawn(refuse(std::move(std::exchange(returned_, std::nullopt)->client),
                            {Code::resume_refused, "The conversation has just ended. Begin a new one: connect without ?resume=.", "resume"}, 1011));
    client_->cancel_read();
    for (net::Signal* signal : {&for_upstream_, &for_client_, &room_, &uplink_room_, &client_change_, &retry_, &rotation_, &over_}) signal->notify();
}

awaitable<void> run_conversation(net::WebSocket client, std::unique_ptr<ConversationPlan> plan, Registry& registry, Metrics& metrics)
{
    const std::string id = plan->session.id;
    const Instant began = std::chrono::steady_clock::now();
    log::info("session.start", {{"session", id},
                                {"character", plan->session.character_id},
                                {"peer", client.remote_address()},
                                {"upstream", plan->lease.upstream->peer_name()},
                                {"warm", plan->lease.warm ? "yes" : "no"}});
    auto executor = co_await asio::this_coro::executor;
    ConversationRelay relay(executor, std::move(client), std::move(*plan), metrics);
    plan.reset();
    const Registry::Entry entry(registry, [&relay] { relay.drain(); });
    co_await relay.run();
    log::info("session.end", {{"session", id}, {"seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count()}});
}

awaitable<void> refuse(net::WebSocket client, Error error, std::uint16_t close_code)
{
    log::info("session.refused", {{"code", name(error.code)}, {"message", error.message}});
    const std::string event = realtime::error_event(error);
    co_await client.write_text(event);
    std::string reason(name(error.code));
    co_await client.close(close_code, std::move(reason));
}

}  // namespace repartee::relay
