#pragma once
#include "repartee/net/http_message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace repartee::net {

/// Whatever a handler puts into a header, it cannot begin another one.
void append_header(std::string& head, std::string_view header_name, std::string_view value);

/// Framing and connection are the server's own: a handler's values for them are passed over.
bool is_set_by_the_server(std::string_view header_name);

bool has_no_body(int status);

/// How the end of a body is told.
struct Framing {
    std::optional<std::uint64_t> body_bytes{};  ///< known
    bool chunked = false;                       ///< else; neither: by the end of the connection
    bool keep_alive = false;
};

/// Status line and headers, with the empty line behind them.
std::string response_head(const Response& response, const Framing& framing);

}  // namespace repartee::net
