#include "config_problems.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <tuple>

namespace repartee::app {
namespace {

bool is_in_use(const Config::OtherRealtime& other) { return !other.url.empty() || !other.api_key.empty(); }

bool is_empty(const Config::OtherRealtime& other)
{
    return !is_in_use(other) && other.organization.empty() && other.project.empty() && other.model.empty() && other.ca_file.empty();
}

bool is_same_host(std::string_view a, std::string_view b)
{
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::ranges::equal(a, b, {}, lower, lower);
}

Config::RealtimeService completed(const Config::Realtime& first, const Config::OtherRealtime& other, std::string section)
{
    Config::RealtimeService service;
    service.section = std::move(section);
    service.url = other.url.empty() ? first.url : other.url;
    service.names_model = !other.model.empty();
    service.model = other.model.empty() ? first.model : other.model;
    service.api_key = other.api_key;
    service.organization = other.organization;
    service.project = other.project;
    service.ca_file = other.ca_file.empty() ? first.ca_file : other.ca_file;
    const auto at = net::parse_url(service.url), first_at = net::parse_url(first.url);
    if (!at || !first_at || !service.api_key.empty()) return service;
    // A key never goes to a host that it was not meant for, nor where it could be read on the way.
    const bool is_meant = is_same_host(at->host, first_at->host) && at->port == first_at->port && at->tls() >= first_at->tls();
    if (!is_meant) return service;
    service.api_key = first.api_key;
    if (service.organization.empty()) service.organization = first.organization;
    if (service.project.empty()) service.project = first.project;
    return service;
}

}  // namespace

std::vector<Config::RealtimeService> Config::realtime_services() const
{
    if (effective_upstream() == "local") return {};
    RealtimeService first;
    first.section = "realtime";
    first.url = realtime.url;
    first.api_key = realtime.api_key;
    first.organization = realtime.organization;
    first.project = realtime.project;
    first.model = realtime.model;
    first.ca_file = realtime.ca_file;
    std::vector<RealtimeService> services{std::move(first)};
    if (is_in_use(realtime_2)) services.push_back(completed(realtime, realtime_2, "realtime_2"));
    if (is_in_use(realtime_3)) services.push_back(completed(realtime, realtime_3, "realtime_3"));
    return services;
}

void check_other_realtimes(const Config& config, Problems& problems)
{
    using Other = std::tuple<const char*, const Config::OtherRealtime&>;
    for (const auto& [section, other] : {Other{"realtime_2", config.realtime_2}, Other{"realtime_3", config.realtime_3}}) {
        if (!other.url.empty()) problems.check_url(fmt::format("{}.url", section), other.url, {"wss", "ws"});
        problems.check_exists(fmt::format("{}.ca_file", section), other.ca_file, false);
        if (!is_in_use(other) && !is_empty(other))
            problems.refuse(fmt::format("{}.url", section),
                            fmt::format("is empty, but other settings of [{0}] are not. Name the service's address as {0}.url, or another key for "
                                        "that of [realtime] as {0}.api_key.",
                                        section));
        if (is_in_use(other) && config.realtime.upstream == "auto" && config.effective_upstream() == "local")
            problems.refuse(fmt::format("{}.{}", section, other.url.empty() ? "api_key" : "url"),
                            "is set, but no first service is. Name it as realtime.url, or its key as realtime.api_key.");
    }
    if (!is_in_use(config.realtime_2) && is_in_use(config.realtime_3))
        problems.refuse(config.realtime_3.url.empty() ? "realtime_3.api_key" : "realtime_3.url",
                        "is set, but [realtime_2] is not. Name the second service before the third in [realtime_2].");
    for (const Config::RealtimeService& service : config.realtime_services()) {
        if (service.section == "realtime") continue;  // looked at with the rest of [realtime]
        const auto url = net::parse_url(service.url);
        if (url && service.api_key.empty() && is_openai_host(url->host))
            problems.refuse(service.section + ".api_key", fmt::format("is empty, and there is no other key for {}. Set {}.api_key or OPENAI_API_KEY.",
                                                                      url->host, service.section));
    }
}

}  // namespace repartee::app
