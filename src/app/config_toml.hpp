#pragma once
#include "config_table.hpp"

#include <string>
#include <vector>

namespace repartee::app {

/// One `key = value` of a TOML file, as it stands there.
struct TomlEntry {
    std::optional<std::string> section{};  ///< nothing: outside of any [section]
    std::optional<std::string> key{};      ///< nothing: the section itself
    int line = 0;
    std::optional<SettingValue> value{};  ///< nothing: of a type that no setting has
    std::string type{};                   ///< "table", "array", "date", …
};

/// Reads at most 1 MiB. Code::storage when the file cannot be read, Code::invalid_value when it is not TOML; both name the file.
Result<std::string> read_small_file(const std::string& path);
Result<std::vector<TomlEntry>> read_toml(const std::string& path);

}  // namespace repartee::app
