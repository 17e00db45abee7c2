#include "repartee/api/router.hpp"

#include <optional>

namespace repartee::api {
namespace {

// The text up to the next '/', taken off the front.
std::string_view take_segment(std::string_view& path)
{
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    return segment;
}

std::optional<PathParams> match_path(std::string_view pattern, std::string_view path)
{
    PathParams params;
    while (!pattern.empty() || !path.empty()) {
        if (pattern.empty() || path.empty()) return std::nullopt;
        const std::string_view wanted = take_segment(pattern);
        const std::string_view given = take_segment(path);
        const std::size_t open = wanted.find('{');
        if (open == std::string_view::npos) {
            if (wanted != given) return std::nullopt;
            continue;
        }
        // "{id}" or "{id}_intro.mp3"
        const std::size_t close = wanted.find('}');
        const std::string_view suffix = wanted.substr(close + 1);
        if (given.size() <= suffix.size() || !given.ends_with(suffix)) return std::nullopt;
        params.emplace(wanted.substr(open + 1, close - open - 1), given.substr(0, given.size() - suffix.size()));
    }
    return params;
}

}  // namespace

Match match_route(std::span<const Route> table, std::string_view method, std::string_view path)
{
    if (path.starts_with('/')) path.remove_prefix(1);
    Match match;
    for (std::size_t i = 0; i < table.size(); ++i) {
        auto params = match_path(table[i].path.substr(1), path);
        if (!params) continue;
        if (table[i].method == method || (method == "HEAD" && table[i].method == "GET")) {
            match.kind = Match::Kind::found;
            match.index = i;
            match.params = std::move(*params);
            return match;
        }
        match.kind = Match::Kind::method_not_allowed;
        match.allow += (match.allow.empty() ? "" : ", ") + std::string(table[i].method);
        if (table[i].method == "GET") match.allow += ", HEAD";
    }
    return match;
}

}  // namespace repartee::api
