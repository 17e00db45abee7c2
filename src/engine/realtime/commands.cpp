#include "fields.hpp"
#include "repartee/base/ids.hpp"
#include "repartee/realtime/append_event.hpp"
#include "repartee/realtime/event_type.hpp"
#include "repartee/realtime/server_event.hpp"
#include "server_state.hpp"

namespace repartee::engine {
namespace {

/// The client's event_id, from an event that may be wrong in any other way.
std::string event_id_of(std::string_view json)
{
    const auto event = json::parse_object(json);
    if (!event) return {};
    const auto id = json::find_string(*event, "event_id");
    if (!id || id->size() > 4 * realtime::event_id_max_chars) return {};
    return std::string(*id);
}

}  // namespace

RealtimeServer::State::State(realtime::SessionConfig config, ServerLimits server_limits)
    : limits(server_limits), session(std::move(config)), conversation_id(make_id("conv_")),
      items(limits.items_max, limits.conversation_bytes_max),
      user_audio(session, limits.input_buffer_ms_max * static_cast<std::size_t>(samples_per_ms))
{
    send("session.created", {{"session", realtime::to_json(session)}});
}

void RealtimeServer::State::send(std::string_view type, json::object members)
{
    output.events.push_back(realtime::server_event(type, std::move(members)));
}

void RealtimeServer::State::send_error(const Error& error, std::string_view client_event_id)
{
    output.events.push_back(realtime::error_event(error, client_event_id));
}

void RealtimeServer::State::on_client_event(std::string_view json, Instant now)
{
    // The hot event is not parsed.
    if (realtime::peek_type(json) == "input_audio_buffer.append") {
        if (const auto audio = realtime::find_append_audio(json)) {
            if (const auto appended = append_base64(*audio, now); !appended) send_error(appended.error(), event_id_of(json));
            return;
        }
    }
    const auto event = realtime::parse_client_event(json);
    if (!event) return send_error(event.error(), event_id_of(json));
    if (const auto done = dispatch(*event, now); !done) send_error(done.error(), event->event_id);
}

Result<void> RealtimeServer::State::dispatch(const realtime::ClientEvent& event, Instant now)
{
    struct Command {
        std::string_view type;
        Result<void> (State::*run)(const json::object& event, Instant now);
    };
    static constexpr Command commands[] = {
        {"session.update", &State::update_session},
        {"input_audio_buffer.append", &State::append_event},
        {"input_audio_buffer.commit", &State::commit_event},
        {"input_audio_buffer.clear", &State::clear_event},
        {"conversation.item.create", &State::create_item},
        {"conversation.item.retrieve", &State::retrieve_item},
        {"conversation.item.truncate", &State::truncate_item},
        {"conversation.item.delete", &State::delete_item},
        {"response.create", &State::create_response_event},
        {"response.cancel", &State::cancel_response_event},
        {"output_audio_buffer.clear", &State::refuse_output_buffer_clear},
    };
    for (const Command& command : commands)
        if (command.type == event.type) return (this->*command.run)(event.body, now);
    return realtime::unknown_client_event(event.type);
}

Result<void> RealtimeServer::State::update_session(const json::object& event, Instant)
{
    const json::value* given = json::find(event, "session");
    if (!given) return missing("session");
    const json::object* wanted = given->if_object();
    if (!wanted) return Error{Code::invalid_value, "Invalid type for 'session': expected an object.", "session"};

    if (auto applied = realtime::apply_session_update(session, *wanted, voice_locked); !applied) return applied.error();
    user_audio.configure(session);
    // A turn that nobody will end is no turn; its audio stays in the buffer for a commit.
    if (session.turn_detection.type == realtime::TurnDetection::Type::none) speech = {};
    send("session.updated", {{"session", realtime::to_json(session)}});
    return {};
}

Result<void> RealtimeServer::State::refuse_output_buffer_clear(const json::object&, Instant)
{
    return Error{Code::invalid_value,
                 "output_audio_buffer.clear is for WebRTC and SIP, where the server plays the audio. Over a WebSocket stop your own playback "
                 "and send response.cancel, then conversation.item.truncate.",
                 "type"};
}

}  // namespace repartee::engine
