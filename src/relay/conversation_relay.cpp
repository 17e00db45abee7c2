#include "repartee/base/log.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/realtime/server_event.hpp"
#include "repartee/relay/relay.hpp"
#include "repartee/upstream/breaker.hpp"

#include <random>

namespace repartee::relay {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

constexpr milliseconds drain_poll{50};
constexpr milliseconds quiet_poll{20};
constexpr milliseconds answer_grace{200};
constexpr milliseconds rotation_retry{5'000};
constexpr milliseconds ahead_waits_max{10'000};

// A burst goes on in parts: what the client's socket would take must not count as waiting for a slow client.
constexpr int burst_events_max = 8;

/// The loops of one conversation. Lives in run_conversation's frame, which waits for all of them.
class ConversationRelay {
public:
    ConversationRelay(asio::any_io_executor executor, net::WebSocket client, ConversationPlan&& plan, Metrics& metrics)
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

    awaitable<void> run()
    {
        expect_return();
        begin_session();
        pump_client(now());  // session.created, before the persona goes the other way
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

    void drain()
    {
        session_.drain();
        draining_ = true;
        if (!client_here_) stop();
        for_client_.notify();
    }

private:
    // The readers also send what their side's arrival has brought about, in the same breath: no queue, no switch to another coroutine. The writers
    // have the rest: what a full socket left behind, and what the pacer lets go later.

    // ── the client: one connection after another ──

    awaitable<void> serve_clients()
    {
        for (bool there = true; there && !stopping_;) {
            co_await read_client(client_);
            if (stopping_) break;
            there = co_await client_comes_back();
        }
        stop();
    }

    awaitable<void> read_client(std::shared_ptr<net::WebSocket> client)
    {
        for (bool open = true; open;) {
            const Instant at = now();
            // What has come together goes on together.
            while (const auto message = client->take()) {
                heard_client_ = true;
                metrics_.client_frames_in.add();
                metrics_.client_bytes_in.add(message->bytes.size());
                if (!message->binary) {
                    if (!session_.can_take_client_event(message->text())) {
                        const bool fits = co_await room_for(*client, message->text());
                        if (!fits) {
                            open = false;
                            break;
                        }
                    }
                    session_.on_client_event(message->text(), at);
                } else if (const auto rest = take_audio(message->bytes, at); !rest.empty()) {
                    const bool taken = co_await take_rest(*client, rest);
                    if (!taken) co_return;
                }
            }
            pump(at);
            while (open && !client->receive()) {
                // Back on another connection: what it said on this one has come before.
                if (returned_) co_return;
                const bool readable = co_await client->wait_readable();
                open = readable || returned_;
            }
        }
        if (stopping_ || returned_) co_return;
        const auto end = co_await client->read();
        if (!end) note_client_end(end.error());
        const bool broke_the_rules = !end && (end.error().code == Code::protocol || end.error().code == Code::too_large);
        client_is_done_ = broke_the_rules || client->close_code() == 1000 || client->close_code() == 1005;
    }

    /// In pieces, while there is room. Returns what it had no room for: a client may send a whole file in one frame.
    std::span<const std::byte> take_audio(std::span<const std::byte> pcm, Instant at)
    {
        while (!pcm.empty() && session_.can_take_client_audio()) {
            const auto piece = pcm.first(std::min(pcm.size(), session_.client_piece_bytes()));
            session_.on_client_audio(piece, at);
            pcm = pcm.subspan(piece.size());
        }
        return pcm;
    }

    /// Waits until the event fits. The client is held back by TCP meanwhile. False: it is gone, or back on another connection.
    awaitable<bool> room_for(const net::WebSocket& client, std::string_view event)
    {
        pump(now());
        const auto is_there = [&] { return !stopping_ && !returned_ && client_here_ && client.is_open(); };
        while (is_there() && !session_.can_take_client_event(event)) co_await uplink_room_.wait();
        co_return is_there();
    }

    /// The client is held back by TCP meanwhile. False: it is back on another connection before there was room for all.
    awaitable<bool> take_rest(const net::WebSocket& client, std::span<const std::byte> pcm)
    {
        while (!stopping_ && !returned_ && client_here_ && !pcm.empty()) {
            pump(now());
            if (!session_.can_take_client_audio()) co_await uplink_room_.wait();
            if (!client.is_open()) break;  // then the bytes are no longer ours
            pcm = take_audio(pcm, now());
        }
        co_return pcm.empty() || !returned_;
    }

    /// False: it does not.
    awaitable<bool> client_comes_back()
    {
        const bool may_wait = waiting_ && !client_is_done_ && !session_.ending() && !draining_;
        if (!returned_ && !may_wait) co_return false;
        client_here_ = false;
        session_.on_client_lost(now());
        if (!returned_) {
            log::info("session.client_lost", {{"session", session_.id()}});
            waiting_->client_lost(heard_client_);
            while (!stopping_ && !returned_) co_await client_change_.wait();
        }
        if (stopping_ || !returned_) co_return false;
        loops_.spawn(close_old(std::exchange(client_, std::make_shared<net::WebSocket>(std::move(returned_->client)))));
        const auto position = std::exchange(returned_, std::nullopt)->position;
        session_.offer_resume(waiting_->issue_token(), waiting_->window());
        session_.on_client_back(position, now());
        metrics_.resumes_total.add();
        log::info("session.client_back", {{"session", session_.id()}, {"peer", client_->remote_address()}});
        client_sent_ = {};
        client_here_ = true;
        heard_client_ = false;
        pump(now());
        for_client_.notify();
        co_return true;
    }

    awaitable<void> close_old(std::shared_ptr<net::WebSocket> client)
    {
        // What it has not taken would only hold up the new one.
        if (client->unsent_bytes() > 0)
            client->abort();
        else
            co_await client->close(4001, "resumed_elsewhere");
    }

    void expect_return()
    {
        if (!waiting_) return;
        session_.offer_resume(waiting_->issue_token(), waiting_->window());
        waiting_->on_return = [this](Return back) {
            returned_ = std::move(back);
            client_->cancel_read();
            uplink_room_.notify();
            client_change_.notify();
        };
        waiting_->on_given_up = [this](Waiting::GivenUp why) {
            log::info("session.given_up", {{"session", session_.id()}, {"reason", why == Waiting::GivenUp::window_over ? "window_over" : "place_wanted"}});
            stop();
        };
    }

    // ── the upstream: one after another ──

    void take_upstream(upstream::Lease lease)
    {
        session_.on_upstream_age(lease.age, now());
        upstream_ = std::move(lease.upstream);
        session_created_ = std::move(lease.session_created);
        source_index_ = lease.source;
    }

    void begin_session()
    {
        session_.on_upstream_event(session_created_, now());
        std::string().swap(session_created_);  // not kept for the length of a conversation
    }

    awaitable<void> serve_upstreams()
    {
        for (bool there = true; there && !stopping_;) {
            const Error end = co_await read_upstream(upstream_);
            if (stopping_) break;
            loops_.spawn(close_upstream(std::exchange(upstream_, nullptr)));
            if (ahead_) {
                session_.rotate(now());
                take_upstream(*std::exchange(ahead_, std::nullopt));
                rotation_.notify();
            } else {
                session_.on_upstream_lost(end, now());
                pump_client(now());
                there = session_.wants_upstream();
                if (there) there = co_await find_upstream(end);
            }
            if (there && !stopping_) begin_session();
            pump(now());
        }
        for_client_.notify();
    }

    /// Until it ends, or another one takes its place. Returns why it ended.
    awaitable<Error> read_upstream(std::shared_ptr<upstream::Upstream> upstream)
    {
        bool late = false;
        std::optional<net::Deadline> start;
        start.emplace(executor_, session_limit_, [&] {
            late = true;
            upstream->cancel_receive();
        });
        pump(now());
        for (bool open = true; open && !stopping_;) {
            const Instant at = now();
            bool more = true;
            for (int taken = 0; taken < burst_events_max && more && session_.can_take_upstream(); ++taken) {
                const auto event = upstream->try_receive();
                if (event) session_.on_upstream_event(*event, at);
                more = event.has_value();
            }
            pump(at);
            if (start && session_.is_live()) {
                start.reset();
                live_since_ = at;
            }
            if (session_.wants_upstream()) co_return refusal();
            if (!more)
                open = co_await upstream->wait_event();
            else if (!session_.can_take_upstream())
                co_await room_.wait();
            if (ahead_ && ahead_wanted_) open = false;
        }
        if (late) co_return Error{Code::timeout, "The voice service did not accept the session within realtime.session_limit_ms."};
        if (ahead_wanted_) co_return Error{Code::cancelled, "Another session of the voice service takes over."};
        // Also when this is over: who closes waits for a reader that sees the close through.
        Result<void> end;
        while (end) {
            const auto event = co_await upstream->receive();
            if (!event) end = event.error();
        }
        co_return end.error();
    }

    Error refusal() const
    {
        Error refusal = session_.refusal().value_or(Error{Code::upstream_rejected, "The voice service refused the session."});
        if (!upstream::is_fatal(refusal.upstream_code, 0)) refusal.code = Code::upstream_unavailable;
        return refusal;
    }

    awaitable<void> close_upstream(std::shared_ptr<upstream::Upstream> upstream) { co_await upstream->close(); }

    /// False: there is none to be had; the conversation has been told.
    awaitable<bool> find_upstream(Error cause)
    {
        // One that held for a while was well: trying begins anew.
        if (live_since_ && now() - *live_since_ > recovery_.backoff_max) attempts_ = 0;
        if (attempts_ == 0) outage_began_ = now();
        const std::uint32_t present = 1U << source_index_;
        if (cause.code == Code::upstream_rejected) refused_ |= present;
        // Which died before it had begun is asked after those behind it; which refuses, no more.
        bool those_behind = !live_since_;
        next_request_.without = refused_ | (those_behind ? present | (present - 1) : 0);
        next_request_.recovers = true;
        next_request_.age_max = milliseconds::max();
        live_since_.reset();
        while (!stopping_ && attempts_ < recovery_.attempts_max && now() - outage_began_ < recovery_.limit) {
            if (attempts_ > 0) {
                const Instant retry_at = now() + backoff();
                co_await retry_.wait_until(retry_at);
                if (stopping_) co_return false;
            }
            ++attempts_;
            auto lease = co_await source_.lease(next_request_);
            if (stopping_) {
                if (lease) co_await lease->upstream->close();
                co_return false;
            }
            if (lease) {
                take_upstream(std::move(*lease));
                co_return true;
            }
            next_request_.without = refused_;
            if (std::exchange(those_behind, false)) {
                --attempts_;
                continue;
            }
            const bool hopeless = lease.error().code == Code::upstream_rejected;
            // That there is none left to ask says less than why the last one went.
            if (!hopeless || cause.code != Code::upstream_rejected) cause = lease.error();
            if (hopeless) break;
            session_.on_attempt_failed(cause, attempts_);
            pump_client(now());
        }
        co_await say_last_words();
        session_.fail(cause, cause.code == Code::upstream_rejected ? 1011 : 1013);
        co_return false;
    }

    /// Doubles, and differs: conversations that lost the same service do not come back in step.
    milliseconds backoff()
    {
        const milliseconds whole = std::min(recovery_.backoff_max, recovery_.backoff_min * (1 << std::min(attempts_ - 1, 16)));
        return milliseconds(std::uniform_int_distribution<std::int64_t>(whole.count() / 2, whole.count())(random_));
    }

    awaitable<void> say_last_words()
    {
        if (last_words_.empty() || !speak_) co_return;
        auto speech = co_await speak_(last_words_);
        if (speech)
            session_.say(last_words_, *speech, now());
        else
            log::info("session.last_words_unsaid", {{"session", session_.id()}, {"message", speech.error().message}});
    }

    /// Has the next upstream ready when the present one is old, and puts it in its place when nobody speaks.
    awaitable<void> rotate()
    {
        while (!stopping_) {
            const Instant due = *session_.rotate_at();
            if (now() < due) {
                co_await rotation_.wait_until(due);
                continue;
            }
            if (!session_.may_rotate(now())) {
                co_await rotation_.wait_until(now() + quiet_poll);
                continue;
            }
            // Those behind it in the order may be worse, and there is time to ask again.
            const std::uint32_t behind = ~((2U << source_index_) - 1);
            next_request_.without = refused_ | (session_.must_rotate(now()) ? 0 : behind);
            next_request_.recovers = false;
            // Else it would soon be as old as this one.
            next_request_.age_max = session_.rotate_age() / 2;
            auto lease = co_await source_.lease(next_request_);
            if (!lease) {
                log::warn("session.rotation_put_off", {{"session", session_.id()}, {"message", lease.error().message}});
                co_await rotation_.wait_until(now() + rotation_retry);
                continue;
            }
            const std::shared_ptr<upstream::Upstream> old = upstream_;
            ahead_ = std::move(*lease);
            const bool quiet = co_await quiet_moment(old);
            if (stopping_) co_return;
            if (!quiet) {
                // Or the present one was lost meanwhile, and replaced.
                if (ahead_) loops_.spawn(close_upstream(std::move(std::exchange(ahead_, std::nullopt)->upstream)));
                co_await rotation_.wait_until(now() + quiet_poll);
                continue;
            }
            ahead_wanted_ = true;
            upstream_->cancel_receive();
            while (!stopping_ && upstream_ == old) co_await rotation_.wait();
            ahead_wanted_ = false;
        }
    }

    /// What the old one was sent last it may still answer: so it is sent nothing for a while, and when it has heard nobody in that, the moment is quiet.
    /// False: none came while the next one, which nobody reads, could wait; or `old` is not the upstream any more.
    awaitable<bool> quiet_moment(std::shared_ptr<upstream::Upstream> old)
    {
        const Instant give_up = now() + ahead_waits_max;
        const auto goes_on = [&] { return !stopping_ && old && upstream_ == old && now() < give_up; };
        bool quiet = false;
        while (goes_on() && !quiet) {
            while (goes_on() && !session_.may_rotate(now())) co_await rotation_.wait_until(now() + quiet_poll);
            if (!goes_on()) co_return false;
            session_.hold_upstream(true);
            const Instant until = now() + answer_grace;
            while (goes_on() && now() < until) co_await rotation_.wait_until(until);
            quiet = goes_on() && session_.may_rotate(now());
            if (!quiet && !stopping_ && upstream_ == old) {
                session_.hold_upstream(false);
                pump(now());
            }
        }
        co_return quiet;
    }

    // ── what leaves ──

    void pump(Instant at)
    {
        pump_upstream(at);
        pump_client(at);
        if (upstream_ && upstream_->unsent_bytes() > 0) for_upstream_.notify();
        const auto& tick = session_.next_tick();
        const bool wakes_too_late = (client_next_ && *client_next_ < writer_wakes_at_) || (tick && *tick < writer_wakes_at_);
        const bool writer_is_needed = client_->unsent_bytes() > 0 || session_.ending() || wakes_too_late;
        if (writer_is_needed) for_client_.notify();
    }

    /// False: the upstream takes nothing any more; serve_upstreams learns why.
    bool pump_upstream(Instant at)
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

    /// Also notes when there is more to send, in client_next_.
    void pump_client(Instant at)
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

    awaitable<void> write_upstream()
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

    awaitable<void> write_client()
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

    /// It has come back while the other one was being closed.
    awaitable<void> end_late(std::shared_ptr<net::WebSocket> client)
    {
        const conversation::Ending end = session_.ending().value_or(conversation::Ending{1000, {}});
        co_await client->close(end.close_code, end.reason);
    }

    awaitable<void> wait_for_more()
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

    void note_client_end(const Error& error)
    {
        if (error.code == Code::closed || error.code == Code::cancelled) return;
        metrics_.count_error(error.code);
        log::info("session.client_error", {{"session", session_.id()}, {"code", name(error.code)}, {"message", error.message}});
    }

    void stop()
    {
        stopping_ = true;
        if (waiting_) waiting_->withdraw();
        if (returned_)
            loops_.spawn(refuse(std::move(std::exchange(returned_, std::nullopt)->client),
                                {Code::resume_refused, "The conversation has just ended. Begin a new one: connect without ?resume=.", "resume"}, 1011));
        client_->cancel_read();
        for (net::Signal* signal : {&for_upstream_, &for_client_, &room_, &uplink_room_, &client_change_, &retry_, &rotation_, &over_}) signal->notify();
    }

    asio::any_io_executor executor_;
    std::shared_ptr<net::WebSocket> client_;
    std::shared_ptr<upstream::Upstream> upstream_;  ///< null: between two
    std::string session_created_;
    Metrics& metrics_;
    upstream::Source& source_;
    upstream::LeaseRequest next_request_;
    milliseconds session_limit_;
    RecoveryPlan recovery_;
    std::string last_words_;
    Speak speak_;
    conversation::Session session_;
    bool stopping_ = false, draining_ = false;
    bool client_here_ = true, client_is_done_ = false, heard_client_ = false;
    std::optional<Return> returned_;
    std::optional<upstream::Lease> ahead_;   ///< leased to take the place of the present one
    bool ahead_wanted_ = false;              ///< now
    std::size_t source_index_ = 0;
    std::uint32_t refused_ = 0;              ///< the services that ended a session for good, as in LeaseRequest::without
    int attempts_ = 0;
    std::minstd_rand random_{std::random_device{}()};
    Instant outage_began_{};
    std::optional<Instant> live_since_;
    Result<void> client_sent_;               ///< how the last send to the client ended
    std::optional<Instant> client_next_;     ///< when the pacer lets go of more
    Instant writer_wakes_at_ = Instant::max();
    net::Signal for_upstream_, for_client_, room_, uplink_room_, client_change_, retry_, rotation_, over_;
    net::TaskGroup loops_;
    std::unique_ptr<Waiting> waiting_;       ///< its calls come from the event loop: gone before all the rest
};

}  // namespace

awaitable<void> run_conversation(net::WebSocket client, std::unique_ptr<ConversationPlan> plan, Registry& registry, Metrics& metrics)
{
    const std::string id = plan->session.id;
    const Instant began = now();
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
    log::info("session.end", {{"session", id}, {"seconds", std::chrono::duration<double>(now() - began).count()}});
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
