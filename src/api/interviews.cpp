#include "access.hpp"
#include "admission.hpp"
#include "handlers.hpp"
#include "interview_options.hpp"
#include "respond.hpp"
#include "voice_chat_form.hpp"

#include <algorithm>

namespace repartee::api {
namespace {

Error unknown_interview() { return {Code::not_found, "There is no interview of this session id, or it was forgotten."}; }

}  // namespace

net::Reply create_interview(Services& services, net::Request&& request, const PathParams&)
{
    Shared& shared = services.shared;
    json::object body;
    if (const auto allowed = check_origin(shared.settings, request); !allowed) return respond_error(allowed.error());
    if (!request.body.empty()) {
        auto parsed = json::parse_object(request.body);
        if (!parsed) return respond_error(parsed.error());
        body = std::move(*parsed);
    }
    auto interview = interview_from_json(shared.settings, body);
    if (!interview) return respond_error(interview.error());
    const auto interviewer = find_interviewer(shared);
    if (!interviewer) return respond_refusal(interviewer.error());
    use_voice_of(interviewer->get(), body.contains("voice"), *interview);
    if (shared.draining) return respond_error({Code::busy, "The server is shutting down. Try again in a moment."});
    const std::size_t listed = interview->questions.size();
    const auto most = static_cast<std::size_t>(interview->questions_max);
    const std::string id = shared.interviews->prepare(std::move(*interview));
    json::object answer{{"session_id", id}, {"ws_url", "/api/v1/ws/interview?session_id=" + id}};
    answer["questions_total"] = listed == 0 ? json::value(nullptr) : json::value(std::min(listed, most));
    return respond_json(201, answer);
}

awaitable<net::Reply> get_interview(Services& services, net::Request, PathParams params)
{
    const std::string id = params.at("id");
    if (!is_session_id(id)) co_return respond_error(unknown_interview());
    const auto state = co_await services.shared.interviews->look(id);
    if (!state) co_return respond_error(state.error());
    if (!*state) co_return respond_error(unknown_interview());
    co_return respond_json(200, {{"session_id", id}, {"finished", (*state)->finished}, {"transcript", voice::transcript_of(**state)}});
}

awaitable<net::Reply> delete_interview(Services& services, net::Request, PathParams params)
{
    const std::string id = params.at("id");
    if (!is_session_id(id)) co_return respond_error(unknown_interview());
    const auto forgotten = co_await services.shared.interviews->forget(id);
    if (!forgotten) co_return respond_error(forgotten.error());
    if (!*forgotten) co_return respond_error(unknown_interview());
    co_return respond_no_content();
}

}  // namespace repartee::api
