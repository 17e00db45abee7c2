#include "repartee/net/websocket.hpp"

#include "frame_queue.hpp"
#include "message_reader.hpp"
#include "repartee/base/clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>

namespace repartee::net {
namespace {

// So many reads in a row, then it is the turn of the thread's other connections.
constexpr int receives_max = 4;

// One try to send is this long at most, so that progress shows.
constexpr std::size_t piece_bytes_max = 64 << 10;

constexpr std::uint16_t close_protocol_error = 1002, close_no_code = 1005, close_abnormal = 1006;
constexpr std::uint16_t close_not_utf8 = 1007, close_policy = 1008, close_too_large = 1009;

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Coarse on purpose: an idle connection costs one timer, and the hot path never asks for the time.
milliseconds tick_of(const WebSocketLimits& limits)
{
    milliseconds shortest = milliseconds(4'000);
    for (const milliseconds limit : {limits.ping_interval, limits.idle_limit, limits.write_limit, limits.close_limit})
        shortest = std::min(shortest, limit);
    return std::max(shortest / 4, milliseconds(1));
}

Error cancelled_by_owner() { return Error{Code::cancelled, "The read was cancelled by its owner."}; }

Error took_no_data(milliseconds limit)
{
    return Error{Code::slow_client, "The peer took no data for " + std::to_string(limit.count()) + " ms. Read faster, or send less."};
}

Error was_silent(milliseconds limit)
{
    return Error{Code::idle, "Nothing was received for " + std::to_string(limit.count()) + " ms, not even a pong. Connect again."};
}

awaitable<bool> nothing_comes() { co_return false; }

awaitable<bool> next_turn(asio::any_io_executor executor)
{
    co_await asio::post(executor, asio::use_awaitable);
    co_return true;
}

Error second_read() { return Error{Code::internal, "A read() is outstanding already. Await it first."}; }

}  // namespace

/// How a connection ends: begin_close() queues our close frame and notes why (`closing`); whoever reads, or else close(), then runs
/// finish(), which sees the closing handshake through and calls end(). The watchdog calls end() when that takes too long. After end()
/// nothing is outstanding for long, since the stream is closed.
struct WebSocket::State : std::enable_shared_from_this<State> {
    ByteStream stream;
    const Role role;
    const WebSocketLimits limits;
    const milliseconds tick;
    MessageReader incoming;
    FrameQueue outgoing;

    int receives = 0;                ///< since the reader last waited
    bool reading = false;
    bool cancel_asked = false;       ///< by the owner of the read
    bool writing = false;            ///< the stream took not all; a coroutine waits to go on
    bool pong_due = false;           ///< behind what is stuck; only the latest ping is answered then
    std::vector<std::byte> pong_payload;

    std::optional<Error> closing;    ///< why; our close frame is queued or sent, no other frame may follow
    bool peer_keeps_rules = true;    ///< false: no sense in waiting for its close frame
    bool peer_closed = false;
    std::uint16_t peer_code = close_abnormal;
    std::string peer_reason;
    std::optional<Error> write_failure;
    std::optional<Error> ended;      ///< why; the stream is closed

    asio::steady_timer change;       ///< never expires: those who wait for `writing`, `reading` or `ended` are woken by cancelling it
    std::size_t waiting_for_change = 0;

    asio::steady_timer watch;
    bool received_since_tick = false;
    std::uint64_t pieces_written = 0, pieces_seen = 0;
    Instant heard_at, pinged_at, write_moved_at, close_deadline = Instant::max();

    State(ByteStream connected, Role as, const WebSocketLimits& within, std::string_view early)
        : stream(std::move(connected)),
          role(as),
          limits(within),
          tick(tick_of(within)),
          incoming(as == Role::server, within.message_bytes_max, early),
          outgoing(as == Role::client),
          change(stream.executor(), Instant::max()),
          watch(stream.executor())
    {
        heard_at = pinged_at = write_moved_at = std::chrono::steady_clock::now();
    }

