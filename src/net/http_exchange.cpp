#include "http_exchange.hpp"

#include "http_request_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

namespace repartee::net {
namespace {

using Stage = ExchangeGuard::Stage;

constexpr std::size_t read_bytes = 16 << 10, write_bytes = 64 << 10;
constexpr int first_error_status = 400;

Error wrong_length(std::uint64_t promised, std::uint64_t given)
{
    return Error{Code::internal, fmt::format("A request's body was announced with {} bytes and has {}. Please report this error.", promised, given)};
}

}  // namespace

HttpExchange::HttpExchange(std::shared_ptr<HttpPool> pool, HttpRequest request, HttpRoute route, const HttpTimes& times, std::stop_token stop,
                           std::size_t header_bytes_max, Metrics& metrics)
    : pool_(std::move(pool)),
      request_(std::move(request)),
      route_(std::move(route)),
      peer_(request_.url.host_header()),
      header_bytes_max_(header_bytes_max),
      metrics_(metrics),
      guard_(pool_->executor(), peer_, times, std::move(stop)),
      buffer_(read_bytes)
{
}

Task<> HttpExchange::run()
{
    std::optional<std::uint64_t> body_bytes = request_.body.size();
    if (request_.source) body_bytes = request_.source->bytes();
    const auto head = request_head(request_, route_.target(), body_bytes, route_.proxy_authorization());
    if (!head) co_return head.error();
    head_ = *head;
    if (guard_.stop().stop_requested()) co_return *guard_.verdict();

    connection_ = pool_->take(route_.key());
    if (connection_) {
        guard_.watch(connection_->stream);
        const auto answered = co_await attempt();
        if (answered) metrics_.provider_connections_reused_total.add();
        const bool repeat = !answered && may_repeat(answered.error());
        if (!repeat) co_return answered;
        guard_.release();
        connection_.reset();
    }
    auto opened = co_await open_http_connection(route_, guard_);
    if (!opened) co_return opened.error();
    metrics_.provider_connects_total.add();
    connection_ = std::move(*opened);
    co_return co_await attempt();
}

/// A server may close a connection that it kept just when it is used again; before a byte of an answer that is no answer to this request.
bool HttpExchange::may_repeat(const Error& failure)
{
    if (failure.code != Code::closed || answer_->got_some() || source_failed_) return false;
    return !source_used_ || request_.source->rewind();
}

Task<> HttpExchange::attempt()
{
    answer_.emplace(request_.method == "HEAD", header_bytes_max_);
    sent_whole_ = source_used_ = false;
    if (request_.source) {
        const auto sent = co_await send_source(head_);
        source_failed_ = !sent;
        if (source_failed_) {
            connection_->stream.close();
            co_return guard_.verdict().value_or(sent.error());
        }
        sent_whole_ = *sent;
    } else {
        sent_whole_ = co_await send();
    }
    // A server may answer (413, 401) and close while it is still sent to: its answer counts, so a failed write is not the end.
    const auto outcome = co_await receive_header();
    if (!outcome) {
        connection_->stream.close();
        co_return failure(outcome.error());
    }
    request_.body = {};  // not to be sent again, and perhaps large
    request_.source.reset();
    if (answer_->complete()) finish();
    co_return outcome;
}

awaitable<bool> HttpExchange::send()
{
    // Most requests leave in one packet.
    const auto first = std::string_view(request_.body).substr(0, write_bytes);
    std::string text = head_;
    text += first;
    bool more = co_await write(text);
    if (more) more = co_await write(std::string_view(request_.body).substr(first.size()));
    co_return more;
}

/// False: the server wants no more of it. An error: the source has failed.
Task<bool> HttpExchange::send_source(std::string text)
{
    const auto promised = request_.source->bytes();
    std::uint64_t given = 0;
    source_used_ = true;
    for (;;) {
        guard_.begin(Stage::none);
        const auto piece = co_await request_.source->next();
        if (!piece) co_return piece.error();
        if (piece->empty()) break;
        given += piece->size();
        if (promised && given > *promised) co_return wrong_length(*promised, given);
        if (!promised) text += fmt::format("{:x}\r\n", piece->size());
        const auto first = piece->substr(0, write_bytes);
        text += first;
        bool more = co_await write(text);
        if (more) more = co_await write(piece->substr(first.size()));
        if (!more) co_return false;
        text = promised ? "" : "\r\n";
    }
    if (promised && given != *promised) co_return wrong_length(*promised, given);
    if (!promised) text += "0\r\n\r\n";
    const bool whole = co_await write(text);
    co_return whole;
}

/// False: there is no use in sending more.
awaitable<bool> HttpExchange::write(std::string_view bytes)
{
    ByteStream& stream = connection_->stream;
    while (!bytes.empty()) {
        if (is_refused_early()) co_return false;
        const auto window = bytes.substr(0, write_bytes);
        const auto taken = stream.try_write(std::as_bytes(std::span(window)));
        if (!taken) co_return false;
        bytes.remove_prefix(*taken);
        if (*taken > 0) continue;
        guard_.begin(Stage::send);
        co_await stream.wait_writable();
    }
    co_return true;
}

bool HttpExchange::is_refused_early()
{
    const auto n = connection_->stream.try_read(buffer_);
    if (!n) return true;
    if (*n == 0) return false;
    if (!take_received(*n)) return true;
    return answer_->complete() || (answer_->header_done() && answer_->status() >= first_error_status);
}

bool HttpExchange::take_received(std::size_t bytes)
{
    return answer_->feed(std::string_view(reinterpret_cast<const char*>(buffer_.data()), bytes));
}

Task<> HttpExchange::receive_header()
{
    guard_.begin(Stage::first_byte);
    while (!answer_->header_done()) {
        if (!answer_->error().empty()) co_return malformed();
        if (answer_->got_some()) guard_.begin(Stage::idle);
        const auto received = co_await receive();
        if (!received) co_return received.error();
    }
    guard_.begin(Stage::none);
    co_return Result<void>();
}

Task<> HttpExchange::receive()
{
    const auto n = co_await connection_->stream.read_some(buffer_);
    if (n) {
        const bool sound = take_received(*n);
        if (!sound) co_return malformed();
        co_return Result<void>();
    }
    const bool peer_ended = n.error().code == Code::closed && !guard_.verdict() && !abandoned_;
    if (peer_ended && answer_->feed_end()) co_return Result<void>();
    co_return n.error();
}

Task<std::string_view> HttpExchange::read()
{
    if (ended_) co_return *ended_;
    for (;;) {
        answer_->take_body(piece_);
        if (answer_->complete()) finish();
        if (!piece_.empty() || !connection_) co_return std::string_view(piece_);
        guard_.begin(Stage::idle);
        const auto received = co_await receive();
        if (!received) {
            ended_ = failure(received.error());
            connection_->stream.close();
            co_return *ended_;
        }
        guard_.begin(Stage::none);
    }
}

void HttpExchange::abandon()
{
    abandoned_ = true;
    if (!connection_) return;
    guard_.release();
    connection_->stream.close();
}

Error HttpExchange::failure(const Error& of_stream) const
{
    if (auto verdict = guard_.verdict()) return *verdict;
    if (of_stream.code != Code::closed) return of_stream;
    return Error{Code::closed, peer_ + " closed the connection before its answer was complete. Try again."};
}

Error HttpExchange::malformed() const
{
    return Error{Code::protocol, peer_ + " sent a malformed HTTP answer: " + answer_->error() + ". Check that the address is an HTTP service's."};
}

void HttpExchange::finish()
{
    if (!connection_) return;
    guard_.release();
    if (sent_whole_ && answer_->leaves_usable()) pool_->put(std::move(connection_));
    connection_.reset();
}

}  // namespace repartee::net
