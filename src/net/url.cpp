#include "repartee/net/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

namespace repartee::net {
namespace {

constexpr std::size_t url_bytes_max = 8192;

struct Scheme {
    std::string_view name, default_port;
};
constexpr Scheme schemes[] = {{"ws", "80"}, {"wss", "443"}, {"http", "80"}, {"https", "443"}};

const Scheme* find_scheme(std::string_view name)
{
    const auto found = std::ranges::find(schemes, name, &Scheme::name);
    return found == std::end(schemes) ? nullptr : found;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_unreserved(char c) { return is_digit(c) || is_letter(c) || c == '-' || c == '.' || c == '_' || c == '~'; }
bool is_visible_ascii(char c) { return c > 0x20 && c < 0x7f; }

std::string lower(std::string_view text)
{
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// The address itself is not shown: its query or user info may hold a secret.
Error bad_url(std::string_view what)
{
    return Error{Code::invalid_value, "Bad URL: " + std::string(what) + ". Write it like https://host:8443/path."};
}

bool is_name_or_v4(std::string_view host)
{
    return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, is_unreserved);
}

bool is_v6(std::string_view host)
{
    const auto fits = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.'; };
    return host.size() >= 2 && host.size() <= 45 && std::ranges::count(host, ':') >= 2 && std::ranges::all_of(host, fits);
}

std::optional<std::string> normal_port(std::string_view digits)
{
    std::uint16_t port = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (failure != std::errc() || end != digits.data() + digits.size() || port == 0) return std::nullopt;
    return std::to_string(port);
}

/// Splits "host", "host:port", "[v6]" and "[v6]:port"; false when the brackets do not fit.
bool split_authority(std::string_view authority, std::string_view& host, std::optional<std::string_view>& port)
{
    std::string_view rest;
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        if (end == std::string_view::npos) return false;
        host = authority.substr(1, end - 1);
        rest = authority.substr(end + 1);
        if (!is_v6(host)) return false;
    } else {
        host = authority.substr(0, authority.find(':'));
        rest = authority.substr(host.size());
        if (!is_name_or_v4(host)) return false;
    }
    if (rest.empty()) return true;
    if (rest.front() != ':') return false;
    port = rest.substr(1);
    return true;
}

}  // namespace

std::string Url::host_header() const
{
    const std::string shown = host.find(':') != std::string::npos ? fmt::format("[{}]", host) : host;
    const Scheme* const known = find_scheme(scheme);
    return known && port == known->default_port ? shown : shown + ":" + port;
}

Result<Url> parse_url(std::string_view text)
{
    if (text.size() > url_bytes_max) return bad_url("it is longer than 8192 bytes");
    if (!std::ranges::all_of(text, is_visible_ascii)) return bad_url("it holds a space or a character that must be percent-encoded");
    const auto scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) return bad_url("it has no scheme");
    Url url;
    url.scheme = lower(text.substr(0, scheme_end));
    const Scheme* const scheme = find_scheme(url.scheme);
    if (!scheme) return bad_url("the scheme must be http, https, ws or wss");

    text.remove_prefix(scheme_end + 3);
    text = text.substr(0, text.find('#'));
    const auto authority = text.substr(0, text.find_first_of("/?"));
    const auto target = text.substr(authority.size());
    if (authority.find('@') != std::string_view::npos)
        return bad_url("user names and passwords do not belong into it, but into the configuration");

    std::string_view host;
    std::optional<std::string_view> port;
    if (!split_authority(authority, host, port)) return bad_url("the host name is missing or malformed");
    url.host = lower(host);
    const auto good_port = normal_port(port.value_or(scheme->default_port));
    if (!good_port) return bad_url("the port must be a number from 1 to 65535");
    url.port = *good_port;
    url.target = fmt::format("{}{}", target.starts_with('/') ? "" : "/", target);
    return url;
}

std::string percent_encode(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (is_unreserved(c)) out += c;
        else append_percent_encoded(out, c);
    }
    return out;
}

void append_percent_encoded(std::string& out, char c)
{
    constexpr std::string_view hex = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += hex[byte >> 4];
    out += hex[byte & 15];
}

}  // namespace repartee::net
