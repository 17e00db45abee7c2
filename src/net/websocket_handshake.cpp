#include "http_parsing.hpp"
#include "repartee/audio/base64.hpp"
#include "repartee/base/json.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/net/websocket.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <openssl/sha.h>
#include <sys/random.h>

#include <algorithm>
#include <stdexcept>

namespace repartee::net {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;

constexpr std::size_t header_bytes_max = 16 << 10;
constexpr std::size_t error_body_bytes_max = 4 << 10;
constexpr std::size_t quoted_bytes_max = 200;

using Parser = http::response_parser<http::string_body>;

std::string base64(std::span<const std::byte> bytes)
{
    std::string text(audio::base64_encoded_bytes(bytes.size()), '\0');
    audio::base64_encode(bytes, text.data());
    return text;
}

std::string random_key()
{
    std::array<std::byte, 16> nonce;
    if (::getrandom(nonce.data(), nonce.size(), 0) != static_cast<ssize_t>(nonce.size())) throw std::runtime_error("getrandom failed");
    return base64(nonce);
}

bool breaks_the_header(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos; }

bool is_sound(const WebSocketRequest& request)
{
    if (request.target.empty() || request.target.find(' ') != std::string::npos) return false;
    for (const std::string_view text : {request.host, request.target, request.subprotocols})
        if (breaks_the_header(text)) return false;
    return std::none_of(request.headers.begin(), request.headers.end(),
                        [](const auto& header) { return breaks_the_header(header.first) || breaks_the_header(header.second); });
}

std::string request_text(const WebSocketRequest& request, std::string_view key)
{
    std::string text = "GET " + request.target + " HTTP/1.1\r\nHost: " + request.host +
                       "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ";
    text += key;
    text += "\r\n";
    if (!request.subprotocols.empty()) text += "Sec-WebSocket-Protocol: " + request.subprotocols + "\r\n";
    for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
    return text + "\r\n";
}

/// On one line, without anything a terminal or a log could stumble over.
std::string quotable(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (out.size() == quoted_bytes_max) break;
        const bool printable = c >= ' ' && c <= '~';
        if (printable) out += c;
        else if (!out.empty() && out.back() != ' ') out += ' ';
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    return out;
}

/// "401 Unauthorized: Incorrect API key provided", with the error object's own words when the body has one.
Error refused(const http::response<http::string_body>& response)
{
    const unsigned status = response.result_int();
    Error error;
    error.code = status == 401 || status == 403 || status == 404 ? Code::upstream_rejected : Code::upstream_unavailable;
    std::string why = quotable(response.body());
    const auto document = json::parse_object(response.body());
    if (document) {
        if (const auto message = json::find_string(*document, "error.message")) why = quotable(*message);
        if (const auto code = json::find_string(*document, "error.code")) error.upstream_code = quotable(*code);
    }
    const auto reason = response.reason();
    error.message = "The server refused the WebSocket: " + std::to_string(status) + " " + quotable({reason.data(), reason.size()});
    if (!why.empty()) error.message += ": " + why;
    error.message += error.code == Code::upstream_rejected ? ". Check the URL, the key and the model." : ". Try again later.";
    return error;
}

Error violation(const char* what)
{
    return Error{Code::protocol, std::string("The server's WebSocket handshake is wrong: ") + what + " Check that the URL is a WebSocket endpoint."};
}

Error unsound()
{
    return Error{Code::invalid_value, "A header, the host or the target holds a line break or blank. Check the configured URL and key."};
}

Error too_slow(std::chrono::milliseconds limit)
{
    return Error{Code::timeout, "The WebSocket handshake was not done within " + std::to_string(limit.count()) + " ms. Try again, or raise the limit."};
}

std::optional<Error> judge(const http::response<http::string_body>& response, std::string_view key, const std::string& subprotocols)
{
    if (response.result_int() != 101) return refused(response);
    if (!beast::iequals(response[http::field::upgrade], "websocket")) return violation("there is no 'Upgrade: websocket'.");
    if (!http::token_list{response[http::field::connection]}.exists("upgrade")) return violation("there is no 'Connection: Upgrade'.");
    const auto accept = response[http::field::sec_websocket_accept];
    if (std::string_view(accept.data(), accept.size()) != websocket_accept_key(key))
        return violation("Sec-WebSocket-Accept does not fit the key.");
    const auto chosen = response[http::field::sec_websocket_protocol];
    if (!chosen.empty() && !http::token_list{subprotocols}.exists(chosen)) return violation("it chose a subprotocol that was not offered.");
    if (!response[http::field::sec_websocket_extensions].empty()) return violation("it chose an extension, but none was offered.");
    return std::nullopt;
}

/// Reads until the answer is complete, as far as it is of interest. What follows it stays in `received`.
Task<> read_response(ByteStream& stream, Parser& parser, std::string& received)
{
    std::array<std::byte, 4096> buffer;
    bool enough = false;
    while (!enough) {
        const auto n = co_await stream.read_some(buffer);
        if (n.has_error()) {
            if (parser.is_header_done()) break;
            co_return n.error();
        }
        received.append(reinterpret_cast<const char*>(buffer.data()), *n);
        beast::error_code error;
        const std::size_t taken = put_received(parser, asio::buffer(received), header_bytes_max, error);
        received.erase(0, taken);
        if (error) co_return violation("it is not valid HTTP.");
        enough = parser.is_done() || parser.get().body().size() >= error_body_bytes_max;
    }
    co_return Result<void>();
}

}  // namespace

std::string websocket_accept_key(std::string_view client_key)
{
    const std::string text = std::string(client_key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<std::byte, SHA_DIGEST_LENGTH> digest;
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), reinterpret_cast<unsigned char*>(digest.data()));
    return base64(digest);
}

Task<WebSocket> websocket_connect(ByteStream stream, WebSocketRequest request, WebSocketLimits limits, std::chrono::milliseconds limit)
{
    if (!is_sound(request)) co_return unsound();

    const Deadline deadline(stream.executor(), limit, [&stream] { stream.close(); });
    const std::string key = random_key();
    const std::string text = request_text(request, key);
    Parser parser;
    parser.eager(true);
    parser.header_limit(header_bytes_max);
    parser.body_limit(boost::none);
    std::string received;

    auto outcome = co_await stream.write(text);
    if (outcome) outcome = co_await read_response(stream, parser, received);
    if (deadline.expired()) co_return too_slow(limit);
    if (outcome.has_error()) co_return outcome.error();
    if (const auto error = judge(parser.get(), key, request.subprotocols)) co_return *error;
    co_return WebSocket(std::move(stream), WebSocket::Role::client, limits, std::move(received));
}

}  // namespace repartee::net
