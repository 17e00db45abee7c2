#pragma once
#include "repartee/base/error.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string_view>

/// Small helpers over Boost.JSON. In every reader below null reads as absent.
namespace repartee::json {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// Parses one object; Code::invalid_json names the position of the mistake. Depth is limited to 32.
Result<object> parse_object(std::string_view text);

/// Compact text.
std::string to_text(const value& v);
std::string to_text(const object& o);

/// The member at a dotted path ("audio.output.voice"), or nullptr when absent or null. Never throws.
const value* find(const object& o, std::string_view path);
const object* find_object(const object& o, std::string_view path);
const array* find_array(const object& o, std::string_view path);
std::optional<std::string_view> find_string(const object& o, std::string_view path);
std::optional<double> find_number(const object& o, std::string_view path);
std::optional<std::int64_t> find_int(const object& o, std::string_view path);
std::optional<bool> find_bool(const object& o, std::string_view path);

}  // namespace repartee::json
