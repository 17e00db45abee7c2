#include "repartee/api/routes.hpp"

#include "access.hpp"
#include "handlers.hpp"
#include "respond.hpp"

#include <array>
#include <variant>

#include "repartee/base/quoted.hpp"

namespace repartee::api {
namespace {

enum class Auth { open, key };

struct Row {
    Route route;
    std::variant<Handler, AsyncHandler> handler;
    Auth auth;
};

constexpr Row rows[] = {
    {{"GET", "/"}, get_page, Auth::open},
    {{"GET", "/web/{file}"}, get_page_file, Auth::open},
    {{"GET", "/web/{folder}/{file}"}, get_page_file, Auth::open},

    {{"GET", "/ws/conversations/{id}"}, open_conversation, Auth::key},
    {{"GET", "/api/v1/sessions/{id}/transcript"}, get_transcript, Auth::key},
    {{"GET", "/api/v1/sessions/{id}/recording"}, get_recording, Auth::key},
    {{"DELETE", "/api/v1/sessions/{id}"}, delete_session, Auth::key},
    {{"DELETE", "/api/v1/sessions"}, delete_sessions, Auth::key},

    {{"GET", "/v1/realtime"}, open_realtime, Auth::key},
    {{"GET", "/characters/{id}/v1/realtime"}, open_realtime, Auth::key},
    {{"GET", "/v1/models"}, list_models, Auth::key},

    {{"GET", "/api/v1/ws/interview"}, open_interview, Auth::key},
    {{"POST", "/api/v1/interviews"}, create_interview, Auth::key},
    {{"GET", "/api/v1/interviews/{id}"}, get_interview, Auth::key},
    {{"DELETE", "/api/v1/interviews/{id}"}, delete_interview, Auth::key},

    {{"POST", "/voice-chat"}, voice_chat, Auth::key},
    {{"GET", "/voice-chat/{id}"}, get_voice_chat, Auth::key},
    {{"DELETE", "/voice-chat/{id}"}, delete_voice_chat, Auth::key},
    {{"GET", "/voice-chat/replies/{id}"}, get_reply_audio, Auth::key},

    {{"GET", "/ws/audio"}, open_listening, Auth::key},

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

struct Found {
    const Row* row;
    PathParams params;
};

/// The row of the request, or why it is not answered by one.
std::variant<Found, net::Response> find_row(const Services& services, const net::Request& request)
{
    services.shared.metrics.http_requests_total.add();
    Match match = match_route(addresses, request.method, request.path);
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
    return Found{&row, std::move(match.params)};
}

}  // namespace

awaitable<net::Reply> handle(Services& services, net::Request request)
{
    auto looked_up = find_row(services, request);
    if (auto* refusal = std::get_if<net::Response>(&looked_up)) co_return std::move(*refusal);
    Found found = std::get<Found>(std::move(looked_up));
    if (const Handler* handler = std::get_if<Handler>(&found.row->handler)) co_return (*handler)(services, std::move(request), found.params);
    const AsyncHandler handler = std::get<AsyncHandler>(found.row->handler);
    co_return co_await handler(services, std::move(request), std::move(found.params));
}

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
