#pragma once
#include "repartee/net/http_message.hpp"

#include <optional>
#include <string>

namespace repartee::api {

/// A file, or the part of it that a Range header asks for; 304 and 416 as they come. Nullopt: there is no such file. `path` holds nothing that a
/// client chose.
std::optional<net::Response> file_response(const std::string& path, std::string content_type, const net::Request& request);

}  // namespace repartee::api