    // reading
    static Task<Message> read(std::shared_ptr<State> self);
    bool receive();
    awaitable<bool> wait_readable();
    bool has_reader() const { return reading || stream.is_awaited(); }
    std::optional<Message> take();
    void on_received(const Result<std::size_t>& received);
    void on_close_frame(std::span<const std::byte> payload);
    void answer_ping(std::span<const std::byte> payload);

    // writing
    bool is_over() const { return ended || closing; }  ///< for the owner: nothing more comes or goes
    const Error* refusal() const;
    Result<void> send(Opcode opcode, std::span<const std::byte> payload);
    static Task<> sent(std::shared_ptr<State> self, std::uint64_t position);
    static Task<> refused(Error error) { co_return error; }
    static Task<> write(const std::shared_ptr<State>& self, Opcode opcode, std::span<const std::byte> payload);
    void flush();
    void send_what_fits();
    static awaitable<void> flush_as_it_fits(std::shared_ptr<State> self);
    void send_control(Opcode opcode, std::span<const std::byte> payload);
    void queue_due_pong();
    void fail_writing(const Error& error);

    // ending
    void begin_close(std::uint16_t code, std::string_view reason, Error why);
    void begin_failing(std::uint16_t code, Error why);
    static awaitable<void> close(std::shared_ptr<State> self, std::uint16_t code, std::string reason);
    static awaitable<void> finish(std::shared_ptr<State> self);
    void look_for_close_frame();
    bool may_shut_down() const { return !peer_keeps_rules || (peer_closed && role == Role::server); }
    void end(const Error& why);

    static awaitable<void> changed(std::shared_ptr<State> self);
    void announce_change()
    {
        if (waiting_for_change > 0) change.cancel();
    }

    // watching
    void start_watch();
    void on_tick(Instant now);
    void ping_or_give_up(Instant now);

