#include "event_journal.hpp"

#include "repartee/base/json.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/realtime/event_type.hpp"
#include "repartee/realtime/server_event.hpp"
#include "repartee/relay/relay.hpp"

namespace repartee::relay {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

constexpr std::uint16_t close_done = 1000, close_no_code = 1005, close_replaced = 4001;

awaitable<void> close_old(net::WebSocket old) { co_await old.close(close_replaced, "resumed_elsewhere"); }

/// Two pumps that pass events on; the persona overlay is the only thing that looks into them. A client that is lost may come back while the window is
/// open: then it gets the events that it missed, and the service is held back when they are too many.
class RealtimeRelay {
public:
    RealtimeRelay(asio::any_io_executor executor, net::WebSocket client, upstream::Lease lease, std::optional<conversation::PersonaOverlay> overlay,
                  RealtimeReturn coming_back, Metrics& metrics)
        : client_(std::make_unique<net::WebSocket>(std::move(client))),
          upstream_(std::move(lease.upstream)),
          session_created_(std::move(lease.session_created)),
          overlay_(std::move(overlay)),
          waiting_(std::move(coming_back.waiting)),
          metrics_(metrics),
          journal_(coming_back.events_bytes_max),
          over_(executor),
          arrival_(executor),
          room_(executor),
          tidy_(executor),
          loops_(executor, "relay.realtime", [this] { end(1011, std::string(name(Code::internal))); })
    {
    }

    awaitable<void> run(std::chrono::milliseconds session_limit)
    {
        const auto opened = co_await open(session_limit);
        if (!opened) {
            const std::string event = realtime::error_event(opened.error());
            co_await client_->write_text(event);
            const std::uint16_t close_code = opened.error().code == Code::upstream_rejected ? 1011 : 1013;
            co_await client_->close(close_code, std::string(name(opened.error().code)));
            co_await upstream_->close();
            co_await loops_.wait_all();
            co_return;
        }
        offer_return();
        const auto greeted = co_await client_->write_text(session_created_);
        session_created_ = {};
        if (greeted) {
            loops_.spawn(serve_clients());
            loops_.spawn(upstream_to_client());
            if (waiting_) loops_.spawn(tidy_journal());
            co_await over_.wait();
        }
        end(close_done, {});
        co_await upstream_->close();
        if (client_) co_await client_->close(close_code_, close_reason_);
        co_await loops_.wait_all();
    }

    void drain()
    {
        draining_ = true;
        end_if_drained();
    }

private:
    Task<> open(std::chrono::milliseconds session_limit)
    {
        if (!overlay_) co_return Result<void>{};
        auto executor = co_await asio::this_coro::executor;
        const std::string update = overlay_->first_update();
        const auto posted = upstream_->post(update);
        if (!posted) co_return posted.error();
        bool late = false;
        const net::Deadline deadline(executor, session_limit, [&] {
            late = true;
            loops_.spawn(upstream_->close());
        });
        using Progress = conversation::PersonaOverlay::Progress;
        for (;;) {
            const auto event = co_await upstream_->receive();
            if (late) co_return Error{Code::timeout, "The voice service did not accept the session within realtime.session_limit_ms."};
            if (!event) co_return event.error();
            const Progress progress = overlay_->open(*event, session_created_);
            if (progress == Progress::live) co_return Result<void>{};
            if (progress == Progress::refused) co_return Error{Code::upstream_rejected, "The voice service refused the character's session: " + session_created_};
        }
    }

    // --- coming back

    json::object resume_member()
    {
        json::object member;
        member["token"] = waiting_->issue_token();
        member["window_ms"] = waiting_->window().count();
        return member;
    }

    void offer_return()
    {
        if (!waiting_) return;
        auto created = json::parse_object(session_created_);
        json::value* const member = created ? created->if_contains("session") : nullptr;
        json::object* const session = member ? member->if_object() : nullptr;
        if (!session) {  // nowhere to put the token
            waiting_.reset();
            return;
        }
        session_id_ = json::find_string(*session, "id").value_or("");
        session_type_ = json::find_string(*session, "type").value_or("realtime");
        (*session)["resume"] = resume_member();
        session_created_ = json::to_text(*created);
        waiting_->on_return = [this](Return back) {
            next_.emplace(std::move(back));
            if (client_) client_->cancel_read();
            arrival_.notify();
        };
        waiting_->on_given_up = [this](Waiting::GivenUp why) {
            const char* const reason = why == Waiting::GivenUp::window_over ? "window_over" : "place_wanted";
            log::info("realtime.given_up", {{"session", session_id_}, {"reason", reason}});
            end(1001, "going_away");
        };
    }

