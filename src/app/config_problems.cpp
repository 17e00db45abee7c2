#include "config_problems.hpp"

#include "repartee/base/quoted.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>

namespace repartee::app {

void Problems::refuse(std::string_view name, std::string_view why) { problems_.push_back(fmt::format("{} ({}) {}", name, source_of_(name), why)); }

void Problems::refuse_value(std::string_view name, std::string_view value, std::string_view why)
{
    problems_.push_back(fmt::format("{} = {} ({}) {}", name, quoted(value), source_of_(name), why));
}

// The url itself is not shown: somebody may have put a password into it.
std::optional<net::Url> Problems::check_url(std::string_view name, const std::string& url, std::initializer_list<std::string_view> schemes)
{
    const auto parsed = net::parse_url(url);
    if (parsed && std::ranges::find(schemes, parsed->scheme) != schemes.end()) return *parsed;
    refuse(name, fmt::format("is not a {}:// address. Write it like {}://HOST/PATH, without user name or password.",
                             fmt::join(schemes, ":// or "), *schemes.begin()));
    return std::nullopt;
}

void Problems::check_exists(std::string_view name, const std::string& path, bool folder)
{
    if (path.empty()) return;
    std::error_code ignored;
    const auto status = std::filesystem::status(path, ignored);
    if (folder ? std::filesystem::is_directory(status) : std::filesystem::exists(status) && !std::filesystem::is_directory(status)) return;
    refuse_value(
        name, path,
        fmt::format("does not name a {} that can be read. Paths are relative to the working directory.", folder ? "folder" : "file"));
}

}  // namespace repartee::app
