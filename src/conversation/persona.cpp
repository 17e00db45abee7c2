#include "repartee/conversation/persona.hpp"

namespace repartee::conversation {
namespace {

constexpr std::string_view separator = "\n\n";

}  // namespace

std::string Persona::with(std::string_view clients_instructions) const
{
    std::string all = instructions();
    if (!clients_instructions.empty()) all.append(separator).append(clients_instructions);
    return all;
}

std::string Persona::clients_part(std::string_view all) const
{
    if (all.empty()) return {};
    const std::string leading = instructions() + std::string(separator);
    return all.starts_with(leading) ? std::string(all.substr(leading.size())) : std::string();
}

void Persona::lead(json::object& object) const
{
    if (const auto given = json::find_string(object, "instructions")) object["instructions"] = with(*given);
}

void Persona::hide(json::object& session) const
{
    session["instructions"] = clients_part(json::find_string(session, "instructions").value_or(""));
}

}  // namespace repartee::conversation
