#pragma once
#include "repartee/net/awaitable.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
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
    std::stop_token gone{};               ///< stops when the client leaves before its answer is complete
    std::shared_ptr<void> body_permit{};  ///< what BodyPermit::held was; freed with the request

    std::string_view header(std::string_view lower_case_name) const;  ///< empty when absent; several are not joined: the first
    std::optional<std::string_view> query_value(std::string_view name) const;
    bool wants_upgrade() const;  ///< a WebSocket upgrade request
};

/// Takes the body of a streamed response.
class BodyWriter {
public:
    virtual ~BodyWriter() = default;
    /// Sends at once, as one chunk. Code::closed, Code::slow_client: the client is gone, and further writes are refused.
    virtual Task<> write(std::string_view bytes) = 0;
    /// A header behind the body; to be announced with a `Trailer` header. Dropped when the answer is not chunked (HTTP/1.0).
    virtual void add_trailer(std::string name, std::string value) = 0;
};

struct Response {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    /// When set, the bytes [file_offset, file_offset + file_bytes) of this file are the body, streamed in pieces.
    std::string file;
    std::uint64_t file_offset = 0, file_bytes = 0;
    /// When set, it writes the body while it is made: chunked (HTTP/1.1), or up to the end of the connection. False, or an exception: the body is
    /// cut, which the client sees (no last chunk); before the first byte it becomes a 500. Not called for HEAD.
    std::function<awaitable<bool>(BodyWriter&)> stream{};
};

/// "OK", "Not Found", …
std::string_view status_text(int status);
/// Splits and decodes a request target; false when an escape is malformed or the path holds a NUL.
bool parse_target(std::string_view target, Request& into);

}  // namespace repartee::net
