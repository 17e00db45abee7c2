#include "handlers.hpp"
#include "respond.hpp"

#include <thread>

namespace repartee::api {
namespace {

const auto process_start = std::chrono::steady_clock::now();

json::object upstream_status(Services& services)
{
    const Metrics& metrics = services.shared.metrics;
    return {{"kind", services.shared.settings.upstream},
            {"model", services.shared.settings.model},
            {"ready", services.source.is_ready()},
            {"warm", metrics.upstream_warm.value()},
            {"leases_warm", metrics.upstream_lease_warm.value()},
            {"leases_cold", metrics.upstream_lease_cold.value()}};
}

}  // namespace

net::Reply get_status(Services& services, net::Request&&, const PathParams&)
{
    const Shared& shared = services.shared;
    const auto up_for = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - process_start);
    return respond_json(200, {{"version", shared.settings.version},
                              {"uptime_ms", up_for.count()},
                              {"draining", shared.draining.load()},
                              {"cores", std::thread::hardware_concurrency()},
                              {"characters", shared.catalogue.snapshot()->all().size()},
                              {"keys_wanted", !shared.settings.api_keys.empty()},
                              {"sessions", {{"active", shared.sessions.load()}, {"max", shared.settings.sessions_max}, {"total", shared.metrics.sessions_total.value()}}},
                              {"connections", {{"active", shared.metrics.connections_active.value()}, {"refused", shared.metrics.connections_refused.value()}}},
                              {"upstream", upstream_status(services)}});
}

}  // namespace repartee::api
