#pragma once
#include "repartee/base/error.hpp"

#include <string>
#include <string_view>

namespace repartee::net {

struct Url {
    std::string scheme;  ///< lower case: ws, wss, http, https
    std::string host;    ///< without brackets
    std::string port;    ///< the scheme's default when absent
    std::string target;  ///< path and query, at least "/"

    bool tls() const { return scheme == "wss" || scheme == "https"; }
    std::string host_header() const;  ///< with the port when it is not the scheme's default
};
/// Code::invalid_value names what is wrong and shows a right one. User info is refused (secrets belong in the config).
Result<Url> parse_url(std::string_view text);
/// Percent-encodes everything but unreserved characters.
std::string percent_encode(std::string_view text);
/// Appends one byte as %XX.
void append_percent_encoded(std::string& out, char c);

}  // namespace repartee::net
