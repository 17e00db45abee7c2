#pragma once
#include "repartee/conversation/persona.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace repartee::conversation {

/// Puts a character into a plain Realtime session (`/v1/realtime?character=…`): its persona leads the instructions and its voice is kept, whatever the
/// client sets. Audio passes unparsed. Pure.
class PersonaOverlay {
public:
    PersonaOverlay(Persona::Write instructions, std::string voice);

    /// The session.update that opens the session, for the upstream.
    std::string first_update() const;

    enum class Progress { waiting, live, refused };
    /// While the session opens: `event` is the next server event. Live: `out` is the session.created for the client. Refused: `out` is the
    /// service's reason.
    Progress open(std::string_view event, std::string& out) const;

    /// The event to pass on instead, or nullopt to pass `event` as it is. An error: it cannot be read, and so must not be passed on.
    Result<std::optional<std::string>> from_client(std::string_view event) const;
    std::optional<std::string> from_server(std::string_view event) const;

private:
    void keep_voice(json::object& session_or_response) const;

    Persona persona_;
    std::string voice_;
};

}  // namespace repartee::conversation
