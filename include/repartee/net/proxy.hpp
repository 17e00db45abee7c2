#pragma once
#include "repartee/net/url.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace repartee::net {

struct Proxy {
    std::string host, port;
    std::string authorization;  ///< secret: the value of Proxy-Authorization, or empty
};

/// Which requests go through a proxy, as curl reads the environment: http_proxy (lower case only: HTTP_PROXY can be set by a CGI client),
/// https_proxy, all_proxy and no_proxy (either case, lower first). localhost, 127.0.0.0/8 and ::1 never do. Pure.
class ProxyRules {
public:
    ProxyRules() = default;  ///< never a proxy
    /// Code::invalid_value names the variable (never its value: it may hold a password). Only http:// proxies are understood.
    static Result<ProxyRules> from_environment(const std::function<const char*(const char*)>& environment);

    /// no_proxy: a comma-separated list of hosts, .suffixes, host:port, or *.
    std::optional<Proxy> choose(const Url& url) const;

private:
    std::optional<Proxy> http_, https_;
    std::vector<std::string> direct_;
};

}  // namespace repartee::net
