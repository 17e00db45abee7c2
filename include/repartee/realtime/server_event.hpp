#pragma once
#include "repartee/base/json.hpp"

#include <string>
#include <string_view>

/// Server events: built here for whoever plays the server. Every one gets a fresh `event_id`.
/// Source: OpenAI Realtime GA, server events.
namespace repartee::realtime {

/// `{"type":type,"event_id":"event_…", …members}` as compact text.
std::string server_event(std::string_view type, json::object members = {});

/// The `error` event. `client_event_id` is quoted as error.event_id (null when empty).
std::string error_event(const Error& error, std::string_view client_event_id = {});

}  // namespace repartee::realtime
