#include "http_request_text.hpp"

#include <algorithm>

namespace repartee::net {
namespace {

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

}  // namespace

Result<std::string> request_head(const HttpRequest& request, const std::string& target, std::optional<std::uint64_t> body_bytes,
                                 const std::string& proxy_authorization)
{
    if (!is_token(request.method)) return Error{Code::invalid_value, "The HTTP method is malformed. Use a name such as GET or POST."};
    if (!is_target(request.url.target))
        return Error{Code::invalid_value, "The URL's path is malformed. It must begin with '/' and be percent-encoded."};
    std::string text = request.method + " " + target + " HTTP/1.1\r\nHost: " + request.url.host_header() + "\r\n";
    if (!proxy_authorization.empty()) text += "Proxy-Authorization: " + proxy_authorization + "\r\n";
    for (const auto& [name, value] : request.headers) {
        if (!is_token(name))
            return Error{Code::invalid_value, "A header name of the HTTP request is malformed. Use letters, digits and '-'."};
        if (!is_header_value(value))
            return Error{Code::invalid_value,
                         "The value of the HTTP header '" + name + "' holds a control character, perhaps a line break. Remove it."};
        text += name + ": " + value + "\r\n";
    }
    const bool expects_a_length = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
    if (!body_bytes)
        text += "Transfer-Encoding: chunked\r\n";
    else if (*body_bytes > 0 || expects_a_length)
        text += "Content-Length: " + std::to_string(*body_bytes) + "\r\n";
    return text + "\r\n";
}

}  // namespace repartee::net
