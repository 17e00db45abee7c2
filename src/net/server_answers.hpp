#pragma once
#include "repartee/net/http_message.hpp"

#include <cstddef>
#include <string_view>

namespace repartee::net {

/// What the server says itself, without asking a handler.
Response error_response(int status, Code code, std::string_view message);
Response internal_error();
/// `what`: "header" or "body".
Response too_large(int status, std::string_view what, std::size_t limit_bytes);

}  // namespace repartee::net
