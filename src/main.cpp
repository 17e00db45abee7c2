#include "repartee/app/command_line.hpp"
#include "repartee/app/config.hpp"
#include "repartee/app/introductions.hpp"
#include "repartee/app/server.hpp"
#include "repartee/base/log.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

using namespace repartee;

namespace {

void print(std::FILE* file, std::string_view text) { std::fwrite(text.data(), 1, text.size(), file); }

std::vector<std::string> repartee_variables()
{
    std::vector<std::string> names;
    for (char** entry = environ; entry && *entry; ++entry) {
        const std::string_view variable(*entry);
        if (variable.starts_with("REPARTEE_")) names.emplace_back(variable.substr(0, variable.find('=')));
    }
    return names;
}

Result<app::Config> load(const app::CommandLine& line)
{
    app::ConfigSources sources;
    sources.file = line.config_file;
    sources.environment = [](const char* name) -> const char* { return std::getenv(name); };
    sources.overrides = line.overrides;
    sources.environment_names = repartee_variables();
    if (const char* file = std::getenv("REPARTEE_CONFIG"); file && sources.file.empty()) sources.file = file;
    return app::load_config(sources);
}

void configure_log(const app::Config::Log& settings)
{
    log::Level level = log::Level::info;
    if (settings.level == "debug") level = log::Level::debug;
    if (settings.level == "warn") level = log::Level::warn;
    if (settings.level == "error") level = log::Level::error;
    if (settings.level == "off") level = log::Level::off;
    log::configure(level, settings.format == "json");
}

int run(const app::CommandLine& line)
{
    if (line.verb == app::Verb::version) {
        print(stdout, app::version_text() + "\n");
        return app::exit_ok;
    }
    if (line.verb == app::Verb::check && line.print_defaults) {
        print(stdout, app::documented_defaults());
        return app::exit_ok;
    }
    const auto config = load(line);
    if (!config) {
        print(stderr, "repartee: the settings are not usable.\n" + config.error().message + "\n");
        return app::exit_usage;
    }
    configure_log(config->log);
    switch (line.verb) {
    case app::Verb::check: print(stdout, app::to_toml_masked(*config)); return app::exit_ok;
    case app::Verb::introductions: return app::make_introductions(*config, line.introductions);
    case app::Verb::serve: return app::run_server(*config);
    case app::Verb::version: break;
    }
    return app::exit_ok;
}

}  // namespace

int main(int argc, char** argv)
{
    try {
        const auto parsed = app::parse_command_line({argv + (argc > 0 ? 1 : 0), argv + argc});
        if (const auto* answer = std::get_if<app::CommandLineAnswer>(&parsed)) {
            print(answer->exit_status == app::exit_ok ? stdout : stderr, answer->text);
            return answer->exit_status;
        }
        const int status = run(std::get<app::CommandLine>(parsed));
        log::flush_counts();
        return status;
    } catch (const std::exception& failure) {
        print(stderr, std::string("repartee: internal error: ") + failure.what() + "\n");
        return app::exit_failed;
    }
}
