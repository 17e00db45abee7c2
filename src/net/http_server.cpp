#include "repartee/net/http_server.hpp"

#include "body_file.hpp"
#include "client_watch.hpp"
#include "http_body_writer.hpp"
#include "http_request_reader.hpp"
#include "http_response_head.hpp"
#include "server_answers.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/base/clock.hpp"
#include "repartee/base/log.hpp"

#include <exception>
#include <optional>

namespace repartee::net {
namespace {

constexpr std::size_t write_bytes = 64 << 10;
/// For a peer that does not take note of our end.
constexpr milliseconds linger_limit{2'000};

Task<> write_all(ServedConnection& connection, std::string_view bytes)
{
    return write_within(connection.stream, bytes, connection.limits.write_limit);
}

// --- responses

void log_unusable(const std::string& file)
{
    log::error("http.file_unusable", {{"file", file}, {"hint", "It is missing, unreadable or shorter than announced."}});
}

Task<> send_file(ServedConnection& connection, std::string head, BodyFile& file)
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

Task<> send_memory(ServedConnection& connection, std::string head, std::string_view body)
{
    const auto first = body.substr(0, write_bytes);
    head += first;
    auto outcome = co_await write_all(connection, head);
    if (outcome) outcome = co_await write_all(connection, body.substr(first.size()));
    co_return outcome;
}

Framing with_length(std::uint64_t body_bytes, bool keep_alive)
{
    Framing framing;
    framing.body_bytes = body_bytes;
    framing.keep_alive = keep_alive;
    return framing;
}

/// Sends the response; the connection stays usable when it succeeds.
Task<> send_response(ServedConnection& connection, Response response, bool head_only, bool keep_alive)
{
    if (response.file.empty()) {
        std::string head = response_head(response, with_length(response.body.size(), keep_alive));
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
    std::string head = response_head(response, with_length(response.file_bytes, keep_alive));
    const bool with_body = !head_only && !has_no_body(response.status);
    if (!with_body) co_return co_await send_memory(connection, std::move(head), {});
    co_return co_await send_file(connection, std::move(head), file);
}

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

/// False, or an exception: the body stays incomplete.
awaitable<bool> make_body(const Response& response, HttpBodyWriter& writer)
{
    try {
        awaitable<bool> making = response.stream(writer);
        const bool whole = co_await std::move(making);
        co_return whole;
    } catch (...) {
        log_failure("a streamed answer", std::current_exception());
    }
    co_return false;
}

/// Sends the response while its body is made; the connection stays usable when it succeeds and `framing` keeps it.
Task<> send_streamed(ServedConnection& connection, Response response, Framing framing, std::stop_token gone)
{
    HttpBodyWriter writer(connection.stream, response_head(response, framing), framing.chunked, connection.limits.write_limit);
    const bool whole = co_await make_body(response, writer);
    if (whole && !writer.failed()) co_return co_await writer.finish();
    if (!writer.failed() && !gone.stop_requested())
        log::warn("http.stream_cut", {{"hint", "An answer could not be made to its end; the log has the cause before this."}});
    if (!writer.begun()) {
        Response failure = internal_error();
        co_await send_response(connection, std::move(failure), false, false);
        co_return Error{Code::internal, "The answer could not be begun."};
    }
    // Without the last chunk the client knows that this is not all.
    connection.stream.close();
    co_return Error{Code::internal, "The answer could not be made to its end."};
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

awaitable<void> become_websocket(ServedConnection& connection, Upgrade upgrade, std::string key)
{
    // By itself: a client that begins to listen when it is open would miss a first frame that came in the same segment.
    const std::string head = switching_protocols(key, upgrade.subprotocol);
    const auto sent = co_await write_all(connection, head);
    if (sent.has_error()) co_return;
    std::string early(connection.received());
    connection.buffer = {};
    if (upgrade.hand_over) {
        PartedWebSocket parted{connection.stream.part(), upgrade.limits, std::move(early)};
        if (parted.stream.is_open()) upgrade.hand_over(std::move(parted));
        co_return;
    }
    WebSocket socket(std::move(connection.stream), WebSocket::Role::server, upgrade.limits, std::move(early));
    awaitable<void> run = upgrade.run(std::move(socket));
    co_await std::move(run);
}

// --- the connection

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

/// What the request says about its answer.
struct Terms {
    bool head_only = false, http_1_1 = false, keep_alive = false;
    std::stop_token gone{};
};

/// True: another request may follow.
awaitable<bool> send_reply(ServedConnection& connection, Response response, const Terms& terms)
{
    Result<void> sent;
    Framing framing;
    framing.keep_alive = terms.keep_alive;
    if (!response.stream || has_no_body(response.status)) {
        sent = co_await send_response(connection, std::move(response), terms.head_only, terms.keep_alive);
        co_return sent && framing.keep_alive;
    }
    framing.chunked = terms.http_1_1;
    framing.keep_alive = terms.keep_alive && framing.chunked;  // else the end of the body is the end of the connection
    if (terms.head_only) {
        const std::string head = response_head(response, framing);
        sent = co_await write_all(connection, head);
    } else {
        sent = co_await send_streamed(connection, std::move(response), framing, terms.gone);
    }
    co_return sent && framing.keep_alive;
}

/// One request and its answer. True: another may follow.
awaitable<bool> serve_one(ServedConnection& connection, const Handler& handler, bool first)
{
    RequestParser parser;
    Reading reading = co_await read_request(connection, parser, first);
    if (reading.end == Reading::End::connection_over) co_return false;
    if (reading.end == Reading::End::refused) {
        co_await send_response(connection, std::move(reading.refusal), false, false);
        co_return false;
    }

    Request& request = *reading.request;
    Terms terms;
    terms.head_only = request.method == "HEAD";
    terms.http_1_1 = parser.get().version() == 11;
    // An endpoint that asked for another protocol and did not get it may already be speaking that one.
    terms.keep_alive = parser.keep_alive() && !request.wants_upgrade();
    UpgradeOffer offer = upgrade_offer(request, parser.get().version());
    ClientWatch watch(connection.stream, connection.buffer, connection.limits.header_bytes_max);
    request.gone = terms.gone = watch.gone();
    Reply reply = co_await ask(handler, std::move(request));
    if (auto* upgrade = std::get_if<Upgrade>(&reply)) {
        auto refusal = refusal_of(offer);
        if (!refusal) {
            watch.end();
            co_await become_websocket(connection, std::move(*upgrade), std::move(offer.key));
            co_return false;
        }
        reply = std::move(*refusal);
    }
    const bool more = co_await send_reply(connection, std::move(std::get<Response>(reply)), terms);
    watch.end();
    co_return more;
}

awaitable<void> serve_all(ServedConnection& connection, const Handler& handler)
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
    ServedConnection connection{std::move(stream), limits};
    try {
        co_await serve_all(connection, handler);
    } catch (...) {
        log_failure("a connection", std::current_exception());
    }
    connection.stream.close();
}

}  // namespace repartee::net
