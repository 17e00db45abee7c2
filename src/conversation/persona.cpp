#include "repartee/conversation/persona.hpp"

namespace repartee::conversation {
namespace {

constexpr std::string_view separator = "\n\n";

}  // namespace

std::string Persona::with(std::string_view clients_instructions) const
{
    if (clients_instructions.empty()) return instructions_;
    return instructions_ + std::string(separator) + std::string(clients_instructions);
}

std::string_view Persona::clients_part(std::string_view all) const
{
    if (!all.starts_with(instructions_)) return {};
    all.remove_prefix(instructions_.size());
    if (!all.starts_with(separator)) return {};
    return all.substr(separator.size());
}

void Persona::lead(json::object& object) const
{
    if (const auto given = json::find_string(object, "instructions")) object["instructions"] = with(*given);
}

void Persona::hide(json::object& session) const
{
    session["instructions"] = std::string(clients_part(json::find_string(session, "instructions").value_or("")));
}

}  // namespace repartee::conversation
