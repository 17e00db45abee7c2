#include "repartee/conversation/persona_overlay.hpp"

#include "repartee/base/json.hpp"
#include "repartee/realtime/event_type.hpp"
#include "repartee/realtime/server_event.hpp"

namespace repartee::conversation {
namespace {

constexpr std::string_view opening_event_id = "repartee_open";

}  // namespace

PersonaOverlay::PersonaOverlay(std::string instructions, std::string voice) : instructions_(std::move(instructions)), voice_(std::move(voice)) {}

std::string PersonaOverlay::first_update() const
{
    const json::object update{
        {"type", "session.update"},
        {"event_id", opening_event_id},
        {"session", json::object{{"type", "realtime"},
                                 {"instructions", instructions_},
                                 {"audio", json::object{{"output", json::object{{"voice", voice_}}}}}}}};
    return json::to_text(update);
}

PersonaOverlay::Progress PersonaOverlay::open(std::string_view event, std::string& out)
{
    const std::string_view type = realtime::peek_type(event);
    if (type == "error") {
        out = event;
        return Progress::refused;
    }
    if (type != "session.updated") return Progress::waiting;
    auto updated = json::parse_object(event);
    json::value* session = updated ? updated->if_contains("session") : nullptr;
    if (!session || !session->is_object()) return Progress::waiting;
    session->get_object()["instructions"] = client_instructions_;
    out = realtime::server_event("session.created", {{"session", std::move(*session)}});
    return Progress::live;
}

std::optional<std::string> PersonaOverlay::from_client(std::string_view event)
{
    if (realtime::peek_type(event) != "session.update") return std::nullopt;
    auto update = json::parse_object(event);
    json::value* given = update ? update->if_contains("session") : nullptr;
    if (!given || !given->is_object()) return std::nullopt;  // the upstream says what is wrong with it
    json::object& session = given->get_object();
    if (const auto instructions = json::find_string(session, "instructions")) {
        client_instructions_ = *instructions;
        session["instructions"] = client_instructions_.empty() ? instructions_ : instructions_ + "\n\n" + client_instructions_;
    }
    if (json::find(session, "audio.output.voice")) session["audio"].get_object()["output"].get_object()["voice"] = voice_;
    return json::to_text(*update);
}

std::optional<std::string> PersonaOverlay::from_server(std::string_view event) const
{
    if (realtime::peek_type(event) != "session.updated") return std::nullopt;
    auto updated = json::parse_object(event);
    json::value* session = updated ? updated->if_contains("session") : nullptr;
    if (!session || !session->is_object()) return std::nullopt;
    session->get_object()["instructions"] = client_instructions_;
    return json::to_text(*updated);
}

}  // namespace repartee::conversation
