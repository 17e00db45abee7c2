#include "access.hpp"
#include "admission.hpp"
#include "handlers.hpp"
#include "interview_options.hpp"
#include "respond.hpp"
#include "voice_chat_form.hpp"

namespace repartee::api {
namespace {

struct Plan {
    std::string session_id;              ///< empty: a new one
    voice::InterviewSettings interview;  ///< of a new one
    std::shared_ptr<const characters::Character> interviewer;
    std::shared_ptr<SessionSlot> slot;
};

awaitable<void> interview(Services& services, net::WebSocket client, std::shared_ptr<const Plan> plan)
{
    Shared& shared = services.shared;
    std::stop_source drain;
    const auto on_drain = [&drain] { drain.request_stop(); };
    const relay::Registry::Entry entry(services.registry, on_drain);
    std::string session_id = plan->session_id;
    if (session_id.empty()) session_id = shared.interviews->prepare(plan->interview);
    voice::InterviewContext context{services.roles, *shared.interviews, shared.metrics, plan->interviewer, drain.get_token()};
    co_await voice::run_interview(std::move(client), std::move(session_id), std::move(context));
}

}  // namespace

awaitable<net::Reply> open_interview(Services& services, net::Request request, PathParams)
{
    Shared& shared = services.shared;
    const auto plan = std::make_shared<Plan>();
    auto interviewer = find_interviewer(shared);
    if (!interviewer) co_return respond_refusal(interviewer.error());
    plan->interviewer = std::move(*interviewer);
    if (const auto id = request.query_value("session_id")) {
        const Error unknown{Code::not_found, "There is no interview of this session id, or it was forgotten. Without ?session_id= a new one begins.",
                            "session_id"};
        if (!is_session_id(*id)) co_return respond_error(unknown);
        plan->session_id = *id;
        const auto known = co_await shared.interviews->look(plan->session_id);
        if (!known) co_return respond_error(known.error());
        if (!*known) co_return respond_error(unknown);
    } else {
        auto asked = interview_from_query(shared.settings, request);
        if (!asked) co_return respond_error(asked.error());
        plan->interview = std::move(*asked);
        use_voice_of(plan->interviewer.get(), request.query_value("voice").has_value(), plan->interview);
    }
    auto slot = admit(shared, request);
    if (!slot) co_return respond_error(slot.error());
    plan->slot = std::move(*slot);

    net::Upgrade upgrade;
    upgrade.subprotocol = choose_subprotocol(request);
    upgrade.limits = shared.settings.interview_socket;
    upgrade.run = [&services, plan](net::WebSocket client) { return interview(services, std::move(client), plan); };
    co_return upgrade;
}

}  // namespace repartee::api
