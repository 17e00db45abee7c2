#include "repartee/net/http_message.hpp"

#include <algorithm>

namespace repartee::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool list_contains(std::string_view list, std::string_view token)
{
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        if (equal_ignoring_case(trimmed(list.substr(0, comma)), token)) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
    return false;
}

int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
    return -1;
}

bool decode(std::string_view text, bool plus_is_space, std::string& out)
{
    out.clear();
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (text.size() - i < 3) return false;
            const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
            if (high < 0 || low < 0) return false;
            out += static_cast<char>(high * 16 + low);
            i += 2;
        } else {
            out += plus_is_space && text[i] == '+' ? ' ' : text[i];
        }
    }
    return true;
}

bool parse_query(std::string_view text, Request& into)
{
    std::string name, value;
    while (!text.empty()) {
        const std::string_view pair = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(text.size(), pair.size() + 1));
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        if (!decode(pair.substr(0, equals), true, name)) return false;
        if (!decode(pair.substr(std::min(pair.size(), equals + 1)), true, value)) return false;
        into.query.emplace(name, value);
    }
    return true;
}

/// "http://host:1/a?b" → "/a?b": a client may send the whole URL (RFC 9112, 3.2.2), as if we were a proxy.
std::string_view origin_form(std::string_view target)
{
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
        const std::size_t path = target.find_first_of("/?", scheme.size());
        return path == std::string_view::npos ? "/" : target.substr(path);
    }
    return target;
}

struct StatusText {
    int status;
    std::string_view text;
};

constexpr StatusText status_texts[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

}  // namespace

std::string_view Request::header(std::string_view lower_case_name) const
{
    for (const auto& [name, value] : headers)
        if (name == lower_case_name) return value;
    return {};
}

std::optional<std::string_view> Request::query_value(std::string_view name) const
{
    const auto found = query.lower_bound(name);  // the first of several
    if (found == query.end() || found->first != name) return std::nullopt;
    return found->second;
}

bool Request::wants_upgrade() const
{
    return method == "GET" && list_contains(header("upgrade"), "websocket") && list_contains(header("connection"), "upgrade");
}

std::string_view status_text(int status)
{
    for (const auto& row : status_texts)
        if (row.status == status) return row.text;
    return "Unknown";
}

bool parse_target(std::string_view target, Request& into)
{
    const std::string_view relative = origin_form(target);
    const std::size_t question = std::min(relative.find('?'), relative.size());
    std::string path;
    if (!decode(relative.substr(0, question), false, path)) return false;
    if (path.find('\0') != std::string::npos) return false;
    if (path.empty()) path = "/";
    if (path.front() != '/' && path != "*") return false;
    into.query.clear();
    if (!parse_query(relative.substr(std::min(relative.size(), question + 1)), into)) return false;
    into.target = target;
    into.path = std::move(path);
    return true;
}

}  // namespace repartee::net
