#pragma once
#include "repartee/base/json.hpp"

#include <string>

/// Members that a client event cannot do without.
namespace repartee::engine {

inline Error missing(std::string_view name)
{
    return {Code::missing_required_parameter, "Missing required parameter: '" + std::string(name) + "'.", std::string(name)};
}

inline Result<std::string> required_string(const json::object& event, std::string_view name)
{
    if (!json::find(event, name)) return missing(name);
    const auto text = json::find_string(event, name);
    if (!text) return Error{Code::invalid_value, "Invalid type for '" + std::string(name) + "': expected a string.", std::string(name)};
    return std::string(*text);
}

inline Result<std::int64_t> required_count(const json::object& event, std::string_view name)
{
    if (!json::find(event, name)) return missing(name);
    const auto number = json::find_int(event, name);
    if (!number || *number < 0)
        return Error{Code::invalid_value, "Invalid value for '" + std::string(name) + "': expected an integer of at least 0.",
                     std::string(name)};
    return *number;
}

}  // namespace repartee::engine
