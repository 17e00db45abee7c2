#include "repartee/base/json.hpp"

#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

namespace repartee::json {

Result<object> parse_object(std::string_view text)
{
    boost::json::parse_options options;
    options.max_depth = 32;
    boost::json::parser parser({}, options);
    boost::json::error_code error;
    const std::size_t used = parser.write({text.data(), text.size()}, error);
    if (error)
        return Error{Code::invalid_json, "Not valid JSON: " + error.message() + " at byte " + std::to_string(used) + "."};
    value document = parser.release();
    if (!document.is_object())
        return Error{Code::invalid_json, "Expected a JSON object, e.g. {\"type\":\"response.create\"}."};
    return std::move(document.get_object());
}

std::string to_text(const value& v) { return boost::json::serialize(v); }

std::string to_text(const object& o) { return boost::json::serialize(o); }

const value* find(const object& o, std::string_view path)
{
    const object* here = &o;
    for (;;) {
        const std::size_t dot = path.find('.');
        const std::string_view key = path.substr(0, dot);
        const value* member = here->if_contains({key.data(), key.size()});
        if (!member || member->is_null()) return nullptr;
        if (dot == std::string_view::npos) return member;
        here = member->if_object();
        if (!here) return nullptr;
        path.remove_prefix(dot + 1);
    }
}

const object* find_object(const object& o, std::string_view path)
{
    const value* v = find(o, path);
    return v ? v->if_object() : nullptr;
}

const array* find_array(const object& o, std::string_view path)
{
    const value* v = find(o, path);
    return v ? v->if_array() : nullptr;
}

std::optional<std::string_view> find_string(const object& o, std::string_view path)
{
    const value* v = find(o, path);
    if (!v || !v->is_string()) return std::nullopt;
    const auto& s = v->get_string();
    return std::string_view(s.data(), s.size());
}

std::optional<double> find_number(const object& o, std::string_view path)
{
    const value* v = find(o, path);
    if (!v || !v->is_number()) return std::nullopt;
    return v->to_number<double>();
}

std::optional<std::int64_t> find_int(const object& o, std::string_view path)
{
    const auto number = find_number(o, path);
    if (!number || std::abs(*number) > 9e15 || *number != std::floor(*number)) return std::nullopt;
    return static_cast<std::int64_t>(*number);
}

std::optional<bool> find_bool(const object& o, std::string_view path)
{
    const value* v = find(o, path);
    if (!v || !v->is_bool()) return std::nullopt;
    return v->get_bool();
}

}  // namespace repartee::json
