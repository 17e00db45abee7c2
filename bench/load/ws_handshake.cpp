#include "ws_handshake.hpp"

#include "repartee/audio/base64.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <span>
#include <stdexcept>

namespace repartee::bench {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// The first line and the header fields behind it.
std::string_view first_line(std::string_view head) { return head.substr(0, head.find("\r\n")); }

std::string_view field(std::string_view head, std::string_view name)
{
    std::size_t at = head.find("\r\n");
    while (at != head.npos && at + 2 < head.size()) {
        const std::size_t begin = at + 2, end = std::min(head.find("\r\n", begin), head.size());
        const std::string_view line = head.substr(begin, end - begin);
        const std::size_t colon = line.find(':');
        if (colon != line.npos && equals_ignoring_case(line.substr(0, colon), name)) return trimmed(line.substr(colon + 1));
        at = end == head.size() ? head.npos : end;
    }
    return {};
}

std::string base64_of(std::span<const std::byte> bytes)
{
    std::string text(audio::base64_encoded_bytes(bytes.size()), '\0');
    audio::base64_encode(bytes, text.data());
    return text;
}

std::string accept_key(std::string_view key)
{
    const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, 20> digest;
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
    return base64_of(std::as_bytes(std::span(digest)));
}

}  // namespace

std::string WsUrl::authority() const
{
    const std::string name = host.find(':') == host.npos ? host : "[" + host + "]";
    return name + ":" + port;
}

WsUrl parse_ws_url(std::string_view text)
{
    const auto fail = [&](const char* why) {
        return std::runtime_error("--url " + std::string(text) + ": " + why + " Give ws://HOST:PORT/PATH or wss://…");
    };
    WsUrl url;
    std::string_view rest = text;
    if (rest.starts_with("wss://")) url.tls = true;
    else if (!rest.starts_with("ws://")) throw fail("the scheme is not ws or wss.");
    rest.remove_prefix(url.tls ? 6 : 5);
    const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
    std::string_view authority = rest.substr(0, authority_end);
    url.target = rest.substr(authority_end);
    if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
    if (url.target.find_first_of(" \r\n") != url.target.npos) throw fail("there is a blank in the path.");

    url.port = url.tls ? "443" : "80";
    std::size_t port_at = authority.rfind(':');
    if (authority.starts_with('[')) {
        const std::size_t close = authority.find(']');
        if (close == authority.npos) throw fail("the address has no ']'.");
        url.host = authority.substr(1, close - 1);
        if (port_at < close) port_at = authority.npos;
    } else {
        url.host = authority.substr(0, port_at);
    }
    if (port_at != authority.npos) url.port = authority.substr(port_at + 1);
    if (url.host.empty() || url.port.empty()) throw fail("there is no host or no port.");
    return url;
}

std::optional<std::string_view> query_value(std::string_view target, std::string_view name)
{
    std::size_t at = target.find('?');
    while (at != target.npos) {
        const std::size_t begin = at + 1, end = std::min(target.find('&', begin), target.size());
        const std::string_view pair = target.substr(begin, end - begin);
        const std::size_t equals = std::min(pair.find('='), pair.size());
        if (pair.substr(0, equals) == name) return equals == pair.size() ? std::string_view() : pair.substr(equals + 1);
        at = end == target.size() ? target.npos : end;
    }
    return std::nullopt;
}

void add_query(std::string& target, std::string_view name, std::string_view value)
{
    target += target.find('?') == target.npos ? '?' : '&';
    target.append(name).append("=").append(value);
}

std::string make_ws_key()
{
    std::array<unsigned char, 16> nonce;
    if (RAND_bytes(nonce.data(), static_cast<int>(nonce.size())) != 1) throw std::runtime_error("OpenSSL has no random bytes.");
    return base64_of(std::as_bytes(std::span(nonce)));
}

std::string upgrade_request(const WsUrl& url, std::string_view key, const Headers& more)
{
    std::string text = "GET " + url.target + " HTTP/1.1\r\nHost: " + url.authority() +
                       "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ";
    text.append(key).append("\r\n");
    for (const auto& [name, value] : more) text.append(name).append(": ").append(value).append("\r\n");
    return text + "\r\n";
}

std::string refusal_of(std::string_view head, std::string_view key)
{
    const std::string_view line = first_line(head);
    const std::size_t status_at = line.find(' ');
    if (status_at == line.npos || line.substr(status_at + 1, 3) != "101") return "the server refused the WebSocket: " + std::string(line);
    if (field(head, "Sec-WebSocket-Accept") != accept_key(key)) return "the server's Sec-WebSocket-Accept does not fit the key";
    return {};
}

std::optional<UpgradeRequest> parse_upgrade_request(std::string_view head)
{
    const std::string_view line = first_line(head);
    if (!line.starts_with("GET ")) return std::nullopt;
    const std::size_t target_end = line.find(' ', 4);
    const std::string_view key = field(head, "Sec-WebSocket-Key");
    if (target_end == line.npos || key.empty()) return std::nullopt;
    UpgradeRequest request;
    request.target = line.substr(4, target_end - 4);
    request.key = key;
    request.offers_realtime = field(head, "Sec-WebSocket-Protocol").find("realtime") != std::string_view::npos;
    return request;
}

std::string upgrade_answer(const UpgradeRequest& request)
{
    std::string text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
                       accept_key(request.key) + "\r\n";
    if (request.offers_realtime) text += "Sec-WebSocket-Protocol: realtime\r\n";
    return text + "\r\n";
}

}  // namespace repartee::bench
