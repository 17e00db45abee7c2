#include "repartee/base/log.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/realtime/server_event.hpp"
#include "repartee/relay/relay.hpp"

namespace repartee::relay {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

constexpr milliseconds drain_poll{50};

// A burst goes on in parts: what the client's socket would take must not count as waiting for a slow client.
constexpr int burst_events_max = 8;

/// The four loops of one conversation. Lives in run_conversation's frame, which waits for all of them.
class ConversationRelay {
public:
    ConversationRelay(asio::any_io_executor executor, net::WebSocket client, upstream::Lease lease, conversation::SessionSettings settings,
                      Metrics& metrics)
        : client_(std::move(client)),
          upstream_(std::move(lease.upstream)),
          session_created_(std::move(lease.session_created)),
          metrics_(metrics),
          session_(std::move(settings), metrics, now()),
          for_upstream_(executor),
          for_client_(executor),
          room_(executor),
          uplink_room_(executor),
          over_(executor),
          loops_(executor, "relay.conversation", [this] { stop(); })
    {
    }

    awaitable<void> run(std::chrono::milliseconds session_limit)
    {
        session_.on_upstream_event(session_created_, now());
        pump_client(now());  // session.created, before the persona goes the other way
        loops_.spawn(read_client());
        loops_.spawn(write_upstream());
        loops_.spawn(read_upstream());
        loops_.spawn(write_client());
        auto executor = co_await asio::this_coro::executor;
        const net::Deadline deadline(executor, session_limit, [this] { give_up_start(); });
        co_await over_.wait();
        co_await upstream_->close();
        co_await loops_.wait_all();
    }

    void drain()
    {
        session_.drain();
        draining_ = true;
        for_client_.notify();
    }

private:
    // The readers also send what their side's arrival has brought about, in the same breath: no queue, no switch to another coroutine. The writers
    // have the rest: what a full socket left behind, and what the pacer lets go later.

