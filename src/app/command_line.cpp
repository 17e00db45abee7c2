#include "repartee/app/command_line.hpp"

#include "repartee/base/version.hpp"

#include <algorithm>
#include <optional>
#include <sstream>

// The one file that pays for CLI11.
#include <CLI/CLI.hpp>

namespace repartee::app {
namespace {

static_assert(version == REPARTEE_VERSION, "repartee/base/version.hpp and project(VERSION …) in CMakeLists.txt differ");

/// The options that say where settings come from, the same for every verb that needs a configuration.
struct SettingOptions {
    std::string config_file;
    std::string listen, tls_listen, data_dir;
    std::vector<std::string> set;

    void add_to(CLI::App& verb)
    {
        verb.add_option("--config", config_file, "Settings file (TOML). Default: $REPARTEE_CONFIG, or none")->type_name("FILE");
        verb.add_option("--listen", listen, "Address of the plain listener (server.listen)")->type_name("HOST:PORT");
        verb.add_option("--tls-listen", tls_listen, "Address of the TLS listener (server.tls_listen)")->type_name("HOST:PORT");
        verb.add_option("--data-dir", data_dir, "Folder of the database and other data (server.data_dir)")->type_name("DIR");
        verb.add_option("--set", set, "Any setting, e.g. --set log.level=debug. May be repeated")
            ->type_name("KEY=VALUE")
            ->allow_extra_args(false);
    }
};

constexpr const char* who_speaks =
    "Who hears, thinks and speaks for the characters:\n"
    "  realtime.upstream  an OpenAI Realtime service does all three (there is a key: OPENAI_API_KEY), or the engine built in, with:\n"
    "  stt.provider       hears:  openai, or embedded (nobody)\n"
    "  llm.provider       thinks: openai, ollama, or embedded (prepared lines)\n"
    "  tts.provider       speaks: openai, sovits, or embedded (espeak-ng)\n"
    "  stt_2, llm_2, tts_2, stt_3 … take over when the one before fails. Interviews, voice chat and /ws/audio use these always.\n"
    "repartee check shows who does so with your settings, and config/repartee.toml tells of every setting.";

CommandLineAnswer usage_error(std::string_view mistake)
{
    return {exit_usage, std::string(mistake) + "\nRun repartee --help, or repartee VERB --help.\n"};
}

/// The mistake, or nothing when `line` has them all.
std::optional<std::string> collect_overrides(const SettingOptions& options, const CLI::App& verb, CommandLine& line)
{
    for (const std::string& assignment : options.set) {
        // The argument is not shown: it may be a secret whose name was forgotten.
        const std::size_t equals = assignment.find('=');
        if (equals == 0 || equals == assignment.npos) return "--set wants section.key=value, e.g. --set log.level=debug.";
        line.overrides.emplace_back(assignment.substr(0, equals), assignment.substr(equals + 1));
    }
    const struct {
        const char *option, *setting;
        const std::string& value;
    } shortcuts[] = {{"--listen", "server.listen", options.listen},
                     {"--tls-listen", "server.tls_listen", options.tls_listen},
                     {"--data-dir", "server.data_dir", options.data_dir}};
    for (const auto& shortcut : shortcuts)
        if (verb.count(shortcut.option) > 0) line.overrides.emplace_back(shortcut.setting, shortcut.value);

    for (auto here = line.overrides.begin(); here != line.overrides.end(); ++here)
        if (std::any_of(line.overrides.begin(), here, [&](const auto& earlier) { return earlier.first == here->first; }))
            return here->first + " is given twice on the command line. Keep one of them.";
    return std::nullopt;
}

}  // namespace

std::variant<CommandLine, CommandLineAnswer> parse_command_line(std::vector<std::string> arguments)
{
    CommandLine line;
    SettingOptions options;
    CLI::App app("Repartee: people talk by voice with AI characters.", "repartee");
    app.set_help_flag("--help,-h", "Print this help and exit");
    app.set_version_flag("--version", version_text(), "Print the version and exit");
    CLI::App* serve = app.add_subcommand("serve", "Run the server until SIGINT or SIGTERM");
    CLI::App* check = app.add_subcommand("check", "Check the settings and print those in force, secrets masked");
    CLI::App* introductions = app.add_subcommand("introductions", "Make the MP3 self-introductions of the characters that lack one");
    CLI::App* version_verb = app.add_subcommand("version", "Print the version");
    for (CLI::App* verb : {serve, check, introductions}) options.add_to(*verb);
    check->add_flag("--defaults", line.print_defaults, "Print the documented default settings file instead");
    introductions->add_option("--character", line.introductions.characters, "Only this character. May be repeated")
        ->type_name("ID")
        ->allow_extra_args(false);
    introductions->add_flag("--force", line.introductions.force, "Also characters that have one already");
    app.footer(who_speaks);
    app.require_subcommand(0, 1);

    std::ostringstream out, err;
    try {
        std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
        app.parse(std::move(arguments));
    } catch (const CLI::Success& help_or_version) {
        app.exit(help_or_version, out, err);
        return CommandLineAnswer{exit_ok, out.str()};
    } catch (const CLI::ParseError& mistake) {
        return usage_error(mistake.what());
    }
    const auto chosen = app.get_subcommands();
    if (chosen.empty()) return CommandLineAnswer{exit_usage, app.help()};
    const CLI::App* verb = chosen.front();
    line.verb = verb == serve ? Verb::serve : verb == check ? Verb::check : verb == introductions ? Verb::introductions : Verb::version;
    line.config_file = options.config_file;
    if (verb == version_verb) return line;
    if (auto mistake = collect_overrides(options, *verb, line)) return usage_error(*mistake);
    return line;
}

std::string version_text() { return "repartee " + std::string(version); }

}  // namespace repartee::app