    struct Reading {
        State& state;
        explicit Reading(State& s) : state(s)
        {
            state.reading = true;
            state.cancel_asked = false;
        }
        ~Reading()
        {
            state.reading = false;
            state.announce_change();
        }
        Reading(const Reading&) = delete;
        Reading& operator=(const Reading&) = delete;
    };
};

// --- reading

Task<Message> WebSocket::State::read(std::shared_ptr<State> self)
{
    // While close() waits for the peer's last words, it is the reader.
    if (self->reading) co_return self->closing ? *self->closing : second_read();
    const Reading reading(*self);
    while (!self->is_over()) {
        const std::optional<Message> message = self->take();
        if (message) co_return *message;
        if (self->receive()) continue;
        if (self->is_over()) break;
        if (self->cancel_asked) co_return cancelled_by_owner();
        co_await self->wait_readable();
    }
    co_await finish(self);
    if (!self->ended) co_return cancelled_by_owner();
    co_return *self->ended;
}

bool WebSocket::State::receive()
{
    if (is_over() || receives == receives_max) return false;
    ++receives;
    const auto received = stream.try_read(incoming.room());
    if (received && *received == 0) {
        incoming.release_spare_memory();
        return false;
    }
    on_received(received);
    return !is_over();
}

awaitable<bool> WebSocket::State::wait_readable()
{
    if (is_over()) return nothing_comes();
    return std::exchange(receives, 0) == receives_max ? next_turn(stream.executor()) : stream.wait_readable();
}

/// A message that has arrived; control frames before it are handled on the way. Otherwise `closing` is set or more bytes are needed.
std::optional<Message> WebSocket::State::take()
{
    while (!is_over()) {
        const auto next = incoming.next();
        if (next.has_error()) {
            begin_failing(next.error().code == Code::too_large ? close_too_large : close_protocol_error, next.error());
            return std::nullopt;
        }
        if (!*next) return std::nullopt;
        const auto [opcode, bytes] = **next;
        if (opcode == Opcode::binary) return Message{true, bytes};
        if (opcode == Opcode::text) {
            if (is_valid_utf8(bytes)) return Message{false, bytes};
            begin_failing(close_not_utf8, Error{Code::protocol, "A text message is not valid UTF-8."});
            return std::nullopt;
        }
        if (opcode == Opcode::ping) answer_ping(bytes);
        if (opcode == Opcode::close) {
            on_close_frame(bytes);
            return std::nullopt;
        }
    }
    return std::nullopt;
}

void WebSocket::State::on_received(const Result<std::size_t>& received)
{
    if (received) {
        incoming.commit(*received);
        received_since_tick = true;
        return;
    }
    if (received.error().code == Code::cancelled) {
        cancel_asked = true;
        return;
    }
    end(closing ? *closing : received.error());
}

void WebSocket::State::on_close_frame(std::span<const std::byte> payload)
{
    const auto close = parse_close_payload(payload);
    if (close.has_error()) return begin_failing(close_protocol_error, close.error());
    peer_closed = true;
    peer_code = close->code;
    peer_reason = close->reason;
    std::string message = "The peer closed the connection, code " + std::to_string(peer_code);
    if (!peer_reason.empty()) message += ": " + peer_reason;
    begin_close(peer_code, {}, Error{Code::closed, std::move(message)});
}

void WebSocket::State::answer_ping(std::span<const std::byte> payload)
{
    if (closing || write_failure) return;
    if (!writing) return send_control(Opcode::pong, payload);
    pong_payload.assign(payload.begin(), payload.end());
    pong_due = true;
}

// --- writing

const Error* WebSocket::State::refusal() const
{
    if (ended) return &*ended;
    if (closing) return &*closing;
    return write_failure ? &*write_failure : nullptr;
}

Result<void> WebSocket::State::send(Opcode opcode, std::span<const std::byte> payload)
{
    if (const Error* error = refusal()) return *error;
    outgoing.append(opcode, payload);
    flush();
    return {};
}

/// Not a coroutine, so that the frame is queued at the call: the order of calls is the order on the wire.
Task<> WebSocket::State::write(const std::shared_ptr<State>& self, Opcode opcode, std::span<const std::byte> payload)
{
    const auto queued = self->send(opcode, payload);
    if (queued.has_error()) return refused(queued.error());
    return sent(self, self->outgoing.queued());
}

Task<> WebSocket::State::sent(std::shared_ptr<State> self, std::uint64_t position)
{
    while (self->outgoing.taken() < position && !self->write_failure) co_await changed(self);
    if (self->outgoing.taken() < position) co_return *self->write_failure;
    co_return Result<void>();
}

/// The usual way out: the socket takes everything at once, in the caller.
void WebSocket::State::flush()
{
    if (writing || write_failure) return;
    send_what_fits();
    if (outgoing.unsent().empty()) return;
    writing = true;
    asio::co_spawn(stream.executor(), flush_as_it_fits(shared_from_this()), [self = shared_from_this()](std::exception_ptr failure) {
        if (failure) self->end(Error{Code::internal, "A write failed unexpectedly. The connection was closed."});
    });
}

void WebSocket::State::send_what_fits()
{
    while (!outgoing.unsent().empty()) {
        const auto rest = outgoing.unsent();
        const auto taken = stream.try_write(rest.first(std::min(rest.size(), piece_bytes_max)));
        if (!taken) return fail_writing(taken.error());
        if (*taken == 0) return;
        outgoing.take(*taken);
        ++pieces_written;
    }
}

awaitable<void> WebSocket::State::flush_as_it_fits(std::shared_ptr<State> self)
{
    while (!self->outgoing.unsent().empty() && !self->write_failure) {
        co_await self->stream.wait_writable();
        self->send_what_fits();
        self->announce_change();
        if (!self->outgoing.unsent().empty()) continue;
        self->queue_due_pong();
        self->send_what_fits();
    }
    self->writing = false;
    self->announce_change();
}

/// For frames that nobody waits for.
void WebSocket::State::send_control(Opcode opcode, std::span<const std::byte> payload)
{
    outgoing.append(opcode, payload);
    flush();
}

void WebSocket::State::queue_due_pong()
{
    if (!std::exchange(pong_due, false) || closing) return;
    outgoing.append(Opcode::pong, pong_payload);
}

/// The peer's last words may still be unread, its close frame among them: reading goes on to the end of the stream, but not for ever.
void WebSocket::State::fail_writing(const Error& error)
{
    if (!write_failure) write_failure = error;
    outgoing.drop_unsent();
    close_deadline = std::min(close_deadline, std::chrono::steady_clock::now() + limits.close_limit);
    announce_change();
}

// --- ending

void WebSocket::State::begin_close(std::uint16_t code, std::string_view reason, Error why)
{
    if (closing || ended) return;
    closing = std::move(why);
    incoming.discard_messages();
    close_deadline = std::min(close_deadline, std::chrono::steady_clock::now() + limits.close_limit);
    std::string payload;
    if (code != close_no_code) payload = make_close_payload(code, reason);
    send_control(Opcode::close, as_bytes(payload));
}

void WebSocket::State::begin_failing(std::uint16_t code, Error why)
{
    peer_keeps_rules = false;
    const std::string reason = why.message;
    begin_close(code, reason, std::move(why));
}

awaitable<void> WebSocket::State::close(std::shared_ptr<State> self, std::uint16_t code, std::string reason)
{
    self->begin_close(code, reason, Error{Code::closed, "The connection was closed by this side."});
    while (!self->ended) {
        if (self->has_reader()) {
            co_await changed(self);
        } else {
            const Reading reading(*self);
            co_await finish(self);
        }
    }
}

/// From our close frame to end(). Returns early when the read is cancelled.
awaitable<void> WebSocket::State::finish(std::shared_ptr<State> self)
{
    self->look_for_close_frame();
    while (!self->ended && self->writing) {
        if (self->cancel_asked) co_return;
        co_await changed(self);
    }
    // A client also waits for the server to close the stream first, so that the many sockets in TIME_WAIT are not the server's.
    while (!self->ended && !self->may_shut_down()) {
        if (self->cancel_asked) co_return;
        if (self->peer_closed) self->incoming.drop_received();
        const auto received = co_await self->stream.read_some(self->incoming.room());
        self->on_received(received);
        self->look_for_close_frame();
    }
    if (self->ended) co_return;
    co_await self->stream.shutdown(self->limits.close_limit);
    self->end(*self->closing);
}

void WebSocket::State::look_for_close_frame()
{
    while (!ended && !peer_closed && peer_keeps_rules) {
        const auto next = incoming.next();
        if (next.has_error()) peer_keeps_rules = false;
        if (next.has_error() || !*next) return;
        if ((*next)->opcode == Opcode::close) on_close_frame((*next)->bytes);
    }
}

void WebSocket::State::end(const Error& why)
{
    if (ended) return;
    ended = why;
    if (!write_failure) write_failure = why;
    stream.close();
    watch.cancel();
    announce_change();
}

awaitable<void> WebSocket::State::changed(std::shared_ptr<State> self)
{
    ++self->waiting_for_change;
    boost::system::error_code ignored;
    co_await self->change.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    --self->waiting_for_change;
}

// --- watching

/// A weak reference: the watchdog must not keep alive what it watches.
void WebSocket::State::start_watch()
{
    if (ended) return;
    watch.expires_after(tick);
    watch.async_wait([weak = weak_from_this()](boost::system::error_code) {
        const auto self = weak.lock();
        if (!self || self->ended) return;
        self->on_tick(std::chrono::steady_clock::now());
        self->start_watch();
    });
}

void WebSocket::State::on_tick(Instant now)
{
    // While nobody reads, the silence is our own.
    if (received_since_tick || !has_reader()) heard_at = now;
    if (!received_since_tick && has_reader()) stream.look_again();
    received_since_tick = false;
    if (!writing || pieces_written != pieces_seen) write_moved_at = now;
    pieces_seen = pieces_written;

    if (now - write_moved_at >= limits.write_limit) return end(took_no_data(limits.write_limit));
    if (now >= close_deadline) return end(closing ? *closing : *write_failure);
    if (!closing && !write_failure) ping_or_give_up(now);
}

void WebSocket::State::ping_or_give_up(Instant now)
{
    if (now - heard_at >= limits.idle_limit) return begin_close(close_policy, name(Code::idle), was_silent(limits.idle_limit));
    if (writing || now - heard_at < limits.ping_interval || now - pinged_at < limits.ping_interval) return;
    pinged_at = now;
    send_control(Opcode::ping, {});
}

// --- the handle

WebSocket::WebSocket(ByteStream stream, Role role, WebSocketLimits limits, std::string early)
    : state_(std::make_shared<State>(std::move(stream), role, limits, early))
{
    state_->start_watch();
}

WebSocket WebSocket::join(asio::any_io_executor executor, PartedWebSocket parted)
{
    return {ByteStream::join(std::move(executor), std::move(parted.stream)), Role::server, parted.limits, std::move(parted.early)};
}

WebSocket::~WebSocket() { abort(); }
WebSocket::WebSocket(WebSocket&&) noexcept = default;

WebSocket& WebSocket::operator=(WebSocket&& other) noexcept
{
    if (this == &other) return *this;
    abort();
    state_ = std::move(other.state_);
    return *this;
}

Task<Message> WebSocket::read() { return State::read(state_); }

std::optional<Message> WebSocket::take() { return state_->take(); }
bool WebSocket::receive() { return state_->receive(); }

awaitable<bool> WebSocket::wait_readable() { return state_->wait_readable(); }

Result<void> WebSocket::send_text(std::string_view text) { return state_->send(Opcode::text, as_bytes(text)); }

Result<void> WebSocket::send_binary(std::span<const std::byte> bytes) { return state_->send(Opcode::binary, bytes); }

Result<std::span<std::byte>> WebSocket::begin_text(std::size_t bytes)
{
    if (const Error* error = state_->refusal()) return *error;
    return state_->outgoing.begin_frame(Opcode::text, bytes);
}

void WebSocket::finish_text()
{
    state_->outgoing.finish_frame();
    state_->flush();
}

Task<> WebSocket::sent() { return State::sent(state_, state_->outgoing.queued()); }

Task<> WebSocket::write_text(std::string_view text) { return State::write(state_, Opcode::text, as_bytes(text)); }

Task<> WebSocket::write_binary(std::span<const std::byte> bytes) { return State::write(state_, Opcode::binary, bytes); }

std::size_t WebSocket::unsent_bytes() const { return state_->outgoing.unsent().size(); }

std::size_t WebSocket::unacknowledged_bytes() const { return unsent_bytes() + state_->stream.unacknowledged_bytes(); }

void WebSocket::cancel_read()
{
    if (!state_->has_reader()) return;
    state_->cancel_asked = true;
    state_->stream.cancel_read();
    state_->announce_change();
}

awaitable<void> WebSocket::close(std::uint16_t code, std::string reason) { return State::close(state_, code, std::move(reason)); }

void WebSocket::abort()
{
    if (state_) state_->end(Error{Code::closed, "The connection was closed by this side."});
}

bool WebSocket::is_open() const { return state_ && !state_->ended && !state_->closing && state_->stream.is_open(); }
std::uint16_t WebSocket::close_code() const { return state_->peer_code; }
const std::string& WebSocket::close_reason() const { return state_->peer_reason; }
bool WebSocket::is_tls() const { return state_->stream.is_tls(); }
std::string WebSocket::remote_address() const { return state_->stream.remote_address(); }

}  // namespace repartee::net
