#include "repartee/net/proxy.hpp"

#include "repartee/audio/base64.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <span>

namespace repartee::net {
namespace {

constexpr std::string_view default_port = ":1080";  // curl's

std::string lower(std::string_view text)
{
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// What is no escape stays as it is: many write their password as it is.
std::string percent_decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '%' && text.size() - i > 2 && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
        out += escape ? static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])) : text[i];
        if (escape) i += 2;
    }
    return out;
}

std::string basic_authorization(std::string_view user_info)
{
    const std::size_t colon = user_info.find(':');
    const std::string name = percent_decoded(user_info.substr(0, colon));
    const std::string password = colon == std::string_view::npos ? "" : percent_decoded(user_info.substr(colon + 1));
    const std::string plain = name + ":" + password;
    std::string encoded(audio::base64_encoded_bytes(plain.size()), '\0');
    audio::base64_encode(std::as_bytes(std::span(plain)), encoded.data());
    return "Basic " + encoded;
}

Error bad_proxy(const std::string& variable, const char* what)
{
    return Error{Code::invalid_value, "The environment variable " + variable + " " + what + ". Write it like http://host:3128, or unset it."};
}

Result<Proxy> parse_proxy(const std::string& variable, std::string_view value)
{
    if (const auto scheme_end = value.find("://"); scheme_end != std::string_view::npos) {
        if (lower(value.substr(0, scheme_end)) != "http") return bad_proxy(variable, "names a proxy of another kind than http://");
        value.remove_prefix(scheme_end + 3);
    }
    Proxy proxy;
    if (const auto at = value.rfind('@'); at != std::string_view::npos) {
        proxy.authorization = basic_authorization(value.substr(0, at));
        value.remove_prefix(at + 1);
    }
    std::string authority(value.substr(0, value.find('/')));
    const auto brackets_end = authority.rfind(']');
    if (authority.find(':', brackets_end == std::string::npos ? 0 : brackets_end) == std::string::npos) authority += default_port;
    const auto url = parse_url("http://" + authority);
    if (!url) return bad_proxy(variable, "holds no proxy address");
    proxy.host = url->host;
    proxy.port = url->port;
    return proxy;
}

using Environment = std::function<const char*(const char*)>;

/// The first of these that is set and not empty.
Result<std::optional<Proxy>> first_proxy(const Environment& environment, std::initializer_list<const char*> variables)
{
    for (const char* variable : variables) {
        const char* const value = environment(variable);
        if (!value || !*value) continue;
        auto proxy = parse_proxy(variable, value);
        if (!proxy) return proxy.error();
        return std::optional(std::move(*proxy));
    }
    return std::optional<Proxy>();
}

std::vector<std::string> split(std::string_view list)
{
    std::vector<std::string> out;
    while (!list.empty()) {
        const auto end = std::min(list.find_first_of(", \t"), list.size());
        if (end > 0) out.push_back(lower(list.substr(0, end)));
        list.remove_prefix(std::min(list.size(), end + 1));
    }
    return out;
}

bool is_this_machine(const std::string& host)
{
    in_addr v4{};
    in6_addr v6{};
    if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    if (::inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6) != 0;
    return host == "localhost" || host.ends_with(".localhost");
}

/// One entry of no_proxy: "host", ".suffix", "*.suffix", "host:port", "[::1]:port", "::1".
bool covers(std::string_view entry, const Url& url)
{
    if (entry.starts_with('[')) {
        const auto end = entry.find(']');
        if (end == std::string_view::npos) return false;
        const auto behind = entry.substr(end + 1);
        return entry.substr(1, end - 1) == url.host && (behind.empty() || behind == ":" + url.port);
    }
    if (std::ranges::count(entry, ':') == 1) {
        const auto colon = entry.find(':');
        if (entry.substr(colon + 1) != url.port) return false;
        entry = entry.substr(0, colon);
    }
    if (entry.starts_with("*.")) entry.remove_prefix(1);
    if (entry.starts_with('.')) entry.remove_prefix(1);
    if (entry.empty() || !url.host.ends_with(entry)) return false;
    return url.host.size() == entry.size() || url.host[url.host.size() - entry.size() - 1] == '.';
}

}  // namespace

Result<ProxyRules> ProxyRules::from_environment(const Environment& environment)
{
    const auto http = first_proxy(environment, {"http_proxy", "all_proxy", "ALL_PROXY"});
    if (!http) return http.error();
    const auto https = first_proxy(environment, {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"});
    if (!https) return https.error();
    ProxyRules rules;
    rules.http_ = *http;
    rules.https_ = *https;
    for (const char* variable : {"no_proxy", "NO_PROXY"}) {
        const char* const value = environment(variable);
        if (!value || !*value) continue;
        rules.direct_ = split(value);
        break;
    }
    return rules;
}

std::optional<Proxy> ProxyRules::choose(const Url& url) const
{
    const auto& proxy = url.tls() ? https_ : http_;
    if (!proxy || is_this_machine(url.host)) return std::nullopt;
    for (const auto& entry : direct_)
        if (entry == "*" || covers(entry, url)) return std::nullopt;
    return proxy;
}

}  // namespace repartee::net
