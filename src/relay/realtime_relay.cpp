#include "repartee/base/log.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/realtime/event_type.hpp"
#include "repartee/realtime/server_event.hpp"
#include "repartee/relay/relay.hpp"

namespace repartee::relay {
namespace {

/// Two pumps that pass events on; the persona overlay is the only thing that looks into them.
class RealtimeRelay {
public:
    RealtimeRelay(asio::any_io_executor executor, net::WebSocket client, upstream::Lease lease, std::optional<conversation::PersonaOverlay> overlay,
                  Metrics& metrics)
        : client_(std::move(client)),
          upstream_(std::move(lease.upstream)),
          session_created_(std::move(lease.session_created)),
          overlay_(std::move(overlay)),
          metrics_(metrics),
          over_(executor),
          loops_(executor, "relay.realtime", [this] { end(1011, std::string(name(Code::internal))); })
    {
    }

    awaitable<void> run(std::chrono::milliseconds session_limit)
    {
        const auto opened = co_await open(session_limit);
        if (!opened) {
            const std::string event = realtime::error_event(opened.error());
            co_await client_.write_text(event);
            const std::uint16_t close_code = opened.error().code == Code::upstream_rejected ? 1011 : 1013;
            co_await client_.close(close_code, std::string(name(opened.error().code)));
            co_await upstream_->close();
            co_await loops_.wait_all();
            co_return;
        }
        const auto greeted = co_await client_.write_text(session_created_);
        if (greeted) {
            loops_.spawn(client_to_upstream());
            loops_.spawn(upstream_to_client());
            co_await over_.wait();
        }
        co_await upstream_->close();
        co_await client_.close(close_code_, close_reason_);
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

    awaitable<void> client_to_upstream()
    {
        while (!ended_) {
            const auto message = co_await client_.read();
            if (!message) {
                if (message.error().code != Code::closed && message.error().code != Code::cancelled) metrics_.count_error(message.error().code);
                break;
            }
            metrics_.client_frames_in.add();
            metrics_.client_bytes_in.add(message->bytes.size());
            if (message->binary) {
                const std::string event =
                    realtime::error_event({Code::invalid_event, "Binary frames have no meaning here: send JSON text frames, audio as base64 in input_audio_buffer.append."});
                co_await client_.write_text(event);
                continue;
            }
            Result<std::optional<std::string>> changed = std::nullopt;
            if (overlay_) changed = overlay_->from_client(message->text());
            if (!changed) {
                const std::string refused = realtime::error_event(changed.error());
                co_await client_.write_text(refused);
                continue;
            }
            std::string_view event = message->text();
            if (*changed) event = **changed;
            const auto posted = upstream_->post(event);
            if (!posted) co_return;  // upstream_to_client learns why, and says so
            if (upstream_->unsent_bytes() == 0) continue;
            const auto sent = co_await upstream_->sent();
            if (!sent) co_return;
        }
        end(1000, {});
    }

    awaitable<void> upstream_to_client()
    {
        while (!ended_) {
            const auto event = co_await upstream_->receive();
            if (!event) {
                if (ended_) break;
                metrics_.count_error(event.error().code);
                const std::string lost = realtime::error_event(event.error());
                co_await client_.write_text(lost);
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
            Result<void> sent = client_.send_text(text);
            if (sent && client_.unsent_bytes() > 0) sent = co_await client_.sent();
            if (!sent) break;
            end_if_drained();
        }
        end(1000, {});
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
        if (draining_ && responses_ <= 0) end(1001, "going_away");
    }

    void end(std::uint16_t close_code, std::string reason)
    {
        if (ended_) return;
        ended_ = true;
        close_code_ = close_code;
        close_reason_ = std::move(reason);
        client_.cancel_read();
        over_.notify();
    }

    net::WebSocket client_;
    std::unique_ptr<upstream::Upstream> upstream_;
    std::string session_created_;
    std::optional<conversation::PersonaOverlay> overlay_;
    Metrics& metrics_;
    bool ended_ = false, draining_ = false;
    int responses_ = 0;  ///< being generated now
    std::uint16_t close_code_ = 1000;
    std::string close_reason_;
    net::Signal over_;
    net::TaskGroup loops_;
};

}  // namespace

awaitable<void> run_realtime(net::WebSocket client, upstream::Lease lease, std::optional<conversation::PersonaOverlay> overlay,
                             std::chrono::milliseconds session_limit, Registry& registry, Metrics& metrics)
{
    const Instant began = std::chrono::steady_clock::now();
    log::info("realtime.start", {{"peer", client.remote_address()}, {"upstream", lease.upstream->peer_name()}, {"warm", lease.warm ? "yes" : "no"}});
    auto executor = co_await asio::this_coro::executor;
    RealtimeRelay relay(executor, std::move(client), std::move(lease), std::move(overlay), metrics);
    const Registry::Entry entry(registry, [&relay] { relay.drain(); });
    co_await relay.run(session_limit);
    log::info("realtime.end", {{"seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count()}});
}

}  // namespace repartee::relay
