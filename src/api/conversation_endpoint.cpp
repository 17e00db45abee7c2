#include "access.hpp"
#include "admission.hpp"
#include "handlers.hpp"
#include "query.hpp"
#include "respond.hpp"

#include "repartee/base/ids.hpp"
#include "repartee/characters/persona.hpp"


namespace repartee::api {
namespace {

struct Plan {
    upstream::LeaseRequest lease;
    conversation::SessionSettings session;
    std::shared_ptr<SessionSlot> slot;
};

Result<void> read_switch(const net::Request& request, std::string_view parameter, bool& on)
{
    const auto value = request.query_value(parameter);
    if (!value) return {};
    if (*value != "on" && *value != "off") return bad_query(parameter, *value, "on or off");
    on = *value == "on";
    return {};
}

Result<void> read_query(const net::Request& request, const Settings& settings, Plan& plan)
{
    conversation::SessionSettings& session = plan.session;
    if (auto read = read_rate(request, "input_rate", session.input_hz); !read) return read;
    if (auto read = read_rate(request, "output_rate", session.downlink.output_hz); !read) return read;
    if (auto read = read_switch(request, "greeting", session.greeting); !read) return read;
    bool pacing = true;
    if (auto read = read_switch(request, "pacing", pacing); !read) return read;
    session.downlink.lead = pacing ? std::optional(settings.lead) : std::nullopt;
    if (const auto mode = request.query_value("turn_detection")) {
        using Type = realtime::TurnDetection::Type;
        if (*mode == "server_vad")
            session.turn_detection.type = Type::server_vad;
        else if (*mode == "semantic_vad")
            session.turn_detection.type = Type::semantic_vad;
        else if (*mode == "none")
            session.turn_detection.type = Type::none;
        else
            return bad_query("turn_detection", *mode, "server_vad, semantic_vad or none");
    }
    if (const auto voice = request.query_value("voice")) {
        session.voice = realtime::normalise_voice(*voice);
        if (!realtime::is_realtime_voice(session.voice)) return bad_query("voice", *voice, "alloy, ash, ballad, coral, echo, sage, shimmer, verse, marin or cedar");
    }
    if (const auto model = request.query_value("model")) plan.lease.model = *model;
    return {};
}

awaitable<void> converse(Services& services, net::WebSocket client, Plan plan)
{
    Shared& shared = services.shared;
    auto lease = co_await lease_or_refuse(services, client, std::move(plan.lease));
    if (!lease) co_return;
    co_await relay::run_conversation(std::move(client), std::move(*lease), std::move(plan.session), shared.settings.session_limit, services.registry,
                                     shared.metrics);
}

}  // namespace

net::Reply open_conversation(Services& services, net::Request&& request, const PathParams& params)
{
    const Settings& settings = services.shared.settings;
    auto character = find_character(services.shared, params.at("id"));
    if (!character) return respond_refusal(character.error());

    Plan plan;
    plan.session = settings.session;
    plan.session.id = make_id("sess_");
    plan.session.character_id = (*character)->id;
    plan.session.voice = (*character)->openai_voice;
    plan.session.language = (*character)->language;
    plan.session.instructions = [character = *character] { return characters::build_instructions(*character); };
    plan.lease.character = std::move(*character);
    if (const auto read = read_query(request, settings, plan); !read) return respond_error(read.error());
    auto slot = admit(services.shared, request);
    if (!slot) return respond_error(slot.error());
    plan.slot = std::move(*slot);

    net::Upgrade upgrade;
    upgrade.subprotocol = choose_subprotocol(request);
    upgrade.limits = settings.conversation_socket;
    const auto shared_plan = std::make_shared<Plan>(std::move(plan));
    upgrade.run = [&services, shared_plan](net::WebSocket client) { return converse(services, std::move(client), std::move(*shared_plan)); };
    return upgrade;
}

}  // namespace repartee::api
