#include "repartee/upstream/websocket_upstream.hpp"

#include "repartee/base/json.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/realtime/append_event.hpp"
#include "repartee/realtime/event_type.hpp"
#include "repartee/upstream/breaker.hpp"

#include <algorithm>

namespace repartee::upstream {

WebSocketUpstream::WebSocketUpstream(net::WebSocket socket, std::string peer_name, Metrics& metrics)
    : socket_(std::move(socket)), peer_name_(std::move(peer_name)), metrics_(metrics)
{
}

Task<std::string_view> WebSocketUpstream::receive()
{
    for (;;) {
        const auto message = co_await socket_.read();
        if (!message) {
            if (message.error().code != Code::closed) co_return message.error();
            const std::uint16_t close_code = socket_.close_code();
            const std::string reason = socket_.close_reason();
            const Code code = is_fatal({}, close_code) ? Code::upstream_rejected : Code::closed;
            Error error{code, "The voice service closed the connection (" + std::to_string(close_code) + (reason.empty() ? "" : ", " + reason) + ")."};
            co_return error;
        }
        if (const auto event = event_of(*message)) co_return *event;
    }
}

std::optional<std::string_view> WebSocketUpstream::try_receive()
{
    do {
        while (const auto message = socket_.take())
            if (const auto event = event_of(*message)) return event;
    } while (socket_.receive());
    return std::nullopt;
}

std::optional<std::string_view> WebSocketUpstream::event_of(const net::Message& message)
{
    metrics_.upstream_frames_in.add();
    metrics_.upstream_bytes_in.add(message.bytes.size());
    if (message.binary) return std::nullopt;  // not of the protocol
    return message.text();
}

Result<void> WebSocketUpstream::post(std::string_view event)
{
    metrics_.upstream_frames_out.add();
    metrics_.upstream_bytes_out.add(event.size());
    return socket_.send_text(event);
}

Result<void> WebSocketUpstream::post_audio(std::span<const std::byte> first, std::span<const std::byte> second)
{
    const std::size_t bytes = realtime::append_event_bytes(first.size() + second.size());
    const auto place = socket_.begin_text(bytes);
    if (!place) return place.error();
    realtime::write_append_event(first, second, reinterpret_cast<char*>(place->data()));
    socket_.finish_text();
    metrics_.upstream_frames_out.add();
    metrics_.upstream_bytes_out.add(bytes);
    return {};
}

awaitable<void> WebSocketUpstream::close()
{
    co_await socket_.close(1000, {});
}

namespace {

Error rejection(std::string_view event)
{
    const auto parsed = json::parse_object(event);
    const std::string code(parsed ? json::find_string(*parsed, "error.code").value_or("") : "");
    const std::string message(parsed ? json::find_string(*parsed, "error.message").value_or("") : "");
    Error error{is_fatal(code, 0) ? Code::upstream_rejected : Code::upstream_unavailable, "The voice service refused the session: " + message, {}, code};
    if (code == "invalid_api_key") error.message = "The voice service refused the API key. Set a valid one as OPENAI_API_KEY or realtime.api_key.";
    if (code == "insufficient_quota") error.message += " Check the plan and billing of the account.";
    return error;
}

/// One limit for all the steps of opening.
class TimeLeft {
public:
    explicit TimeLeft(milliseconds limit) : until_(std::chrono::steady_clock::now() + limit) {}
    milliseconds operator()() const
    {
        return std::max(milliseconds(1), std::chrono::duration_cast<milliseconds>(until_ - std::chrono::steady_clock::now()));
    }

private:
    Instant until_;
};

Task<net::WebSocket> connect(const Endpoint& endpoint, std::string query, const net::TlsContext* tls, TimeLeft time_left, Metrics& metrics)
{
    auto stream = co_await net::ByteStream::connect(endpoint.url.host, endpoint.url.port, time_left());
    if (!stream) co_return stream.error();
    if (endpoint.url.tls()) {
        const auto secured = co_await stream->tls_handshake_as_client(*tls, endpoint.url.host, time_left());
        if (!secured) co_return secured.error();
        if (stream->tls_resumed()) metrics.tls_resumed_total.add();
    }
    net::WebSocketRequest request;
    request.host = endpoint.url.host_header();
    request.target = endpoint.url.target;
    request.target += request.target.find('?') == std::string::npos ? '?' : '&';
    request.target += query;
    if (!endpoint.api_key.empty()) request.headers.emplace_back("Authorization", "Bearer " + endpoint.api_key);
    if (!endpoint.organization.empty()) request.headers.emplace_back("OpenAI-Organization", endpoint.organization);
    if (!endpoint.project.empty()) request.headers.emplace_back("OpenAI-Project", endpoint.project);
    co_return co_await net::websocket_connect(std::move(*stream), std::move(request), endpoint.limits, time_left());
}

}  // namespace

Task<Opened> open_upstream(const Endpoint& endpoint, std::string query, const net::TlsContext* tls, Metrics& metrics)
{
    const Instant began = std::chrono::steady_clock::now();
    metrics.upstream_connects_total.add();
    const TimeLeft time_left(endpoint.connect_limit);
    auto socket = co_await connect(endpoint, std::move(query), tls, time_left, metrics);
    if (!socket) {
        Error error = socket.error();
        if (error.code == Code::closed) error.code = Code::upstream_unavailable;
        co_return error;
    }

    Opened opened;
    opened.upstream = std::make_unique<WebSocketUpstream>(std::move(*socket), endpoint.url.host, metrics);
    auto executor = co_await asio::this_coro::executor;
    const net::Deadline deadline(executor, time_left(), [&] { opened.upstream->cancel_receive(); });
    // A refused key or model is told in band: an error event, then a close.
    Error refused{Code::ok, {}};
    for (;;) {
        const auto event = co_await opened.upstream->receive();
        if (!event) {
            if (deadline.expired()) co_return Error{Code::timeout, "The voice service did not open a session within realtime.connect_limit_ms."};
            if (refused.code == Code::ok) co_return event.error();
            if (event.error().code == Code::upstream_rejected) refused.code = Code::upstream_rejected;
            co_return refused;
        }
        const std::string_view type = realtime::peek_type(*event);
        if (type == "error") refused = rejection(*event);
        if (type == "session.created") {
            opened.session_created = std::string(*event);
            metrics.upstream_connect.observe(std::chrono::steady_clock::now() - began);
            co_return std::move(opened);
        }
    }
}

}  // namespace repartee::upstream
