#pragma once
#include "repartee/net/http_message.hpp"

/// Query parameters of the doors: absent ones leave the member as it is, others are refused by name.
namespace repartee::api {

Error bad_query(std::string_view parameter, std::string_view value, std::string_view accepted);

/// The same of a form's field, or a JSON member.
Error bad_value(std::string_view name, std::string_view value, std::string_view accepted);

/// A rate that clients may use.
Result<void> read_rate(const net::Request& request, std::string_view parameter, int& hz);

/// Two to twelve letters and hyphens: "ko", "en-US".
bool is_language(std::string_view text);

}  // namespace repartee::api
