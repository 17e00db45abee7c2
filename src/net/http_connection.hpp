#pragma once
#include "exchange_guard.hpp"

#include <memory>
#include <optional>
#include <string>

namespace repartee::net {

/// Where a request goes, and how. Connections of equal keys are interchangeable.
struct HttpRoute {
    Url url;
    std::optional<Proxy> proxy{};
    std::shared_ptr<const TlsContext> tls{};  ///< null for http

    std::string key() const;
    /// What stands in the request's first line: a proxy wants the whole address, but sees nothing of https.
    std::string target() const;
    std::string proxy_authorization() const;
};

struct HttpConnection {
    ByteStream stream;
    std::string key;
    std::shared_ptr<const TlsContext> tls;  ///< kept: its address is part of the key
};

/// Connects, through the proxy when there is one, and secures. `guard` outlives the call; its verdict goes before the returned error.
Task<std::unique_ptr<HttpConnection>> open_http_connection(HttpRoute route, ExchangeGuard& guard);

}  // namespace repartee::net
