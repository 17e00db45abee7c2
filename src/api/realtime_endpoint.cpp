#include "access.hpp"
#include "admission.hpp"
#include "coming_back.hpp"
#include "handlers.hpp"
#include "respond.hpp"

#include "repartee/characters/persona.hpp"

namespace repartee::api {
namespace {

/// The token says which session; the query need not say its character again.
constexpr std::string_view place = "/v1/realtime";

struct Plan {
    upstream::LeaseRequest lease;
    std::optional<conversation::PersonaOverlay> overlay;
    std::shared_ptr<SessionSlot> slot;
};

awaitable<void> serve_realtime(Services& services, net::WebSocket client, Plan plan)
{
    Shared& shared = services.shared;
    auto lease = co_await lease_or_refuse(services, client, std::move(plan.lease));
    if (!lease) co_return;
    auto executor = co_await asio::this_coro::executor;
    relay::RealtimeReturn coming_back;
    coming_back.waiting = make_waiting(services, executor, std::string(place), plan.slot);
    coming_back.events_bytes_max = shared.settings.resume.events_bytes_max;
    co_await relay::run_realtime(std::move(client), std::move(*lease), std::move(plan.overlay), std::move(coming_back), shared.settings.session_limit,
                                 services.registry, shared.metrics);
}

}  // namespace

net::Reply open_realtime(Services& services, net::Request&& request, const PathParams& params)
{
    const Settings& settings = services.shared.settings;
    if (request.query_value("resume")) return come_back(services, request, place, settings.realtime_socket);
    Plan plan;
    plan.lease.model = request.query_value("model").value_or("");
    if (const auto intent = request.query_value("intent")) {
        if (*intent != "transcription" && *intent != "realtime")
            return respond_error({Code::invalid_value, "?intent= is realtime or transcription.", "intent"});
        plan.lease.transcription = *intent == "transcription";
    }
    // SDKs can change the base URL, but not the query: they name the character in the path.
    std::string character_id(request.query_value("character").value_or(settings.default_character));
    if (const auto in_path = params.find("id"); in_path != params.end()) character_id = in_path->second;
    if (!character_id.empty() && !plan.lease.transcription) {
        auto character = find_character(services.shared, character_id);
        if (!character) return respond_refusal(character.error());
        plan.overlay.emplace([character = *character] { return characters::build_instructions(*character); }, (*character)->openai_voice);
        plan.lease.character = std::move(*character);
    }
    auto slot = admit(services.shared, request);
    if (!slot) return respond_error(slot.error());
    plan.slot = std::move(*slot);

    net::Upgrade upgrade;
    upgrade.subprotocol = choose_subprotocol(request);
    upgrade.limits = settings.realtime_socket;
    const auto shared_plan = std::make_shared<Plan>(std::move(plan));
    upgrade.run = [&services, shared_plan](net::WebSocket client) { return serve_realtime(services, std::move(client), std::move(*shared_plan)); };
    return upgrade;
}

}  // namespace repartee::api
