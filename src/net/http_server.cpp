#include "repartee/net/http_server.hpp"

#include "http_parsing.hpp"
#include "repartee/audio/base64.hpp"
#include "repartee/base/clock.hpp"
#include "repartee/base/json.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/deadline.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <exception>
#include <optional>

namespace repartee::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using Parser = http::request_parser<http::string_body>;

constexpr std::size_t header_read_bytes = 4 << 10, body_read_bytes = 32 << 10;
constexpr std::size_t write_bytes = 64 << 10;
/// For a peer that does not take note of our end.
constexpr milliseconds linger_limit{2'000};

// --- answers of the server itself

Response error_response(int status, Code code, std::string_view message)
{
    Response response;
    response.status = status;
    response.headers.emplace_back("Content-Type", "application/json");
    response.body = json::to_text(json::object{{"error", {{"type", realtime_type(code)}, {"code", name(code)}, {"message", message}}}});
    return response;
}

Response internal_error() { return error_response(500, Code::internal, "The server failed to answer. The operator's log has the cause."); }

Response too_large(int status, std::string_view what, std::size_t limit_bytes)
{
    return error_response(status, Code::too_large, fmt::format("The request {} is larger than {} bytes. Send less.", what, limit_bytes));
}

Response answer_to(const beast::error_code& error, const HttpLimits& limits)
{
    if (error == http::error::header_limit) return too_large(431, "header", limits.header_bytes_max);
    if (error == http::error::body_limit) return too_large(413, "body", limits.body_bytes_max);
    return error_response(400, Code::protocol, "The request is not valid HTTP/1.1: " + error.message() + ".");
}

// --- requests

struct Connection {
    ByteStream stream;
    HttpLimits limits;
    beast::flat_buffer buffer{};  ///< received and not yet parsed: pipelined requests wait here

    std::string_view received() const { return {static_cast<const char*>(buffer.data().data()), buffer.size()}; }
};

bool waits_for_continue(const Parser& parser)
{
    const auto& request = parser.get();
    return request.version() >= 11 && beast::iequals(request[http::field::expect], "100-continue") && request.body().empty();
}

/// How reading a request ended.
struct Reading {
    enum class End { request, refused, connection_over };
    End end = End::connection_over;
    Response refusal{};
};

/// Feeds what was received to the parser. True: this request is complete, or hopeless.
bool parse_some(Connection& connection, Parser& parser, Reading& reading)
{
    beast::error_code error;
    const std::size_t taken = put_received(parser, connection.buffer.cdata(), connection.limits.header_bytes_max, error);
    connection.buffer.consume(taken);
    if (error) {
        reading.end = Reading::End::refused;
        reading.refusal = answer_to(error, connection.limits);
        return true;
    }
    if (!parser.is_done()) return false;
    reading.end = Reading::End::request;
    return true;
}

Task<> write_all(Connection& connection, std::string_view bytes)
{
    Result<void> outcome;
    while (!bytes.empty() && outcome) {
        const auto piece = bytes.substr(0, write_bytes);
        const Deadline deadline(connection.stream.executor(), connection.limits.write_limit, [&connection] { connection.stream.close(); });
        outcome = co_await connection.stream.write(piece);
        bytes.remove_prefix(piece.size());
    }
    co_return outcome;
}

/// False: nothing came within the limit, or the connection is over.
awaitable<bool> receive_some(Connection& connection, milliseconds limit, std::size_t bytes_max)
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
awaitable<bool> read_part(Connection& connection, Parser& parser, Reading& reading, Part part)
{
    const bool is_header = part == Part::header;
    const std::size_t piece_bytes = is_header ? header_read_bytes : body_read_bytes;
    const Instant deadline = std::chrono::steady_clock::now() + (is_header ? connection.limits.header_limit : connection.limits.body_limit);
    for (;;) {
        const bool at_the_end = parse_some(connection, parser, reading);
        if (at_the_end) co_return false;
        if (is_header && parser.is_header_done()) co_return true;
        const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
        const bool more = co_await receive_some(connection, std::max(left, milliseconds(0)), piece_bytes);
        if (more) continue;
        if (std::chrono::steady_clock::now() >= deadline) {
            reading.end = Reading::End::refused;
            reading.refusal = error_response(408, Code::timeout, "The request did not arrive in time. Send it again.");
        }
        co_return false;
    }
}

awaitable<Reading> read_request(Connection& connection, Parser& parser, bool first)
{
    Reading reading;
    if (connection.buffer.size() == 0) {
        connection.buffer.shrink_to_fit();  // a connection that waits holds little
        const milliseconds limit = first ? connection.limits.header_limit : connection.limits.keep_alive_limit;
        const bool begun = co_await receive_some(connection, limit, header_read_bytes);
        if (!begun) co_return reading;
    }
    const bool body_missing = co_await read_part(connection, parser, reading, Part::header);
    if (!body_missing) co_return reading;
    if (waits_for_continue(parser)) {
        const auto sent = co_await write_all(connection, "HTTP/1.1 100 Continue\r\n\r\n");
        if (sent.has_error()) co_return reading;
    }
    co_await read_part(connection, parser, reading, Part::body);
    co_return reading;
}

std::string lower_case(beast::string_view text)
{
    std::string out(text.data(), text.size());
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// nullopt: the target is malformed.
std::optional<Request> make_request(Parser& parser, const ByteStream& stream)
{
    auto& message = parser.get();
    Request request;
    const auto target = message.target();
    if (!parse_target({target.data(), target.size()}, request)) return std::nullopt;
    const auto method = message.method_string();
    request.method.assign(method.data(), method.size());
    for (const auto& field : message) {
        const auto value = field.value();
        request.headers.emplace_back(lower_case(field.name_string()), std::string(value.data(), value.size()));
    }
    request.body = std::move(message.body());
    request.remote_address = stream.remote_address();
    request.tls = stream.is_tls();
    return request;
}

// --- responses

std::string http_date()
{
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char text[64];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

/// Whatever a handler puts into a header, it cannot begin another one.
void append_header(std::string& head, std::string_view header_name, std::string_view value)
{
    const auto append = [&head](std::string_view text) {
        for (const char c : text) head += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    };
    append(header_name);
    head += ": ";
    append(value);
    head += "\r\n";
}

bool is_set_by_the_server(std::string_view header_name)
{
    for (const char* own : {"content-length", "transfer-encoding", "connection", "date"})
        if (beast::iequals({header_name.data(), header_name.size()}, own)) return true;
    return false;
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

std::string response_head(const Response& response, std::uint64_t body_bytes, bool keep_alive)
{
    std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
    head += status_text(response.status);
    head += "\r\n";
    append_header(head, "Date", http_date());
    for (const auto& [header_name, value] : response.headers)
        if (!is_set_by_the_server(header_name)) append_header(head, header_name, value);
    if (!has_no_body(response.status)) append_header(head, "Content-Length", std::to_string(body_bytes));
    append_header(head, "Connection", keep_alive ? "keep-alive" : "close");
    return head += "\r\n";
}

/// An open file that holds at least the bytes asked for.
class BodyFile {
public:
    explicit BodyFile(const Response& response)
        : fd_(::open(response.file.c_str(), O_RDONLY | O_CLOEXEC)), offset_(response.file_offset), left_(response.file_bytes)
    {
    }
    ~BodyFile()
    {
        if (fd_ >= 0) ::close(fd_);
    }
    BodyFile(const BodyFile&) = delete;
    BodyFile& operator=(const BodyFile&) = delete;

    bool is_usable() const
    {
        struct stat status {};
        if (fd_ < 0 || ::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) return false;
        const auto size = static_cast<std::uint64_t>(status.st_size);
        return offset_ <= size && left_ <= size - offset_;
    }

    /// Appends the next bytes; false at a failure, e.g. when the file has shrunk meanwhile.
    bool read_piece(std::string& into)
    {
        const std::size_t before = into.size();
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, write_bytes));
        into.resize(before + wanted);
        const ssize_t n = ::pread(fd_, into.data() + before, wanted, static_cast<off_t>(offset_));
        if (n <= 0) return false;
        into.resize(before + static_cast<std::size_t>(n));
        offset_ += static_cast<std::uint64_t>(n);
        left_ -= static_cast<std::uint64_t>(n);
        return true;
    }
    std::uint64_t left() const { return left_; }

private:
    int fd_;
    std::uint64_t offset_, left_;
};

void log_unusable(const std::string& file)
{
    log::error("http.file_unusable", {{"file", file}, {"hint", "It is missing, unreadable or shorter than announced."}});
}

Task<> send_file(Connection& connection, std::string head, BodyFile& file)
{
    std::string& piece = head;  // the first piece goes out together with the head
    Result<void> outcome;
    do {
        if (file.left() > 0 && !file.read_piece(piece)) {
            connection.stream.close();  // the only way to say that the promised length does not come
            co_return Error{Code::storage, "A file could not be read to its end."};
        }
        outcome = co_await write_all(connection, piece);
        piece.clear();
    } while (outcome && file.left() > 0);
    co_return outcome;
}

Task<> send_memory(Connection& connection, std::string head, std::string_view body)
{
    const auto first = body.substr(0, write_bytes);
    head += first;
    auto outcome = co_await write_all(connection, head);
    if (outcome) outcome = co_await write_all(connection, body.substr(first.size()));
    co_return outcome;
}

/// Sends the response; the connection stays usable when it succeeds.
Task<> send_response(Connection& connection, Response response, bool head_only, bool keep_alive)
{
    if (response.file.empty()) {
        std::string head = response_head(response, response.body.size(), keep_alive);
        const bool with_body = !head_only && !has_no_body(response.status);
        if (!with_body) response.body.clear();
        co_return co_await send_memory(connection, std::move(head), response.body);
    }
    BodyFile file(response);
    if (!file.is_usable()) {
        log_unusable(response.file);
        Response failure = internal_error();
        co_return co_await send_response(connection, std::move(failure), head_only, keep_alive);
    }
    std::string head = response_head(response, response.file_bytes, keep_alive);
    const bool with_body = !head_only && !has_no_body(response.status);
    if (!with_body) co_return co_await send_memory(connection, std::move(head), {});
    co_return co_await send_file(connection, std::move(head), file);
}

// --- upgrades

bool is_websocket_key(std::string_view key)
{
    if (key.size() != 24) return false;
    std::byte nonce[audio::base64_decoded_bytes_max(24)];
    const auto decoded = audio::base64_decode(key, nonce);
    return decoded && decoded.bytes == 16;
}

/// What a request brings along to become a WebSocket.
struct UpgradeOffer {
    bool asked = false;
    bool version_is_13 = false;
    std::string key;
};

UpgradeOffer upgrade_offer(const Request& request, unsigned http_version)
{
    UpgradeOffer offer;
    offer.asked = http_version == 11 && request.wants_upgrade();
    if (!offer.asked) return offer;
    offer.version_is_13 = request.header("sec-websocket-version") == "13";
    offer.key = request.header("sec-websocket-key");
    return offer;
}

std::optional<Response> refusal_of(const UpgradeOffer& offer)
{
    if (!offer.asked) {
        Response response = error_response(426, Code::protocol, "This is a WebSocket endpoint. Connect to it with a WebSocket client.");
        response.headers.emplace_back("Upgrade", "websocket");
        return response;
    }
    if (!offer.version_is_13) {
        Response response = error_response(426, Code::protocol, "Only WebSocket version 13 is spoken here. Send 'Sec-WebSocket-Version: 13'.");
        response.headers.emplace_back("Sec-WebSocket-Version", "13");
        return response;
    }
    if (!is_websocket_key(offer.key)) return error_response(400, Code::protocol, "Sec-WebSocket-Key must be 16 random bytes in base64.");
    return std::nullopt;
}

std::string switching_protocols(std::string_view key, const std::string& subprotocol)
{
    std::string head = "HTTP/1.1 101 Switching Protocols\r\n";
    append_header(head, "Upgrade", "websocket");
    append_header(head, "Connection", "Upgrade");
    append_header(head, "Sec-WebSocket-Accept", websocket_accept_key(key));
    if (!subprotocol.empty()) append_header(head, "Sec-WebSocket-Protocol", subprotocol);
    return head += "\r\n";
}

awaitable<void> become_websocket(Connection& connection, Upgrade upgrade, std::string key)
{
    const std::string head = switching_protocols(key, upgrade.subprotocol);
    const auto sent = co_await write_all(connection, head);
    if (sent.has_error()) co_return;
    std::string early(connection.received());
    connection.buffer = {};
    WebSocket socket(std::move(connection.stream), WebSocket::Role::server, upgrade.limits, std::move(early));
    awaitable<void> run = upgrade.run(std::move(socket));
    co_await std::move(run);
}

// --- the connection

/// `during`: the request, or what else was going on.
void log_failure(std::string_view during, const std::exception_ptr& failure)
{
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& e) {
        log::error("http.failed", {{"during", during}, {"error", e.what()}});
    } catch (...) {
        log::error("http.failed", {{"during", during}, {"error", "an exception that is no std::exception"}});
    }
}

awaitable<Reply> ask(const Handler& handler, Request request)
{
    const std::string asked = request.method + " " + request.path;
    try {
        awaitable<Reply> answer = handler(std::move(request));
        Reply reply = co_await std::move(answer);
        co_return reply;
    } catch (...) {
        log_failure(asked, std::current_exception());
    }
    co_return Reply(internal_error());
}

std::optional<Response> refusal_of(const std::optional<Request>& request, const Parser& parser)
{
    if (!request) return error_response(400, Code::protocol, "The request target is malformed. Percent-encode it as UTF-8.");
    if (parser.get().version() == 11 && parser.get().count(http::field::host) != 1)
        return error_response(400, Code::protocol, "An HTTP/1.1 request has exactly one Host header.");
    return std::nullopt;
}

/// One request and its answer. True: another may follow.
awaitable<bool> serve_one(Connection& connection, const Handler& handler, bool first)
{
    Parser parser;
    parser.eager(true);
    parser.header_limit(static_cast<std::uint32_t>(connection.limits.header_bytes_max));
    parser.body_limit(connection.limits.body_bytes_max);
    Reading reading = co_await read_request(connection, parser, first);
    if (reading.end == Reading::End::connection_over) co_return false;

    std::optional<Request> request;
    if (reading.end == Reading::End::request) {
        request = make_request(parser, connection.stream);
        if (auto refusal = refusal_of(request, parser)) {
            reading.end = Reading::End::refused;
            reading.refusal = std::move(*refusal);
        }
    }
    if (reading.end == Reading::End::refused) {
        co_await send_response(connection, std::move(reading.refusal), false, false);
        co_return false;
    }

    const bool head_only = request->method == "HEAD";
    // An endpoint that asked for another protocol and did not get it may already be speaking that one.
    const bool keep_alive = parser.keep_alive() && !request->wants_upgrade();
    UpgradeOffer offer = upgrade_offer(*request, parser.get().version());
    Reply reply = co_await ask(handler, std::move(*request));
    if (auto* upgrade = std::get_if<Upgrade>(&reply)) {
        auto refusal = refusal_of(offer);
        if (!refusal) {
            co_await become_websocket(connection, std::move(*upgrade), std::move(offer.key));
            co_return false;
        }
        reply = std::move(*refusal);
    }
    const auto sent = co_await send_response(connection, std::move(std::get<Response>(reply)), head_only, keep_alive);
    co_return keep_alive && sent.has_value();
}

awaitable<void> serve_all(Connection& connection, const Handler& handler)
{
    bool first = true;
    bool more = true;
    while (more) {
        more = co_await serve_one(connection, handler, first);
        first = false;
    }
    co_await connection.stream.shutdown(linger_limit);
}

}  // namespace

awaitable<void> serve_http(ByteStream stream, const Handler& handler, HttpLimits limits)
{
    Connection connection{std::move(stream), limits};
    try {
        co_await serve_all(connection, handler);
    } catch (...) {
        log_failure("a connection", std::current_exception());
    }
    connection.stream.close();
}

}  // namespace repartee::net
