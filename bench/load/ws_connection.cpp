#include "ws_connection.hpp"

#include <algorithm>
#include <cstring>
#include <sys/socket.h>

namespace repartee::bench {
namespace {

constexpr std::size_t head_bytes_max = 16 << 10;
constexpr std::size_t message_bytes_max = 16 << 20;
constexpr std::size_t queued_bytes_max = 32 << 20;
constexpr std::size_t read_bytes = 64 << 10;
constexpr std::size_t kept_out_bytes_max = 64 << 10;
constexpr int reads_a_round_max = 8;  // then other connections have their turn

/// One for all connections: between rounds it holds nothing.
std::vector<std::byte>& scratch()
{
    static std::vector<std::byte> buffer(4 * read_bytes);
    return buffer;
}

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

WsConnection::WsConnection(EventLoop& loop, std::unique_ptr<Socket> socket, WsHandler& handler)
    : loop_(loop),
      socket_(std::move(socket)),
      handler_(handler),
      is_client_(false),
      state_(socket_->is_secure() ? State::securing : State::upgrading),
      mask_state_(0)
{
    watch_for(EPOLLIN);
}

WsConnection::WsConnection(EventLoop& loop, std::unique_ptr<Socket> socket, WsHandler& handler, const WsUrl& url, const Headers& headers)
    : loop_(loop),
      socket_(std::move(socket)),
      handler_(handler),
      is_client_(true),
      state_(State::connecting),
      mask_state_(static_cast<std::uint64_t>(now_ns()) | 1),
      key_(make_ws_key()),
      request_(upgrade_request(url, key_, headers))
{
    times_.begun_ns = now_ns();
    watch_for(EPOLLOUT);
}

WsConnection::~WsConnection()
{
    if (socket_->is_open()) loop_.remove(socket_->fd(), *this);
}

void WsConnection::watch_for(std::uint32_t events)
{
    if (events == events_) return;
    if (events_ == 0) loop_.add(socket_->fd(), events, *this);
    else loop_.modify(socket_->fd(), events, *this);
    events_ = events;
}

std::string WsConnection::step() const
{
    switch (state_) {
    case State::connecting: return "connecting";
    case State::securing: return "in the TLS handshake";
    case State::upgrading: return "waiting for the WebSocket upgrade";
    case State::open: return "open";
    case State::closing: return "closing";
    case State::closed: return "closed";
    }
    return {};
}

void WsConnection::on_ready(std::uint32_t events)
{
    if (state_ == State::connecting) {
        on_connected();
    } else if (state_ == State::securing) {
        secure();
    } else {
        if (events & EPOLLOUT) flush();
        if (state_ != State::closed && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) read_some();
    }
    if (!blocked_ && out_.size() > out_sent_) flush();
}

void WsConnection::on_connected()
{
    int error = 0;
    socklen_t length = sizeof error;
    ::getsockopt(socket_->fd(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return end(1006, std::string("could not connect: ") + std::strerror(error));
    times_.connected_ns = now_ns();
    if (!socket_->is_secure()) return after_secured();
    state_ = State::securing;
    secure();
}

void WsConnection::secure()
{
    switch (socket_->handshake().status) {
    case IoStatus::ok: times_.secured_ns = now_ns(); return after_secured();
    case IoStatus::want_read: return watch_for(EPOLLIN);
    case IoStatus::want_write: return watch_for(EPOLLIN | EPOLLOUT);
    case IoStatus::closed: return end(1006, "the peer closed during the TLS handshake");
    case IoStatus::failed: return end(1006, socket_->failure());
    }
}

void WsConnection::after_secured()
{
    state_ = State::upgrading;
    watch_for(EPOLLIN);
    out_ += request_;
    request_.clear();
    if (state_ == State::upgrading && socket_->has_buffered()) read_some();
}

void WsConnection::read_some()
{
    for (int round = 0; round < reads_a_round_max || socket_->has_buffered(); ++round) {
        std::vector<std::byte>& buffer = scratch();
        if (buffer.size() < rest_.size() + read_bytes) buffer.resize(rest_.size() + 4 * read_bytes);
        std::copy(rest_.begin(), rest_.end(), buffer.begin());
        const std::size_t kept = rest_.size();
        const IoResult got = socket_->read(std::span(buffer).subspan(kept));
        if (got.status == IoStatus::want_read) return;
        if (got.status == IoStatus::want_write) return watch_for(EPOLLIN | EPOLLOUT);
        if (got.status == IoStatus::closed) return end(1006, "the peer closed the connection without a close frame");
        if (got.status == IoStatus::failed) return end(1006, socket_->failure());
        received_at_ns_ = now_ns();

        const std::span<std::byte> bytes(buffer.data(), kept + got.bytes);
        const std::size_t taken = take(bytes);
        if (state_ == State::closed) return;
        rest_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(taken), bytes.end());
        const bool filled = kept + got.bytes == buffer.size();
        if (!filled && !socket_->has_buffered()) return;
    }
}

std::size_t WsConnection::take(std::span<std::byte> bytes)
{
    std::size_t taken = 0;
    if (state_ == State::upgrading) {
        taken = take_head(bytes);
        if (taken == 0) return 0;
    }
    return state_ == State::closed ? taken : taken + take_frames(bytes.subspan(taken));
}

std::size_t WsConnection::take_head(std::span<std::byte> bytes)
{
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t end_at = text.find("\r\n\r\n");
    if (end_at == text.npos) {
        if (text.size() > head_bytes_max) end(1006, "the peer's HTTP head is longer than 16 KiB");
        return 0;
    }
    const std::string_view head = text.substr(0, end_at);
    if (is_client_) {
        const std::string refusal = refusal_of(head, key_);
        if (!refusal.empty()) {
            end(1006, refusal + ": " + std::string(text.substr(end_at + 4, 300)));
            return 0;
        }
        times_.upgraded_ns = received_at_ns_;
        state_ = State::open;
        handler_.on_open({});
        return end_at + 4;
    }
    const auto request = parse_upgrade_request(head);
    if (!request) {
        out_ += "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        flush();
        end(1006, "the request was not for a WebSocket");
        return 0;
    }
    out_ += upgrade_answer(*request);
    state_ = State::open;
    handler_.on_open(request->target);
    return end_at + 4;
}

std::size_t WsConnection::take_frames(std::span<std::byte> bytes)
{
    std::size_t taken = 0;
    while (state_ == State::open || state_ == State::closing) {
        const auto parsed = net::parse_frame_header(bytes.subspan(taken));
        if (!parsed) {
            end(1006, parsed.error().message);
            break;
        }
        if (!*parsed) break;
        const net::FrameHeader& header = **parsed;
        if (header.payload_bytes > message_bytes_max) {
            end(1006, "the peer sent a frame of " + std::to_string(header.payload_bytes) + " bytes");
            break;
        }
        const std::size_t payload_bytes = static_cast<std::size_t>(header.payload_bytes);
        if (bytes.size() - taken - header.header_bytes < payload_bytes) break;
        const auto payload = bytes.subspan(taken + header.header_bytes, payload_bytes);
        taken += header.header_bytes + payload_bytes;
        if (!take_frame(header, payload)) break;
    }
    return taken;
}

bool WsConnection::take_frame(const net::FrameHeader& header, std::span<std::byte> payload)
{
    if (header.masked == is_client_) {
        end(1006, is_client_ ? "the server masked a frame" : "the client did not mask a frame");
        return false;
    }
    if (header.masked) net::apply_mask(payload, header.mask);
    switch (header.opcode) {
    case net::Opcode::ping:
        if (state_ == State::open) queue(net::Opcode::pong, payload);
        return true;
    case net::Opcode::pong: return true;
    case net::Opcode::close: {
        const auto close = net::parse_close_payload(payload);
        if (state_ == State::open) queue(net::Opcode::close, payload);
        flush();
        if (state_ == State::closed) return false;
        const bool asked = state_ == State::closing;
        const std::uint16_t code = close ? close->code : std::uint16_t{1006};
        const std::string reason = close ? close->reason : std::string();
        end(code, asked ? "closed" : "the peer closed with " + std::to_string(code) + (reason.empty() ? "" : " " + reason));
        return false;
    }
    default: break;
    }
    if (header.fin && header.opcode != net::Opcode::continuation) {
        deliver(header.opcode, payload);
        return state_ != State::closed;
    }
    if (header.opcode != net::Opcode::continuation) fragmented_ = header.opcode;
    fragments_.insert(fragments_.end(), payload.begin(), payload.end());
    if (fragments_.size() > message_bytes_max) {
        end(1006, "the peer sent a message over 16 MiB");
        return false;
    }
    if (header.fin) {
        std::vector<std::byte> whole;
        whole.swap(fragments_);
        deliver(fragmented_, whole);
    }
    return state_ != State::closed;
}

void WsConnection::deliver(net::Opcode opcode, std::span<const std::byte> payload)
{
    if (state_ != State::open) return;
    if (opcode == net::Opcode::text) handler_.on_text({reinterpret_cast<const char*>(payload.data()), payload.size()});
    else handler_.on_binary(payload);
}

std::string& WsConnection::begin_frame(net::Opcode opcode, std::size_t payload_bytes)
{
    if (is_client_) {
        mask_state_ ^= mask_state_ << 13;
        mask_state_ ^= mask_state_ >> 7;
        mask_state_ ^= mask_state_ << 17;
        std::memcpy(mask_.data(), &mask_state_, mask_.size());
    }
    std::array<std::byte, net::frame_header_bytes_max> head;
    const std::size_t head_bytes = net::write_frame_header(true, opcode, payload_bytes, is_client_ ? &mask_ : nullptr, head.data());
    out_.append(reinterpret_cast<const char*>(head.data()), head_bytes);
    frame_begin_ = out_.size();
    return out_;
}

void WsConnection::end_frame()
{
    if (is_client_) net::apply_mask({reinterpret_cast<std::byte*>(out_.data()) + frame_begin_, out_.size() - frame_begin_}, mask_);
}

void WsConnection::queue(net::Opcode opcode, std::span<const std::byte> payload)
{
    begin_frame(opcode, payload.size()).append(reinterpret_cast<const char*>(payload.data()), payload.size());
    end_frame();
}

void WsConnection::flush()
{
    if (state_ == State::closed || state_ == State::connecting || state_ == State::securing) return;
    while (out_sent_ < out_.size()) {
        const IoResult put = socket_->write(as_bytes(out_).subspan(out_sent_));
        if (put.status == IoStatus::ok) {
            out_sent_ += put.bytes;
            continue;
        }
        if (put.status == IoStatus::closed || put.status == IoStatus::failed)
            return end(1006, put.status == IoStatus::closed ? "the peer closed the connection" : socket_->failure());
        blocked_ = true;
        if (queued_bytes() > queued_bytes_max) return end(1006, "the peer does not read: 32 MiB wait for it");
        return watch_for(EPOLLIN | EPOLLOUT);
    }
    out_.clear();
    out_sent_ = 0;
    if (out_.capacity() > kept_out_bytes_max) out_.shrink_to_fit();
    watch_for(EPOLLIN);
    if (std::exchange(blocked_, false)) handler_.on_drained();
}

void WsConnection::close(std::uint16_t code)
{
    if (state_ != State::open) {
        if (state_ != State::closed && state_ != State::closing) end(1006, "closed before it was open");
        return;
    }
    const std::string payload = net::make_close_payload(code, {});
    queue(net::Opcode::close, as_bytes(payload));
    state_ = State::closing;
    flush();
}

void WsConnection::fail(const std::string& why) { end(1006, why); }

void WsConnection::end(std::uint16_t code, const std::string& why)
{
    if (state_ == State::closed) return;
    state_ = State::closed;
    loop_.remove(socket_->fd(), *this);
    socket_->close();
    handler_.on_closed(code, why);
}

}  // namespace repartee::bench
