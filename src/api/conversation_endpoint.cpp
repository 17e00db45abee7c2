#include "access.hpp"
#include "admission.hpp"
#include "coming_back.hpp"
#include "handlers.hpp"
#include "last_words.hpp"
#include "query.hpp"
#include "respond.hpp"
#include "sessions.hpp"

#include "repartee/base/ids.hpp"
#include "repartee/characters/persona.hpp"

namespace repartee::api {
namespace {

std::string place_of(std::string_view character_id) { return "/ws/conversations/" + std::string(character_id); }

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
    if (auto read = read_user(request, session.user); !read) return read;
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

awaitable<void> converse(Services& services, net::WebSocket client, std::unique_ptr<Plan> plan)
{
    const Settings& settings = services.shared.settings;
    const std::shared_ptr<SessionSlot> slot = plan->slot;
    auto lease = co_await lease_or_refuse(services, client, plan->lease);
    if (!lease) co_return;
    auto executor = co_await asio::this_coro::executor;
    auto conversation = std::make_unique<relay::ConversationPlan>();
    conversation->lease = std::move(*lease);
    conversation->source = &services.source;
    conversation->next = std::move(plan->lease);
    conversation->waiting = make_waiting(services, executor, place_of(plan->session.character_id), slot);
    conversation->session = std::move(plan->session);
    conversation->session_limit = settings.session_limit;
    conversation->recovery = {settings.recovery.attempts_max, settings.recovery.backoff_min, settings.recovery.backoff_max, settings.recovery.limit};
    if (settings.recovery.spoken_line) {
        conversation->last_words = last_words(*conversation->next.character);
        conversation->speak = last_voice(services.roles, conversation->next.character);
    }
    plan.reset();
    lease.reset();
    co_await relay::run_conversation(std::move(client), std::move(conversation), services.registry, services.shared.metrics);
}

}  // namespace

net::Reply open_conversation(Services& services, net::Request&& request, const PathParams& params)
{
    const Settings& settings = services.shared.settings;
    auto character = find_character(services.shared, params.at("id"));
    if (request.query_value("resume")) {
        // A character that was deleted meanwhile goes on in its conversations.
        const std::string place = place_of(character ? (*character)->id : params.at("id"));
        return come_back(services, request, place, settings.conversation_socket);
    }
    if (!character) return respond_refusal(character.error());

    auto given = std::make_unique<Plan>();
    Plan& plan = *given;
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
    if (services.shared.archive) plan.session.record = services.shared.archive->make_record();

    net::Upgrade upgrade;
    upgrade.subprotocol = choose_subprotocol(request);
    upgrade.limits = settings.conversation_socket;
    // Shared only because a std::function is copyable.
    const auto once = std::make_shared<std::unique_ptr<Plan>>(std::move(given));
    upgrade.run = [&services, once](net::WebSocket client) { return converse(services, std::move(client), std::move(*once)); };
    return upgrade;
}

}  // namespace repartee::api
