#include "repartee/realtime/server_event.hpp"

#include "repartee/base/ids.hpp"

namespace repartee::realtime {
namespace {

json::value text_or_null(std::string_view text)
{
    return text.empty() ? json::value(nullptr) : json::value(boost::json::string_view(text.data(), text.size()));
}

}  // namespace

std::string server_event(std::string_view type, json::object members)
{
    json::object event;
    event.reserve(members.size() + 2);
    event.emplace("type", boost::json::string_view(type.data(), type.size()));
    event.emplace("event_id", make_id("event_"));
    for (auto& member : members) event.emplace(member.key(), std::move(member.value()));
    return json::to_text(event);
}

std::string error_event(const Error& error, std::string_view client_event_id)
{
    json::object details;
    details.reserve(5);
    details.emplace("type", text_or_null(realtime_type(error.code)));
    const std::string_view code = error.upstream_code.empty() ? name(error.code) : std::string_view(error.upstream_code);
    details.emplace("code", text_or_null(code));
    details.emplace("message", error.message);
    details.emplace("param", text_or_null(error.param));
    details.emplace("event_id", text_or_null(client_event_id));
    json::object members;
    members.emplace("error", std::move(details));
    return server_event("error", std::move(members));
}

}  // namespace repartee::realtime
