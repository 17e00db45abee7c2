#include "repartee/net/http_client.hpp"

#include "http_parsing.hpp"

#include "repartee/base/clock.hpp"
#include "repartee/net/deadline.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace repartee::net {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using std::chrono::milliseconds;
using Parser = http::response_parser<http::string_body>;

constexpr std::uint32_t header_bytes_max = 64 << 10;
constexpr std::size_t read_bytes = 16 << 10;
constexpr int interim_responses_max = 8;

milliseconds remaining(Instant deadline)
{
    return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()));
}

Error timed_out(const Url& url, milliseconds limit)
{
    return Error{Code::timeout, fmt::format("{} did not answer within {} ms. Check the service, or raise the time limit.",
                                            url.host_header(), limit.count())};
}

Error ended_early(const Url& url)
{
    return Error{Code::closed, url.host_header() + " closed the connection before its answer was complete. Try again."};
}

Error parse_error(const Url& url, const error_code& ec, std::size_t body_bytes_max)
{
    if (ec == http::error::body_limit)
        return Error{Code::too_large, fmt::format("The answer of {} is over the limit of {} bytes. Ask for less, or raise the limit.",
                                                  url.host_header(), body_bytes_max)};
    return Error{Code::protocol,
                 url.host_header() + " sent a malformed HTTP answer: " + ec.message() + ". Check that the address is an HTTP service's."};
}

bool is_token(std::string_view text)
{
    const auto fits = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    };
    return !text.empty() && std::ranges::all_of(text, fits);
}

bool is_header_value(std::string_view text)
{
    return std::ranges::all_of(text, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f); });
}

bool is_target(std::string_view text)
{
    return text.starts_with('/') && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string lower(std::string_view text)
{
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// Refuses what would let a value (a key from the environment with a line break, say) become a header of its own.
Result<std::string> request_text(const HttpRequest& request)
{
    if (!is_token(request.method)) return Error{Code::invalid_value, "The HTTP method is malformed. Use a name such as GET or POST."};
    if (!is_target(request.url.target))
        return Error{Code::invalid_value, "The URL's path is malformed. It must begin with '/' and be percent-encoded."};
    std::string text =
        request.method + " " + request.url.target + " HTTP/1.1\r\nHost: " + request.url.host_header() + "\r\nConnection: close\r\n";
    for (const auto& [name, value] : request.headers) {
        if (!is_token(name))
            return Error{Code::invalid_value, "A header name of the HTTP request is malformed. Use letters, digits and '-'."};
        if (!is_header_value(value))
            return Error{Code::invalid_value,
                         "The value of the HTTP header '" + name + "' holds a control character, perhaps a line break. Remove it."};
        text += name + ": " + value + "\r\n";
    }
    const bool carries_a_body = !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if (carries_a_body) text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    return text + "\r\n" + request.body;
}

constexpr std::size_t unparsed_bytes_max = 16 << 10;

/// The bytes as they come, cut into one final response; interim ones (100 Continue, 103 Early Hints) are passed over.
class Answer {
public:
    Answer(bool to_head, std::size_t body_bytes_max) : to_head_(to_head), body_bytes_max_(body_bytes_max) { begin(); }

    void feed(std::string_view bytes, error_code& ec)
    {
        unparsed_ += bytes;
        while (!unparsed_.empty() && !complete()) {
            const std::size_t used = put_received(*parser_, asio::buffer(unparsed_), unparsed_bytes_max, ec);
            unparsed_.erase(0, used);
            if (ec || (used == 0 && !parser_->is_done())) return;
            if (parser_->is_done() && is_interim()) {
                if (++interim_responses_ > interim_responses_max) ec = http::error::bad_status;
                if (ec) return;
                begin();
            }
        }
    }
    void feed_end(error_code& ec)
    {
        if (!parser_->got_some()) {
            ec = http::error::partial_message;
            return;
        }
        parser_->put_eof(ec);
    }

    bool complete() const { return parser_->is_done() && !is_interim(); }

    Response take()
    {
        auto message = parser_->release();
        Response response;
        response.status = message.result_int();
        for (const auto& field : message) response.headers.emplace_back(lower(field.name_string()), field.value());
        response.body = std::move(message.body());
        return response;
    }

private:
    bool is_interim() const
    {
        return parser_->is_header_done() && parser_->get().result_int() / 100 == 1 && parser_->get().result_int() != 101;
    }

    void begin()
    {
        parser_.emplace();
        parser_->eager(true);
        parser_->header_limit(header_bytes_max);
        parser_->body_limit(body_bytes_max_);
        if (to_head_) parser_->skip(true);
    }

    bool to_head_;
    std::size_t body_bytes_max_;
    std::optional<Parser> parser_;
    std::string unparsed_;
    int interim_responses_ = 0;
};

Task<Response> exchange(ByteStream& stream, const HttpRequest& request, const TlsContext* tls, std::string text, std::size_t body_bytes_max,
                        Instant deadline)
{
    if (request.url.tls()) {
        const auto secured = co_await stream.tls_handshake_as_client(*tls, request.url.host, remaining(deadline));
        if (!secured) co_return secured.error();
    }
    // A server may answer (413, 401) and close while it is still sent to: its answer counts, so a failed write is not the end.
    const auto written = co_await stream.write(text);

    Answer answer(request.method == "HEAD", body_bytes_max);
    std::vector<std::byte> buffer(read_bytes);
    error_code ec;
    while (!answer.complete()) {
        const auto n = co_await stream.read_some(buffer);
        const bool ended = !n && n.error().code == Code::closed && stream.is_open();
        if (!n && !ended) co_return n.error();
        if (ended) {
            answer.feed_end(ec);
            if (ec && !written) co_return written.error();
            if (ec) co_return ended_early(request.url);
            break;
        }
        answer.feed(std::string_view(reinterpret_cast<const char*>(buffer.data()), *n), ec);
        if (ec) co_return parse_error(request.url, ec, body_bytes_max);
    }
    if (!answer.complete()) co_return ended_early(request.url);
    co_return answer.take();
}

Task<Response> perform(HttpRequest request, const TlsContext* tls, std::size_t body_bytes_max, milliseconds limit)
{
    const Instant deadline = std::chrono::steady_clock::now() + limit;
    const bool understood = request.url.scheme == "http" || request.url.scheme == "https";
    if (!understood) co_return Error{Code::invalid_value, "An HTTP request needs an http or https URL, not '" + request.url.scheme + "'."};
    if (request.url.tls() && !tls)
        co_return Error{Code::not_configured, "An https URL needs TLS, which is not set up here. Use http or set TLS up."};
    auto text = request_text(request);
    if (!text) co_return text.error();

    auto connected = co_await ByteStream::connect(request.url.host, request.url.port, limit);
    if (!connected) co_return connected.error();
    ByteStream& stream = *connected;
    const auto executor = co_await asio::this_coro::executor;
    const Deadline guard(executor, remaining(deadline), [&stream] { stream.close(); });
    auto response = co_await exchange(stream, request, tls, std::move(*text), body_bytes_max, deadline);
    if (!response && guard.expired()) co_return timed_out(request.url, limit);
    co_return response;
}

}  // namespace

// Copies the request: the coroutine begins only when it is awaited.
Task<Response> http_request(const HttpRequest& request, const TlsContext* tls, std::size_t body_bytes_max, milliseconds limit)
{
    return perform(request, tls, body_bytes_max, limit);
}

}  // namespace repartee::net
