#include "config_problems.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <optional>

namespace repartee::app {
namespace {

class CrossCheck {
public:
    CrossCheck(const Config& config, const SourceOf& source_of) : config_(config), problems_(source_of) {}

    std::vector<std::string> run()
    {
        check_listeners();
        check_origins();
        check_files();
        check_upstream();
        check_other_realtimes(config_, problems_);
        check_lasting(config_, problems_);
        check_roles(config_, problems_);
        return problems_.take();
    }

private:
    void check_listeners();
    void check_origins();
    void check_files();
    void check_upstream();

    const Config& config_;
    Problems problems_;
};

/// The port of HOST:PORT or [IPV6]:PORT.
std::optional<unsigned> port_of(std::string_view text)
{
    const std::size_t colon = text.rfind(':');
    if (colon == text.npos || colon == 0) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (host.empty() || host.find_first_of("[] /") != host.npos || (!bracketed && host.find(':') != host.npos)) return std::nullopt;
    unsigned port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc{} || end != digits.data() + digits.size() || port > 65'535) return std::nullopt;
    return port;
}

/// SCHEME://HOST[:PORT] as browsers send it: no path, no slash at the end.
bool is_origin(std::string_view text)
{
    const std::size_t scheme_end = text.find("://");
    if (scheme_end == text.npos || scheme_end == 0) return false;
    const std::string_view host = text.substr(scheme_end + 3);
    return !host.empty() && host.find_first_of("/?#@ ") == host.npos;
}

void CrossCheck::check_origins()
{
    std::string_view rest = config_.server.allowed_origins;
    while (!rest.empty()) {
        const std::size_t comma = std::min(rest.find(','), rest.size());
        std::string_view origin = rest.substr(0, comma);
        rest.remove_prefix(std::min(comma + 1, rest.size()));
        while (origin.starts_with(' ')) origin.remove_prefix(1);
        while (origin.ends_with(' ')) origin.remove_suffix(1);
        if (origin.empty() || origin == "*" || is_origin(origin)) continue;
        problems_.refuse_value("server.allowed_origins", origin,
                     "is not an origin. Write it like https://game.example, without a path or slash at the end.");
    }
}

void CrossCheck::check_listeners()
{
    const auto& server = config_.server;
    constexpr std::string_view mend = "is not HOST:PORT. Write it like 127.0.0.1:8000, localhost:8000 or [::1]:8000.";
    const auto port = port_of(server.listen);
    if (!port) problems_.refuse_value("server.listen", server.listen, mend);
    if (!server.tls_listen.empty() && !port_of(server.tls_listen)) problems_.refuse_value("server.tls_listen", server.tls_listen, mend);
    if (port && *port != 0 && server.listen == server.tls_listen)
        problems_.refuse_value("server.tls_listen", server.tls_listen, "is the address of server.listen too. Give TLS another port.");
    if (server.tls_cert.empty() != server.tls_key.empty())
        problems_.refuse(server.tls_cert.empty() ? "server.tls_key" : "server.tls_cert",
               "is set alone. Set server.tls_cert and server.tls_key together, or neither for a self-signed certificate.");
    if (!server.api_keys.empty() && server.api_keys.find_first_not_of(", ") == server.api_keys.npos)
        problems_.refuse("server.api_keys", "holds commas but no key. Name at least one key, or leave it empty to let anyone connect.");
}

void CrossCheck::check_files()
{
    if (config_.server.data_dir.empty()) problems_.refuse("server.data_dir", "is empty. Name a folder, e.g. \"data\".");
    problems_.check_exists("server.tls_cert", config_.server.tls_cert, false);
    problems_.check_exists("server.tls_key", config_.server.tls_key, false);
    problems_.check_exists("realtime.ca_file", config_.realtime.ca_file, false);
    problems_.check_exists("characters.dir", config_.characters.dir, true);
}

void CrossCheck::check_upstream()
{
    const auto& realtime = config_.realtime;
    if (realtime.backoff_min_ms > realtime.backoff_max_ms)
        problems_.refuse("realtime.backoff_min_ms", fmt::format("= {} is greater than realtime.backoff_max_ms = {}. Swap or adapt them.",
                                                      realtime.backoff_min_ms, realtime.backoff_max_ms));
    if (config_.effective_model().empty())
        problems_.refuse(config_.effective_upstream() == "local" ? "local.model" : "realtime.model", "is empty. Name a model.");
    const auto url = problems_.check_url("realtime.url", realtime.url, {"wss", "ws"});
    if (url && config_.effective_upstream() == "openai" && realtime.api_key.empty() && is_openai_host(url->host))
        problems_.refuse("realtime.upstream",
               "is \"openai\" or decided so by realtime.url, but there is no key. Set OPENAI_API_KEY, OPENAI_API_KEY_FILE or "
               "realtime.api_key, or choose realtime.upstream = \"local\".");
}

}  // namespace

bool is_openai_host(std::string_view host)
{
    constexpr std::string_view openai = "api.openai.com";
    return std::ranges::equal(host, openai, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

std::vector<std::string> cross_check(const Config& config, const SourceOf& source_of) { return CrossCheck(config, source_of).run(); }

}  // namespace repartee::app
