#include "config_toml.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <sstream>

// The one file that pays for toml++.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace repartee::app {
namespace {

constexpr std::size_t file_bytes_max = 1 << 20;

TomlEntry make_entry(std::optional<std::string> section, std::optional<std::string> key, const toml::node& node)
{
    TomlEntry entry{.section = std::move(section), .key = std::move(key), .line = static_cast<int>(node.source().begin.line)};
    std::ostringstream type;
    type << node.type();
    entry.type = type.str();
    if (const auto* text = node.as_string()) entry.value = text->get();
    if (const auto* whole = node.as_integer()) entry.value = whole->get();
    if (const auto* number = node.as_floating_point()) entry.value = number->get();
    if (const auto* flag = node.as_boolean()) entry.value = flag->get();
    return entry;
}

std::string_view line_of(std::string_view text, std::size_t line)
{
    for (std::size_t i = 1; i < line && !text.empty(); ++i) {
        const std::size_t end = text.find('\n');
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
    }
    return text.substr(0, text.find('\n'));
}

// The parser quotes what it stumbled over, which may be a part of a key.
bool may_quote_a_secret(std::string_view line)
{
    Config config;
    for (const Setting& setting : settings_of(config))
        if (setting.secret && line.find(setting.key) != line.npos) return true;
    return false;
}

Error parse_failure(const std::string& path, std::string_view text, const toml::parse_error& error)
{
    const std::size_t line = error.source().begin.line;
    std::string cause(error.description());
    if (may_quote_a_secret(line_of(text, line))) cause = "the value is not valid";
    return Error{
        Code::invalid_value,
        fmt::format("{}:{}: not valid TOML: {}. Text stands in double quotes, e.g. listen = \"127.0.0.1:8000\".", path, line, cause)};
}

}  // namespace

Result<std::string> read_small_file(const std::string& path)
{
    const auto failure = [&](std::string_view cause) {
        return Error{Code::storage, fmt::format("Cannot read {}: {}. Check the path and its permissions.", path, cause)};
    };
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return failure(std::strerror(errno));
    std::string text(file_bytes_max + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return failure(std::strerror(errno));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > file_bytes_max) return failure("it is larger than 1 MiB");
    return text;
}

Result<std::vector<TomlEntry>> read_toml(const std::string& path)
{
    const auto text = read_small_file(path);
    if (!text) return text.error();
    const toml::parse_result parsed = toml::parse(std::string_view(*text), std::string_view(path));
    if (!parsed) return parse_failure(path, *text, parsed.error());

    std::vector<TomlEntry> entries;
    for (const auto& [section, node] : parsed.table()) {
        const toml::table* table = node.as_table();
        if (!table) {
            entries.push_back(make_entry(std::nullopt, std::string(section.str()), node));
            continue;
        }
        // Also without keys: an unknown section is refused even when it is empty.
        const std::string name(section.str());
        entries.push_back(make_entry(name, std::nullopt, node));
        for (const auto& [key, member] : *table) entries.push_back(make_entry(name, std::string(key.str()), member));
    }
    return entries;
}

}  // namespace repartee::app
