#pragma once
#include "repartee/base/json.hpp"

#include <string>
#include <string_view>

namespace repartee::conversation {

/// The operator's instructions in a session that also has the client's: the persona leads, the client's follow, and the client is shown only its own.
class Persona {
public:
    explicit Persona(std::string instructions) : instructions_(std::move(instructions)) { instructions_.shrink_to_fit(); }

    const std::string& instructions() const { return instructions_; }
    std::string with(std::string_view clients_instructions) const;
    /// The client's part of what the service has; empty when the persona does not lead it.
    std::string_view clients_part(std::string_view all) const;

    /// Puts the persona before the `instructions` of a session or response object, where it has any.
    void lead(json::object& object) const;
    /// Leaves only the client's part in the `instructions` of a session object.
    void hide(json::object& session) const;

private:
    std::string instructions_;
};

}  // namespace repartee::conversation
