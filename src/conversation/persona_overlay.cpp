#include "repartee/conversation/persona_overlay.hpp"

#include "repartee/realtime/append_event.hpp"
#include "repartee/realtime/event_type.hpp"
#include "repartee/realtime/server_event.hpp"

namespace repartee::conversation {
namespace {

constexpr std::string_view opening_event_id = "repartee_open";

// The `session` or `response` member of an event, when it is an object.
json::object* find_member(json::object& event, std::string_view name)
{
    json::value* member = event.if_contains(name);
    return member ? member->if_object() : nullptr;
}

}  // namespace

PersonaOverlay::PersonaOverlay(Persona::Write instructions, std::string voice) : persona_(std::move(instructions)), voice_(std::move(voice)) {}

std::string PersonaOverlay::first_update() const
{
    const json::object update{{"type", "session.update"},
                              {"event_id", opening_event_id},
                              {"session", json::object{{"type", "realtime"},
                                                       {"instructions", persona_.instructions()},
                                                       {"audio", json::object{{"output", json::object{{"voice", voice_}}}}}}}};
    return json::to_text(update);
}

PersonaOverlay::Progress PersonaOverlay::open(std::string_view event, std::string& out) const
{
    const std::string_view type = realtime::peek_type(event);
    if (type == "error") {
        const auto error = json::parse_object(event);
        out = error ? json::find_string(*error, "error.message").value_or("") : "";
        return Progress::refused;
    }
    if (type != "session.updated") return Progress::waiting;
    auto updated = json::parse_object(event);
    json::object* session = updated ? find_member(*updated, "session") : nullptr;
    if (!session) return Progress::waiting;
    persona_.hide(*session);
    out = realtime::server_event("session.created", {{"session", std::move(*session)}});
    return Progress::live;
}

void PersonaOverlay::keep_voice(json::object& session_or_response) const
{
    if (json::find(session_or_response, "audio.output.voice"))
        session_or_response["audio"].get_object()["output"].get_object()["voice"] = voice_;
}

Result<std::optional<std::string>> PersonaOverlay::from_client(std::string_view event) const
{
    if (realtime::find_append_audio(event)) return std::optional<std::string>();
    // Whatever else it is goes on as it was understood here: no spelling of an event slips past, to be read otherwise upstream.
    auto parsed = json::parse_object(event);
    if (!parsed) return parsed.error();
    const auto type = json::find_string(*parsed, "type");
    const char* member = type == "session.update" ? "session" : type == "response.create" ? "response" : nullptr;
    if (json::object* object = member ? find_member(*parsed, member) : nullptr) {
        persona_.lead(*object);
        keep_voice(*object);
    }
    return std::optional(json::to_text(*parsed));
}

std::optional<std::string> PersonaOverlay::from_server(std::string_view event) const
{
    if (realtime::peek_type(event) != "session.updated") return std::nullopt;
    auto updated = json::parse_object(event);
    json::object* session = updated ? find_member(*updated, "session") : nullptr;
    // What cannot be read might show the persona: the client learns only that the session was updated.
    if (!session) return realtime::server_event("session.updated", {{"session", json::object{{"type", "realtime"}, {"instructions", ""}}}});
    persona_.hide(*session);
    return json::to_text(*updated);
}

}  // namespace repartee::conversation
