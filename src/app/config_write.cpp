#include "config_table.hpp"
#include "role_settings.hpp"

#include "repartee/base/version.hpp"

#include <fmt/format.h>

namespace repartee::app {
namespace {

constexpr std::string_view head = R"(# Repartee: every setting, with its default.
#
# Remove the '#' before a key to change it. Later sources win: these defaults, this file, the environment, the command line.
#   file          repartee serve --config repartee.toml      (or REPARTEE_CONFIG=repartee.toml)
#   environment   the name that stands below each key
#   command line  --set section.key=value
# Secrets are better kept out of files like this one: NAME_FILE in the environment reads NAME from a file.
# `repartee check` shows what is in force.
)";

void append_comment(std::string& out, std::string_view text)
{
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        out += fmt::format("# {}\n", text.substr(0, end));
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
    }
}

std::string surroundings(const Setting& setting)
{
    std::string accepted = setting.accepted();
    accepted[0] = static_cast<char>(accepted[0] - 'a' + 'A');
    std::string line = fmt::format("{}. {}", accepted, setting.environment_name());
    if (setting.secret) line += fmt::format(" or {}_FILE", setting.environment_name());
    return line;
}

}  // namespace

std::string documented_defaults()
{
    Config config;
    std::string out(head);
    std::string section;
    for (const Setting& setting : settings_of(config)) {
        if (setting.section != section) {
            section = setting.section;
            out += fmt::format("\n[{}]\n", section);
        }
        out += '\n';
        append_comment(out, setting.description);
        append_comment(out, surroundings(setting));
        out += fmt::format("# {} = {}\n", setting.key, to_toml(setting.value()));
    }
    return out;
}

std::string to_toml_masked(const Config& config)
{
    Config copy = config;
    std::string out = fmt::format("# The configuration in force (repartee {}). Secrets are shown as \"***\".\n", version);
    out += fmt::format("# Characters are spoken for by: {}, model {}\n", config.effective_upstream(),
                       to_toml(config.effective_model()));
    if (const std::string successors = successors_text(config); !successors.empty())
        out += fmt::format("# When it cannot be had: {}\n", successors);
    out += fmt::format("# Hears (stt): {}\n# Thinks (llm): {}\n# Speaks (tts): {}\n", chain_text(config, "stt"),
                       chain_text(config, "llm"), chain_text(config, "tts"));
    std::string section;
    for (const Setting& setting : settings_of(copy)) {
        if (setting.section != section) {
            section = setting.section;
            out += fmt::format("\n[{}]\n", section);
        }
        SettingValue value = setting.value();
        if (setting.secret && value != SettingValue(std::string())) value = "***";
        out += fmt::format("{} = {}\n", setting.key, to_toml(value));
    }
    return out;
}

}  // namespace repartee::app
