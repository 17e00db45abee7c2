#pragma once
#include "repartee/net/byte_stream.hpp"
#include "repartee/net/http_message.hpp"
#include "repartee/net/tls_context.hpp"
#include "repartee/net/url.hpp"

namespace repartee::net {

struct HttpRequest {
    std::string method = "GET";
    Url url;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
};

/// One request on a connection of its own; the answer's body is collected, at most `body_bytes_max` (else Code::too_large).
/// `tls` may be null for http URLs. Errors: Code::timeout, Code::closed, Code::tls, Code::protocol. Any status is a success here.
Task<Response> http_request(const HttpRequest& request, const TlsContext* tls, std::size_t body_bytes_max, std::chrono::milliseconds limit);

}  // namespace repartee::net
