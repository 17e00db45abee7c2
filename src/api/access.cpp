#include "access.hpp"

#include <openssl/crypto.h>

#include <algorithm>

#include "repartee/base/quoted.hpp"

namespace repartee::api {
namespace {

constexpr std::string_view key_subprotocol = "openai-insecure-api-key.";

std::vector<std::string_view> split_list(std::string_view text)
{
    std::vector<std::string_view> parts;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        std::string_view part = text.substr(0, comma);
        while (part.starts_with(' ')) part.remove_prefix(1);
        while (part.ends_with(' ')) part.remove_suffix(1);
        if (!part.empty()) parts.push_back(part);
        if (comma == std::string_view::npos) break;
        text.remove_prefix(comma + 1);
    }
    return parts;
}

std::string_view given_key(const net::Request& request)
{
    std::string_view authorization = request.header("authorization");
    if (authorization.starts_with("Bearer ")) return authorization.substr(7);
    for (const std::string_view protocol : split_list(request.header("sec-websocket-protocol")))
        if (protocol.starts_with(key_subprotocol)) return protocol.substr(key_subprotocol.size());
    if (const std::string_view header = request.header("api-key"); !header.empty()) return header;
    return request.query_value("api_key").value_or("");
}

// In constant time, so that a key cannot be guessed letter by letter.
bool same_key(std::string_view a, std::string_view b) { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace

Result<void> check_key(const Settings& settings, const net::Request& request)
{
    if (settings.api_keys.empty()) return {};
    const std::string_view key = given_key(request);
    for (const std::string& known : settings.api_keys)
        if (same_key(key, known)) return {};
    return Error{Code::unauthorized, key.empty() ? "This server wants an API key: send `Authorization: Bearer KEY`, or the subprotocols `realtime, openai-insecure-api-key.KEY`."
                                                 : "This API key is not one of server.api_keys."};
}

Result<void> check_origin(const Settings& settings, const net::Request& request)
{
    const std::string_view origin = request.header("origin");
    if (origin.empty()) return {};
    const std::size_t scheme_end = origin.find("://");
    if (scheme_end != std::string_view::npos && origin.substr(scheme_end + 3) == request.header("host")) return {};
    for (const std::string& allowed : settings.allowed_origins)
        if (allowed == "*" || allowed == origin) return {};
    return Error{Code::forbidden, "Pages of origin " + quoted(utf8_prefix(origin, 200)) + " may not connect. Add it to server.allowed_origins."};
}

std::string choose_subprotocol(const net::Request& request)
{
    const auto offered = split_list(request.header("sec-websocket-protocol"));
    return std::find(offered.begin(), offered.end(), "realtime") == offered.end() ? std::string() : std::string("realtime");
}

}  // namespace repartee::api
