#include "repartee/api/routes.hpp"

#include "access.hpp"
#include "handlers.hpp"
#include "respond.hpp"

#include <array>

#include "repartee/base/quoted.hpp"

namespace repartee::api {
namespace {

enum class Auth { open, key };

struct Row {
    Route route;
    Handler handler;
    Auth auth;
};

constexpr Row rows[] = {
    {{"GET", "/"}, get_page, Auth::open},
    {{"GET", "/web/{file}"}, get_page_file, Auth::open},
    {{"GET", "/web/{folder}/{file}"}, get_page_file, Auth::open},

    {{"GET", "/ws/conversations/{id}"}, open_conversation, Auth::key},
    {{"GET", "/v1/realtime"}, open_realtime, Auth::key},
    {{"GET", "/characters/{id}/v1/realtime"}, open_realtime, Auth::key},
    {{"GET", "/v1/models"}, list_models, Auth::key},

    {{"GET", "/api/v1/characters"}, list_characters, Auth::open},
    {{"GET", "/api/v1/characters/{id}"}, get_character, Auth::open},
    {{"GET", "/api/v1/characters/{id}/introduction"}, get_introduction, Auth::open},
    {{"GET", "/static/audio/{id}_intro.mp3"}, get_introduction_audio, Auth::open},

    {{"GET", "/health"}, get_health, Auth::open},
    {{"GET", "/healthz"}, get_alive, Auth::open},
    {{"GET", "/readyz"}, get_ready, Auth::open},
    {{"GET", "/metrics"}, get_metrics, Auth::open},
    {{"GET", "/api/v1/status"}, get_status, Auth::key},
};

constexpr auto addresses = [] {
    std::array<Route, std::size(rows)> routes{};
    for (std::size_t i = 0; i < routes.size(); ++i) routes[i] = rows[i].route;
    return routes;
}();

net::Reply answer(Services& services, net::Request&& request)
{
    services.shared.metrics.http_requests_total.add();
    const Match match = match_route(addresses, request.method, request.path);
    if (match.kind == Match::Kind::not_found)
        return respond_error({Code::not_found, "There is nothing at " + quoted(utf8_prefix(request.path, 200)) + ". The characters are at /api/v1/characters."});
    if (match.kind == Match::Kind::method_not_allowed) {
        net::Response response = respond_error({Code::method_not_allowed, quoted(utf8_prefix(request.method, 32)) + " is not served here; allowed: " + match.allow + "."});
        response.headers.emplace_back("Allow", match.allow);
        return response;
    }
    const Row& row = rows[match.index];
    if (row.auth == Auth::key)
        if (const auto allowed = check_key(services.shared.settings, request); !allowed) {
            services.shared.metrics.count_error(allowed.error().code);
            return respond_error(allowed.error());
        }
    return row.handler(services, std::move(request), match.params);
}

}  // namespace

awaitable<net::Reply> handle(Services& services, net::Request request) { co_return answer(services, std::move(request)); }

awaitable<net::Reply> refuse_connection(const Shared& shared)
{
    net::Response response = respond_error(
        {Code::busy, "All connections (server.connections_max) are in use: " + std::to_string(shared.metrics.connections_active.value()) + ". Try again in a moment."});
    response.headers.emplace_back("Connection", "close");
    co_return response;
}

std::shared_ptr<SessionSlot> SessionSlot::take(Shared& shared)
{
    if (shared.sessions.fetch_add(1) >= shared.settings.sessions_max) {
        shared.sessions.fetch_sub(1);
        return nullptr;
    }
    shared.metrics.sessions_active.add(1);
    shared.metrics.sessions_total.add();
    return std::shared_ptr<SessionSlot>(new SessionSlot(shared));
}

SessionSlot::~SessionSlot()
{
    shared_.sessions.fetch_sub(1);
    shared_.metrics.sessions_active.add(-1);
}

}  // namespace repartee::api
