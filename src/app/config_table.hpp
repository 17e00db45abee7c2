#pragma once
#include "repartee/app/config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace repartee::app {

using SettingValue = std::variant<std::string, std::int64_t, double, bool>;

/// One setting of one Config: where it lives and everything there is to know about it.
struct Setting {
    using Target = std::variant<std::string*, std::int64_t*, double*, bool*>;

    std::string section, key;
    Target target;
    std::string description;
    double min = 0, max = 0;                 ///< numbers only, inclusive
    std::vector<std::string> choices{};      ///< empty: any
    bool secret = false;
    bool path = false;                       ///< a file or folder, relative to the working directory

    std::string name() const { return section + "." + key; }
    std::string environment_name() const;    ///< REPARTEE_SECTION__KEY
    SettingValue value() const;
    /// "a whole number of ms from 0 to 600000"
    std::string accepted() const;

    /// Both answer what is wrong ("expected …"), or nothing when the value was taken.
    std::optional<std::string> assign(const SettingValue& given);
    std::optional<std::string> assign_text(std::string_view given);
};

/// Every setting, in the order of the sections of config/repartee.toml. Valid as long as `config` is.
std::vector<Setting> settings_of(Config& config);

/// As TOML writes it: quoted text, floats with a point.
std::string to_toml(const SettingValue& value);

/// The candidate with the smallest edit distance.
std::string_view nearest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace repartee::app
