#pragma once
#include "repartee/net/http_client.hpp"

#include <optional>
#include <string>

namespace repartee::net {

/// The request's line and headers with the empty line behind them. `target` and `proxy_authorization` differ when it goes to a proxy.
/// `body_bytes`: nullopt: in chunks. Code::invalid_value: a part would break out of its place, e.g. a key from the environment with a line break.
Result<std::string> request_head(const HttpRequest& request, const std::string& target, std::optional<std::uint64_t> body_bytes,
                                 const std::string& proxy_authorization);

}  // namespace repartee::net
