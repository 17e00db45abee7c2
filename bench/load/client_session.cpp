#include "client_session.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/base/json.hpp"
#include "repartee/realtime/append_event.hpp"
#include "repartee/realtime/audio_delta.hpp"
#include "repartee/realtime/event_type.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>

namespace repartee::bench {
namespace {

std::unique_ptr<SessionWork> make_work(const LoadConfig& config, std::uint32_t session, ClientPort& port, LoadStats& stats)
{
    switch (config.mode) {
    case LoadMode::echo: return make_echo_work(config, session, port, stats);
    case LoadMode::burst: return make_burst_work(config, session, port, stats);
    case LoadMode::talk: return make_talk_work(config, session, port, stats);
    }
    return nullptr;
}

/// What a client of the Realtime API says before it speaks.
std::string session_update(LoadMode mode)
{
    const std::string_view turn_detection =
        mode == LoadMode::burst ? "null" : R"({"type":"server_vad","create_response":true,"interrupt_response":true})";
    return fmt::format(R"({{"type":"session.update","session":{{"type":"realtime","output_modalities":["audio"],"audio":{{)"
                       R"("input":{{"format":{{"type":"audio/pcm","rate":24000}},"turn_detection":{}}},)"
                       R"("output":{{"format":{{"type":"audio/pcm","rate":24000}},"voice":"marin"}}}}}}}})",
                       turn_detection);
}

std::unique_ptr<Socket> begin_connect(const ServerAddress& server)
{
    const int fd = ::socket(server.at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) throw std::runtime_error(std::string("cannot open another socket: ") + std::strerror(errno) + ". Raise the limit with ulimit -n.");
    auto socket = std::make_unique<Socket>(fd);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&server.at), server.length) != 0 && errno != EINPROGRESS)
        throw std::runtime_error(std::string("cannot connect: ") + std::strerror(errno));
    return socket;
}

}  // namespace

ClientSession::ClientSession(EventLoop& loop, const LoadConfig& config, const ServerAddress& server, SSL_CTX* tls, std::uint32_t id, LoadStats& stats)
    : config_(config), stats_(stats), id_(id), work_(make_work(config, id, *this, stats))
{
    auto socket = begin_connect(server);
    if (tls) socket->secure(tls_connect(*tls, socket->fd(), config.url.host));
    WsHandler& handler = *this;  // the base is private
    connection_ = std::make_unique<WsConnection>(loop, std::move(socket), handler, config.url, config.headers);
}

void ClientSession::on_open(std::string_view)
{
    const OpeningTimes& times = connection_->times();
    stats_.connect_tcp.add(times.connected_ns - times.begun_ns);
    if (times.secured_ns) stats_.connect_tls.add(times.secured_ns - times.begun_ns);
    stats_.connect_upgrade.add(times.upgraded_ns - times.begun_ns);
}

void ClientSession::on_text(std::string_view text)
{
    const std::string_view type = realtime::peek_type(text);
    if (config_.dialect == Dialect::realtime && realtime::is_audio_delta(type)) return take_delta(text);
    if (stats_.in_window(connection_->received_at_ns())) ++stats_.events_received;
    if (type == "error") return report_error(text);
    if (live_ns_ == 0) return opening_event(type);
    work_->on_event(type, text, connection_->received_at_ns());
}

void ClientSession::opening_event(std::string_view type)
{
    const std::int64_t now = connection_->received_at_ns();
    if (type == "session.created" && created_ns_ == 0) {
        created_ns_ = now;
        stats_.connect_created.add(now - begun_ns());
        if (config_.dialect == Dialect::conversation) return became_live();
        connection_->queue_text(session_update(config_.mode));
    }
    if (type == "session.updated") became_live();
}

void ClientSession::became_live()
{
    live_ns_ = connection_->received_at_ns();
    if (config_.dialect == Dialect::realtime) stats_.connect_live.add(live_ns_ - begun_ns());
}

void ClientSession::take_delta(std::string_view text)
{
    static std::vector<std::byte> pcm;
    const auto delta = realtime::find_audio_delta(text);
    if (!delta) return stats_.count_error("an audio delta is not of the plain form");
    pcm.resize(audio::base64_decoded_bytes_max(delta->audio_base64.size()));
    const auto decoded = audio::base64_decode(delta->audio_base64, pcm.data());
    if (!decoded) return stats_.count_error("an audio delta is not base64");
    work_->on_item(delta->item_id);
    work_->on_audio(std::span(pcm).first(decoded.bytes), connection_->received_at_ns());
}

void ClientSession::on_binary(std::span<const std::byte> bytes)
{
    if (config_.dialect == Dialect::realtime) return stats_.count_error("the server sent a binary frame: --dialect conversation may be meant");
    work_->on_audio(bytes, connection_->received_at_ns());
}

void ClientSession::report_error(std::string_view text)
{
    ++stats_.error_events;
    const auto event = json::parse_object(text);
    std::string message = "error event";
    if (event)
        message += fmt::format(" {}: {}", json::find_string(*event, "error.code").value_or("without code"),
                               json::find_string(*event, "error.message").value_or(""));
    stats_.count_error(message);
    if (live_ns_ == 0 && failure_.empty()) failure_ = message;
}

void ClientSession::send_audio(std::span<const std::byte> pcm)
{
    if (!connection_->is_open()) return;
    if (config_.dialect == Dialect::conversation) {
        connection_->queue(net::Opcode::binary, pcm);
    } else {
        realtime::build_append_event(pcm, {}, connection_->begin_frame(net::Opcode::text, realtime::append_event_bytes(pcm.size())));
        connection_->end_frame();
    }
    connection_->flush();
}

void ClientSession::send_event(std::string_view json)
{
    if (!connection_->is_open()) return;
    connection_->queue_text(json);
    connection_->flush();
}

void ClientSession::give_up(const std::string& why)
{
    const bool waits = connection_->is_open() && live_ns_ == 0;
    const std::string step = waits ? std::string("no session.") + (created_ns_ == 0 ? "created" : "updated") + " came" : connection_->step();
    connection_->fail(why + " (" + step + ")");
}

void ClientSession::close()
{
    closing_ = true;
    connection_->close(1000);
}

void ClientSession::on_closed(std::uint16_t, const std::string& why)
{
    ended_ = true;
    if (closing_) return;
    failure_ = failure_.empty() ? why : failure_ + "; then " + why;
    if (live_ns_ == 0) return;  // whoever waits for it says so
    ++stats_.sessions_lost;
    stats_.count_error("a session ended: " + why);
}

}  // namespace repartee::bench
