#include "http_request_reader.hpp"

#include "http_body_writer.hpp"
#include "http_parsing.hpp"
#include "server_answers.hpp"

#include "repartee/base/clock.hpp"
#include "repartee/net/deadline.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/none.hpp>

#include <algorithm>
#include <utility>

namespace repartee::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::size_t header_read_bytes = 4 << 10, body_read_bytes = 32 << 10;

bool waits_for_continue(const RequestParser& parser)
{
    const auto& request = parser.get();
    return request.version() >= 11 && beast::iequals(request[http::field::expect], "100-continue") && request.body().empty();
}

Response answer_to(const beast::error_code& error, const HttpLimits& limits)
{
    if (error == http::error::header_limit) return too_large(431, "header", limits.header_bytes_max);
    return error_response(400, Code::protocol, "The request is not valid HTTP/1.1: " + error.message() + ".");
}

void refuse(Reading& reading, Response refusal)
{
    reading.end = Reading::End::refused;
    reading.refusal = std::move(refusal);
}

/// Feeds what was received to the parser. True: this request is complete, or hopeless.
bool parse_some(ServedConnection& connection, RequestParser& parser, Reading& reading)
{
    beast::error_code error;
    if (!parser.is_done()) {
        const std::size_t taken = put_received(parser, connection.buffer.cdata(), connection.limits.header_bytes_max, error);
        connection.buffer.consume(taken);
    }
    if (error) {
        refuse(reading, answer_to(error, connection.limits));
        return true;
    }
    if (parser.get().body().size() > reading.permit.bytes_max) {
        refuse(reading, too_large(413, "body", reading.permit.bytes_max));
        return true;
    }
    if (!parser.is_done()) return false;
    reading.end = Reading::End::request;
    return true;
}

/// False: nothing came within the limit, or the connection is over.
awaitable<bool> receive_some(ServedConnection& connection, milliseconds limit, std::size_t bytes_max)
{
    const Deadline deadline(connection.stream.executor(), limit, [&connection] { connection.stream.cancel_read(); });
    const auto prepared = connection.buffer.prepare(bytes_max);
    const std::span<std::byte> room(static_cast<std::byte*>(prepared.data()), prepared.size());
    const auto n = co_await connection.stream.read_some(room);
    if (n.has_error()) co_return false;
    connection.buffer.commit(*n);
    co_return true;
}

enum class Part { header, body };

/// Reads until the part is there. False when that is also the request's end, good or bad: then `reading` says so.
awaitable<bool> read_part(ServedConnection& connection, RequestParser& parser, Reading& reading, Part part)
{
    const bool is_header = part == Part::header;
    const std::size_t piece_bytes = is_header ? header_read_bytes : body_read_bytes;
    const Instant deadline = std::chrono::steady_clock::now() + (is_header ? connection.limits.header_limit : reading.permit.limit);
    for (;;) {
        const bool at_the_end = parse_some(connection, parser, reading);
        if (at_the_end) co_return false;
        if (is_header && parser.is_header_done()) co_return true;
        const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        const bool more = co_await receive_some(connection, std::max(left, milliseconds(0)), piece_bytes);
        if (more) continue;
        if (std::chrono::steady_clock::now() >= deadline)
            refuse(reading, error_response(408, Code::timeout, "The request did not arrive in time. Send it again."));
        co_return false;
    }
}

std::string lower_case(beast::string_view text)
{
    std::string out(text.data(), text.size());
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// Without its body. nullopt: the target is malformed.
std::optional<Request> make_request(const RequestParser& parser, const ByteStream& stream)
{
    const auto& message = parser.get();
    Request request;
    const auto target = message.target();
    if (!parse_target({target.data(), target.size()}, request)) return std::nullopt;
    const auto method = message.method_string();
    request.method.assign(method.data(), method.size());
    for (const auto& field : message) {
        const auto value = field.value();
        request.headers.emplace_back(lower_case(field.name_string()), std::string(value.data(), value.size()));
    }
    request.remote_address = stream.remote_address();
    request.tls = stream.is_tls();
    return request;
}

std::optional<Response> refusal_of(const std::optional<Request>& request, const RequestParser& parser)
{
    if (!request) return error_response(400, Code::protocol, "The request target is malformed. Percent-encode it as UTF-8.");
    if (parser.get().version() == 11 && parser.get().count(http::field::host) != 1)
        return error_response(400, Code::protocol, "An HTTP/1.1 request has exactly one Host header.");
    return std::nullopt;
}

/// Decides over a body before it is read. False: refused.
bool permit_body(const ServedConnection& connection, const RequestParser& parser, Reading& reading)
{
    const bool asks = connection.limits.body_gate && parser.get().method() != http::verb::get && parser.get().method() != http::verb::head;
    const auto announced = parser.content_length();
    if (asks) {
        std::optional<std::uint64_t> length;
        if (announced) length = *announced;
        auto verdict = connection.limits.body_gate(*reading.request, length);
        if (auto* refusal = std::get_if<Response>(&verdict)) {
            refuse(reading, std::move(*refusal));
            return false;
        }
        reading.permit = std::move(std::get<BodyPermit>(verdict));
        reading.request->body_permit = std::move(reading.permit.held);
    }
    if (announced && *announced > reading.permit.bytes_max) {
        refuse(reading, too_large(413, "body", reading.permit.bytes_max));
        return false;
    }
    return true;
}

/// The header is there: what it is worth. False: refused.
bool take_header(const ServedConnection& connection, const RequestParser& parser, Reading& reading)
{
    reading.request = make_request(parser, connection.stream);
    if (auto refusal = refusal_of(reading.request, parser)) {
        refuse(reading, std::move(*refusal));
        return false;
    }
    return parser.is_done() || permit_body(connection, parser, reading);
}

}  // namespace

awaitable<Reading> read_request(ServedConnection& connection, RequestParser& parser, bool first)
{
    parser.header_limit(static_cast<std::uint32_t>(connection.limits.header_bytes_max));
    parser.body_limit(boost::none);  // counted here: Beast would refuse before the gate was asked
    Reading reading;
    reading.permit.bytes_max = connection.limits.body_bytes_max;
    reading.permit.limit = connection.limits.body_limit;
    if (connection.buffer.size() == 0) {
        connection.buffer.shrink_to_fit();  // a connection that waits holds little
        const milliseconds limit = first ? connection.limits.header_limit : connection.limits.keep_alive_limit;
        const bool begun = co_await receive_some(connection, limit, header_read_bytes);
        if (!begun) co_return reading;
    }
    const bool body_missing = co_await read_part(connection, parser, reading, Part::header);
    if (!parser.is_header_done() || reading.end == Reading::End::refused) co_return reading;
    const bool welcome = take_header(connection, parser, reading);
    if (!welcome || !body_missing) co_return reading;
    parser.eager(true);
    if (waits_for_continue(parser) && connection.buffer.size() == 0) {
        const auto sent = co_await write_within(connection.stream, "HTTP/1.1 100 Continue\r\n\r\n", connection.limits.write_limit);
        if (sent.has_error()) co_return reading;
    }
    co_await read_part(connection, parser, reading, Part::body);
    if (reading.end == Reading::End::request) reading.request->body = std::move(parser.get().body());
    co_return reading;
}

}  // namespace repartee::net
