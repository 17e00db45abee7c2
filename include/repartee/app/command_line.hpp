#pragma once
#include "repartee/app/introductions.hpp"

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace repartee::app {

enum class Verb { serve, check, introductions, version };

/// What was asked for.
struct CommandLine {
    Verb verb = Verb::serve;
    std::string config_file;                                     ///< --config; empty: REPARTEE_CONFIG or none
    std::vector<std::pair<std::string, std::string>> overrides;  ///< for ConfigSources
    IntroductionOptions introductions;
    bool print_defaults = false;                                 ///< check --defaults
};

/// Nothing to run: help was asked for (0) or the line makes no sense (2).
struct CommandLineAnswer {
    int exit_status = 0;
    std::string text;  ///< for standard output with status 0, else for standard error
};

inline constexpr int exit_ok = 0, exit_failed = 1, exit_usage = 2;

/// `arguments` without the program's name.
std::variant<CommandLine, CommandLineAnswer> parse_command_line(std::vector<std::string> arguments);

/// "repartee 0.1.0"
std::string version_text();

}  // namespace repartee::app