    awaitable<void> read_client()
    {
        for (bool open = true; open;) {
            const Instant at = now();
            // What has come together goes on together.
            while (const auto message = client_.take()) {
                metrics_.client_frames_in.add();
                metrics_.client_bytes_in.add(message->bytes.size());
                if (!message->binary)
                    session_.on_client_event(message->text(), at);
                else if (const auto rest = take_audio(message->bytes, at); !rest.empty())
                    co_await take_rest(rest);
            }
            pump(at);
            while (open && !client_.receive()) open = co_await client_.wait_readable();
        }
        if (!stopping_) {
            const auto end = co_await client_.read();
            if (!end) note_client_end(end.error());
        }
        stop();
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

    /// The client is held back by TCP meanwhile.
    awaitable<void> take_rest(std::span<const std::byte> pcm)
    {
        while (!stopping_ && !pcm.empty()) {
            pump(now());
            if (!session_.can_take_client_audio()) co_await uplink_room_.wait();
            if (!client_.is_open()) break;  // then the bytes are no longer ours
            pcm = take_audio(pcm, now());
        }
    }

    awaitable<void> read_upstream()
    {
        for (bool open = true; open && !stopping_;) {
            const Instant at = now();
            bool more = true;
            for (int taken = 0; taken < burst_events_max && more && session_.can_take_upstream(); ++taken) {
                const auto event = upstream_->try_receive();
                if (event) session_.on_upstream_event(*event, at);
                more = event.has_value();
            }
            pump(at);
            if (!more)
                open = co_await upstream_->wait_event();
            else if (!session_.can_take_upstream())
                co_await room_.wait();
        }
        Result<void> end;
        while (end) {
            const auto event = co_await upstream_->receive();
            if (!event) end = event.error();
        }
        if (!stopping_) session_.on_upstream_lost(end.error());
        for_client_.notify();
    }

    void pump(Instant at)
    {
        pump_upstream(at);
        pump_client(at);
        if (upstream_->unsent_bytes() > 0) for_upstream_.notify();
        const bool writer_is_needed = client_.unsent_bytes() > 0 || session_.ending() || (client_next_ && *client_next_ < writer_wakes_at_);
        if (writer_is_needed) for_client_.notify();
    }

    /// False: the upstream takes nothing any more; read_upstream learns why.
    bool pump_upstream(Instant at)
    {
        using Kind = conversation::Uplink::Next::Kind;
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
        while (client_sent_ && client_.unsent_bytes() == 0) {
            const auto next = session_.next_for_client(at);
            if (next.kind == Kind::nothing) {
                client_next_ = next.wake_at;
                break;
            }
            metrics_.client_frames_out.add();
            metrics_.client_bytes_out.add(next.kind == Kind::binary ? next.binary.size() : next.text.size());
            client_sent_ = next.kind == Kind::binary ? client_.send_binary(next.binary) : client_.send_text(next.text);
        }
        if (session_.can_take_upstream()) room_.notify();
    }

    awaitable<void> write_upstream()
    {
        while (!stopping_) {
            if (!pump_upstream(now())) break;
            if (upstream_->unsent_bytes() == 0) {
                co_await for_upstream_.wait();
                continue;
            }
            const auto sent = co_await upstream_->sent();
            if (!sent) break;
        }
    }

    awaitable<void> write_client()
    {
        while (!stopping_) {
            pump_client(now());
            if (client_sent_ && client_.unsent_bytes() > 0) client_sent_ = co_await client_.sent();
            if (!client_sent_) {
                note_client_end(client_sent_.error());
                break;
            }
            if (client_.unsent_bytes() > 0) continue;
            if (session_.ending() && !client_next_) break;  // what the loudspeaker was promised is still sent
            co_await wait_for_more();
        }
        if (const auto ending = session_.ending())
            co_await client_.close(ending->close_code, ending->reason);
        else
            co_await client_.close(1000, {});
        stop();
    }

    awaitable<void> wait_for_more()
    {
        writer_wakes_at_ = client_next_.value_or(Instant::max());
        if (draining_ && !client_next_) writer_wakes_at_ = now() + drain_poll;  // the loudspeaker falls silent without an event
        if (writer_wakes_at_ == Instant::max())
            co_await for_client_.wait();
        else
            co_await for_client_.wait_until(writer_wakes_at_);
    }

    void give_up_start()
    {
        if (session_.is_live()) return;
        session_.fail({Code::timeout, "The voice service did not accept the session within realtime.session_limit_ms."}, 1013);
        for_client_.notify();
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
        client_.cancel_read();
        for_upstream_.notify();
        for_client_.notify();
        room_.notify();
        uplink_room_.notify();
        over_.notify();
    }

    net::WebSocket client_;
    std::unique_ptr<upstream::Upstream> upstream_;
    std::string session_created_;
    Metrics& metrics_;
    conversation::Session session_;
    bool stopping_ = false, draining_ = false;
    Result<void> client_sent_;               ///< how the last send to the client ended
    std::optional<Instant> client_next_;     ///< when the pacer lets go of more
    Instant writer_wakes_at_ = Instant::max();
    net::Signal for_upstream_, for_client_, room_, uplink_room_, over_;
    net::TaskGroup loops_;
};

}  // namespace

awaitable<void> run_conversation(net::WebSocket client, upstream::Lease lease, conversation::SessionSettings settings,
                                 std::chrono::milliseconds session_limit, Registry& registry, Metrics& metrics)
{
    const std::string id = settings.id;
    const Instant began = now();
    log::info("session.start", {{"session", id},
                                {"character", settings.character_id},
                                {"peer", client.remote_address()},
                                {"upstream", lease.upstream->peer_name()},
                                {"warm", lease.warm ? "yes" : "no"}});
    auto executor = co_await asio::this_coro::executor;
    ConversationRelay relay(executor, std::move(client), std::move(lease), std::move(settings), metrics);
    const Registry::Entry entry(registry, [&relay] { relay.drain(); });
    co_await relay.run(session_limit);
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
