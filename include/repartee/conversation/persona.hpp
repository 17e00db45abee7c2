#pragma once
#include "repartee/base/json.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace repartee::conversation {

/// The operator's instructions in a session that also has the client's: the persona leads, the client's follow, and the client is shown only its own.
class Persona {
public:
    /// Writes the operator's instructions, the same each time: several KiB that are needed a few times in a conversation, and not kept between.
    using Write = std::function<std::string()>;

    explicit Persona(Write write) : write_(std::move(write)) {}

    std::string instructions() const { return write_(); }
    std::string with(std::string_view clients_instructions) const;
    /// The client's part of what the service has; empty when the persona does not lead it.
    std::string clients_part(std::string_view all) const;

    /// Puts the persona before the `instructions` of a session or response object, where it has any.
    void lead(json::object& object) const;
    /// Leaves only the client's part in the `instructions` of a session object.
    void hide(json::object& session) const;

private:
    Write write_;
};

}  // namespace repartee::conversation
