#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The HTTP part of RFC 6455, as text.
namespace repartee::bench {

struct WsUrl {
    bool tls = false;
    std::string host, port, target;

    /// Host and port as they stand in a Host header.
    std::string authority() const;
};
/// ws://HOST[:PORT][/PATH][?QUERY] or wss://…; throws std::runtime_error.
WsUrl parse_ws_url(std::string_view text);

/// The value of a query parameter, undecoded; nullopt when it is not there.
std::optional<std::string_view> query_value(std::string_view target, std::string_view name);
void add_query(std::string& target, std::string_view name, std::string_view value);

using Headers = std::vector<std::pair<std::string, std::string>>;

std::string make_ws_key();
std::string upgrade_request(const WsUrl& url, std::string_view key, const Headers& more);
/// Empty when the answer's head accepts the upgrade, else why not.
std::string refusal_of(std::string_view head, std::string_view key);

struct UpgradeRequest {
    std::string target, key;
    bool offers_realtime = false;  ///< as a subprotocol
};
/// nullopt: not a WebSocket request.
std::optional<UpgradeRequest> parse_upgrade_request(std::string_view head);
std::string upgrade_answer(const UpgradeRequest& request);

}  // namespace repartee::bench
