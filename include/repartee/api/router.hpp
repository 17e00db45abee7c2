#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace repartee::api {

using PathParams = std::map<std::string, std::string, std::less<>>;

/// One row's address: verb and path, e.g. "GET", "/api/v1/characters/{id}". `{name}` matches one segment.
struct Route {
    std::string_view method;
    std::string_view path;
};

struct Match {
    enum class Kind { found, not_found, method_not_allowed } kind = Kind::not_found;
    std::size_t index = 0;  ///< into the table
    PathParams params;
    std::string allow;      ///< method_not_allowed: for the Allow header
};

/// Looks `method` and the decoded `path` up. HEAD matches GET rows. Pure.
Match match_route(std::span<const Route> table, std::string_view method, std::string_view path);

}  // namespace repartee::api
