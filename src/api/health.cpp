#include "handlers.hpp"
#include "respond.hpp"

namespace repartee::api {

net::Reply get_health(Services& services, net::Request&&, const PathParams&)
{
    const Shared& shared = services.shared;
    return respond_json(200, {{"status", "healthy"},
                              {"version", shared.settings.version},
                              {"upstream", shared.settings.upstream},
                              {"model", shared.settings.model},
                              {"sessions", shared.sessions.load()}});
}

net::Reply get_alive(Services&, net::Request&&, const PathParams&) { return respond_json(200, {{"status", "alive"}}); }

net::Reply get_ready(Services& services, net::Request&&, const PathParams&)
{
    if (services.shared.draining) return respond_error({Code::busy, "The server is shutting down."});
    if (!services.source.is_ready()) return respond_error({Code::upstream_unavailable, "The voice service is not reachable now."});
    return respond_json(200, {{"status", "ready"}});
}

net::Reply get_metrics(Services& services, net::Request&&, const PathParams&)
{
    net::Response response;
    response.headers.emplace_back("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    response.body = services.shared.metrics.prometheus_text();
    return response;
}

net::Reply list_models(Services& services, net::Request&&, const PathParams&)
{
    json::object model{{"id", services.shared.settings.model}, {"object", "model"}, {"created", 0}, {"owned_by", "repartee"}};
    return respond_json(200, {{"object", "list"}, {"data", json::array{std::move(model)}}});
}

}  // namespace repartee::api
