#pragma once
#include "repartee/base/json.hpp"

#include <string>
#include <string_view>

/// Client events other than the hot one. Source: OpenAI Realtime GA, client events.
namespace repartee::realtime {

/// Limits on what a client may say in one event.
inline constexpr std::size_t event_id_max_chars = 512;

struct ClientEvent {
    std::string type;
    std::string event_id;  ///< empty when the client gave none
    json::object body;     ///< the whole event
};

/// Parses and checks the envelope: an object, `type` a string, `event_id` a string of at most 512 characters.
/// It does not judge whether the type is known.
Result<ClientEvent> parse_client_event(std::string_view text);

/// The event types a GA server understands, for error messages and checks.
bool is_known_client_event(std::string_view type);
/// "Supported values are: 'session.update', …" for the message of the error.
std::string known_client_events_text();
/// The error with which an event of any other type is answered (the session stays open).
Error unknown_client_event(std::string_view type);

}  // namespace repartee::realtime
