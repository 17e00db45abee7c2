#include "query.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/base/quoted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace repartee::api {

Error bad_query(std::string_view parameter, std::string_view value, std::string_view accepted)
{
    const std::string given = quoted(utf8_prefix(value, 64));
    return {Code::invalid_value, fmt::format("?{}={} is not accepted; use {}.", parameter, given, accepted), std::string(parameter)};
}

Error bad_value(std::string_view name, std::string_view value, std::string_view accepted)
{
    const std::string given = quoted(utf8_prefix(value, 64));
    return {Code::invalid_value, fmt::format("{} {} is not accepted; use {}.", name, given, accepted), std::string(name)};
}

Result<void> read_rate(const net::Request& request, std::string_view parameter, int& hz)
{
    const auto value = request.query_value(parameter);
    if (!value) return {};
    int given = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), given);
    if (error != std::errc{} || end != value->data() + value->size() || !audio::is_client_rate(given))
        return bad_query(parameter, *value, "8000, 16000, 24000, 44100 or 48000");
    hz = given;
    return {};
}

bool is_language(std::string_view text)
{
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'; };
    return text.size() >= 2 && text.size() <= 12 && std::all_of(text.begin(), text.end(), fits);
}

}  // namespace repartee::api