    bool is_end_of_session(const Error& error) const
    {
        if (!waiting_ || error.code == Code::protocol || error.code == Code::too_large) return true;
        const bool said_so = client_->close_code() == close_done || client_->close_code() == close_no_code;
        return error.code == Code::closed && said_so;
    }

    void lose_client()
    {
        client_.reset();
        lost_at_ = now();
        log::info("realtime.client_lost", {{"session", session_id_}, {"window_ms", waiting_->window().count()}});
        waiting_->client_lost(std::exchange(heard_, false));
        end_if_drained();
    }

    void take_client()
    {
        Return back = std::move(*next_);
        next_.reset();
        if (client_) {
            lost_at_ = now();
            // What is stuck in the old connection would only hold up what comes on the new one.
            if (client_->unsent_bytes() == 0) loops_.spawn(close_old(std::move(*client_)));
        }
        client_ = std::make_unique<net::WebSocket>(std::move(back.client));
        heard_ = false;
        const auto again = journal_.again(back.position.last_event_id, lost_at_, now());
        json::object session{{"type", session_type_}};
        if (!session_id_.empty()) session["id"] = session_id_;
        session["resume"] = resume_member();
        json::object members;
        members["session"] = std::move(session);
        members["events_again"] = again.events.size();
        members["events_lost"] = again.lost;
        Result<void> sent = client_->send_text(realtime::server_event("session.resumed", std::move(members)));
        for (const std::string_view event : again.events)
            if (sent) sent = client_->send_text(event);
        metrics_.resumes_total.add();
        log::info("realtime.client_back", {{"session", session_id_},
                                           {"peer", client_->remote_address()},
                                           {"events_again", again.events.size()},
                                           {"events_lost", again.lost}});
        room_.notify();
        tidy_.notify();
    }

    awaitable<void> serve_clients()
    {
        while (!ended_) {
            const auto gone = co_await read_client();
            if (ended_ || !gone) co_return;
            if (!next_ && is_end_of_session(*gone)) break;
            if (!next_) lose_client();
            while (!ended_ && !next_) co_await arrival_.wait();
            if (ended_) co_return;
            take_client();
        }
        end(close_done, {});
    }

    /// Lets go of what has surely arrived, so that a quiet session keeps nothing.
    awaitable<void> tidy_journal()
    {
        while (!ended_) {
            if (!client_ || journal_.empty()) {
                co_await tidy_.wait();
            } else {
                const Instant later = now() + EventJournal::kept_for;
                co_await tidy_.wait_until(later);
            }
            if (client_) journal_.on_acknowledged_but(client_->unacknowledged_bytes(), now());
        }
    }

    // --- passing on

    /// Until this client's connection is over, or another one takes its place: why. Nothing: the upstream takes no more, and the other pump learns why.
    awaitable<std::optional<Error>> read_client()
    {
        while (!ended_ && !next_) {
            const auto message = co_await client_->read();
            if (!message) {
                if (message.error().code != Code::closed && message.error().code != Code::cancelled) metrics_.count_error(message.error().code);
                co_return message.error();
            }
            heard_ = true;
            metrics_.client_frames_in.add();
            metrics_.client_bytes_in.add(message->bytes.size());
            if (message->binary) {
                const std::string event =
                    realtime::error_event({Code::invalid_event, "Binary frames have no meaning here: send JSON text frames, audio as base64 in input_audio_buffer.append."});
                post_to_client(event);
                co_await client_->sent();
                continue;
            }
            Result<std::optional<std::string>> changed = std::nullopt;
            if (overlay_) changed = overlay_->from_client(message->text());
            if (!changed) {
                const std::string refused = realtime::error_event(changed.error());
                post_to_client(refused);
                co_await client_->sent();
                continue;
            }
            std::string_view event = message->text();
            if (*changed) event = **changed;
            const auto posted = upstream_->post(event);
            if (!posted) co_return std::nullopt;
            if (upstream_->unsent_bytes() == 0) continue;
            const auto sent = co_await upstream_->sent();
            if (!sent) co_return std::nullopt;
        }
        co_return Error{Code::cancelled, "Another connection takes its place."};
    }

