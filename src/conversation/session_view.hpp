#pragma once
#include "repartee/conversation/session.hpp"

/// What of a conversation's settings either side is told.
namespace repartee::conversation {

/// What a session.update makes of a session: its members replace the session's, one by one down to those of audio.input and audio.output.
void overlay(json::object& session, const json::object& update);

/// What the service is asked for, but for the persona.
json::object wanted_session(const SessionSettings& settings);

/// A service's session as the client is shown it: our id, the client's rates, nothing of the persona.
json::object client_view(json::object session, const SessionSettings& settings, const Persona& persona);

}  // namespace repartee::conversation
