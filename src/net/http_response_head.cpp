#include "http_response_head.hpp"

#include <boost/beast/core/string.hpp>

#include <ctime>

namespace repartee::net {
namespace {

std::string http_date()
{
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    char text[64];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

}  // namespace

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
        if (boost::beast::iequals({header_name.data(), header_name.size()}, own)) return true;
    return false;
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

std::string response_head(const Response& response, const Framing& framing)
{
    std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
    head += status_text(response.status);
    head += "\r\n";
    append_header(head, "Date", http_date());
    for (const auto& [header_name, value] : response.headers)
        if (!is_set_by_the_server(header_name)) append_header(head, header_name, value);
    if (!has_no_body(response.status)) {
        if (framing.body_bytes)
            append_header(head, "Content-Length", std::to_string(*framing.body_bytes));
        else if (framing.chunked)
            append_header(head, "Transfer-Encoding", "chunked");
    }
    append_header(head, "Connection", framing.keep_alive ? "keep-alive" : "close");
    return head += "\r\n";
}

}  // namespace repartee::net
