#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace repartee::net {

/// A request as handlers see it. `path` is percent-decoded; query values too.
struct Request {
    std::string method;  ///< as it came: methods are case-sensitive, the known ones upper case
    std::string target;  ///< as it came
    std::string path;
    std::multimap<std::string, std::string, std::less<>> query;
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
    std::string body;
    std::string remote_address;
    bool tls = false;

    std::string_view header(std::string_view lower_case_name) const;  ///< empty when absent; several are not joined: the first
    std::optional<std::string_view> query_value(std::string_view name) const;
    bool wants_upgrade() const;  ///< a WebSocket upgrade request
};

struct Response {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    /// When set, the bytes [file_offset, file_offset + file_bytes) of this file are the body, streamed in pieces.
    std::string file;
    std::uint64_t file_offset = 0, file_bytes = 0;
};

/// "OK", "Not Found", …
std::string_view status_text(int status);
/// Splits and decodes a request target; false when an escape is malformed or the path holds a NUL.
bool parse_target(std::string_view target, Request& into);

}  // namespace repartee::net