    /// False: this client's connection is over.
    bool post_to_client(std::string_view event)
    {
        const bool sent = client_ && client_->send_text(event).has_value();
        if (!waiting_) return sent;
        if (journal_.empty()) tidy_.notify();
        journal_.add(event, sent, now());
        return sent;
    }

    awaitable<void> upstream_to_client()
    {
        while (!ended_) {
            if (!client_ && journal_.is_full()) {
                co_await room_.wait();
                continue;
            }
            const auto event = co_await upstream_->receive();
            if (!event) {
                if (ended_) break;
                metrics_.count_error(event.error().code);
                const std::string lost = realtime::error_event(event.error());
                if (client_) co_await client_->write_text(lost);
                end(event.error().code == Code::upstream_rejected ? 1011 : 1013, std::string(name(event.error().code)));
                break;
            }
            metrics_.client_frames_out.add();
            metrics_.client_bytes_out.add(event->size());
            count_responses(realtime::peek_type(*event));
            std::optional<std::string> changed;
            if (overlay_) changed = overlay_->from_server(*event);
            std::string_view text = *event;
            if (changed) text = *changed;
            bool sent = post_to_client(text);
            if (sent && client_->unsent_bytes() > 0) {
                const auto taken = co_await client_->sent();
                sent = taken.has_value();
            }
            if (!sent && !waiting_) break;
            end_if_drained();
        }
        end(close_done, {});
    }

    void count_responses(std::string_view type)
    {
        if (type == "response.created") ++responses_;
        if (type == "response.done") {
            --responses_;
            metrics_.responses_total.add();
        }
    }

    void end_if_drained()
    {
        if (draining_ && (responses_ <= 0 || !client_)) end(1001, "going_away");
    }

    void end(std::uint16_t close_code, std::string reason)
    {
        if (ended_) return;
        ended_ = true;
        close_code_ = close_code;
        close_reason_ = std::move(reason);
        if (waiting_) waiting_->withdraw();
        if (next_) {
            Error too_late{Code::resume_refused, "The conversation has just ended. Begin a new one: connect without ?resume=.", "resume"};
            loops_.spawn(refuse(std::move(next_->client), std::move(too_late), 1011));
        }
        if (client_) client_->cancel_read();
        over_.notify();
        arrival_.notify();
        room_.notify();
        tidy_.notify();
    }

    std::unique_ptr<net::WebSocket> client_;  ///< null: it is lost, and may come back
    std::unique_ptr<upstream::Upstream> upstream_;
    std::string session_created_;
    std::optional<conversation::PersonaOverlay> overlay_;
    std::unique_ptr<Waiting> waiting_;        ///< null: a client that is lost ends the session
    Metrics& metrics_;
    EventJournal journal_;                    ///< unused without waiting_
    std::optional<Return> next_;              ///< a client at the door
    std::string session_id_, session_type_;
    Instant lost_at_{};
    bool heard_ = false;                      ///< something came on this connection
    bool ended_ = false, draining_ = false;
    int responses_ = 0;  ///< being generated now
    std::uint16_t close_code_ = close_done;
    std::string close_reason_;
    net::Signal over_, arrival_, room_, tidy_;
    net::TaskGroup loops_;
};

}  // namespace

awaitable<void> run_realtime(net::WebSocket client, upstream::Lease lease, std::optional<conversation::PersonaOverlay> overlay,
                             RealtimeReturn coming_back, std::chrono::milliseconds session_limit, Registry& registry, Metrics& metrics)
{
    const Instant began = now();
    log::info("realtime.start", {{"peer", client.remote_address()}, {"upstream", lease.upstream->peer_name()}, {"warm", lease.warm ? "yes" : "no"}});
    auto executor = co_await asio::this_coro::executor;
    RealtimeRelay relay(executor, std::move(client), std::move(lease), std::move(overlay), std::move(coming_back), metrics);
    const Registry::Entry entry(registry, [&relay] { relay.drain(); });
    co_await relay.run(session_limit);
    log::info("realtime.end", {{"seconds", std::chrono::duration<double>(now() - began).count()}});
}

}  // namespace repartee::relay
