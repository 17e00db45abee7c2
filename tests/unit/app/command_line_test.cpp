#include "repartee/app/command_line.hpp"

#include "repartee/base/version.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::app;
using Catch::Matchers::Contains;

namespace {

using Overrides = std::vector<std::pair<std::string, std::string>>;

CommandLine parsed(std::vector<std::string> arguments)
{
    auto result = parse_command_line(std::move(arguments));
    if (const auto* answer = std::get_if<CommandLineAnswer>(&result)) FAIL(answer->text);
    return std::get<CommandLine>(result);
}

CommandLineAnswer answered(std::vector<std::string> arguments)
{
    auto result = parse_command_line(std::move(arguments));
    REQUIRE(std::holds_alternative<CommandLineAnswer>(result));
    return std::get<CommandLineAnswer>(result);
}

}  // namespace

TEST_CASE("each verb is recognised")
{
    CHECK(parsed({"serve"}).verb == Verb::serve);
    CHECK(parsed({"check"}).verb == Verb::check);
    CHECK(parsed({"introductions"}).verb == Verb::introductions);
    CHECK(parsed({"version"}).verb == Verb::version);
    CHECK(version_text() == "repartee " + std::string(version));
}

TEST_CASE("options become overrides of settings")
{
    const CommandLine line =
        parsed({"serve", "--config", "a.toml", "--listen", "0.0.0.0:80", "--tls-listen=[::]:443", "--data-dir", "/var/lib/repartee",
                "--set", "log.level=debug", "--set=realtime.url=wss://host/v1?a=b", "--set", "realtime.transcription_model="});
    CHECK(line.config_file == "a.toml");
    CHECK(line.overrides == Overrides{{"log.level", "debug"},
                                      {"realtime.url", "wss://host/v1?a=b"},
                                      {"realtime.transcription_model", ""},
                                      {"server.listen", "0.0.0.0:80"},
                                      {"server.tls_listen", "[::]:443"},
                                      {"server.data_dir", "/var/lib/repartee"}});
    CHECK(parsed({"serve"}).overrides.empty());
    CHECK(parsed({"check", "--set", "log.level=warn"}).overrides.size() == 1);
}

TEST_CASE("introductions may name characters")
{
    const CommandLine line = parsed({"introductions", "--character", "park_jihoon", "--character", "oh_kyungmi", "--force"});
    CHECK(line.introductions.characters == std::vector<std::string>{"park_jihoon", "oh_kyungmi"});
    CHECK(line.introductions.force);
    CHECK_FALSE(parsed({"introductions"}).introductions.force);
}

TEST_CASE("check may print the documented defaults")
{
    CHECK(parsed({"check", "--defaults"}).print_defaults);
    CHECK_FALSE(parsed({"check"}).print_defaults);
}

TEST_CASE("help is an answer, for the program and for each verb")
{
    const CommandLineAnswer help = answered({"--help"});
    CHECK(help.exit_status == exit_ok);
    CHECK_THAT(help.text, Contains("serve") && Contains("check") && Contains("introductions") && Contains("version"));
    CHECK_THAT(help.text, Contains("stt.provider") && Contains("llm.provider") && Contains("tts.provider") &&
                              Contains("ollama") && Contains("sovits"));
    for (const char* verb : {"serve", "check", "introductions"}) {
        const CommandLineAnswer of_verb = answered({verb, "--help"});
        CHECK(of_verb.exit_status == exit_ok);
        CHECK_THAT(of_verb.text,
                   Contains("--config") && Contains("--listen") && Contains("--tls-listen") && Contains("--data-dir") && Contains("--set"));
    }
    CHECK_THAT(answered({"introductions", "--help"}).text, Contains("--character") && Contains("--force"));
    CHECK(answered({"version", "--help"}).exit_status == exit_ok);
    CHECK_THAT(answered({"--version"}).text, Contains(version_text()));
    CHECK(answered({"--version"}).exit_status == exit_ok);
}

TEST_CASE("a line that makes no sense is a usage error")
{
    const CommandLineAnswer none = answered({});
    CHECK(none.exit_status == exit_usage);
    CHECK_THAT(none.text, Contains("serve"));
    const std::vector<std::vector<std::string>> wrong{{"serf"},
                                                      {"serve", "check"},
                                                      {"serve", "extra"},
                                                      {"serve", "--lissen", "a:1"},
                                                      {"serve", "--listen"},
                                                      {"serve", "--force"},
                                                      {"version", "--config", "a"},
                                                      {"serve", "--listen", "a:1", "--listen", "b:2"}};
    for (const auto& arguments : wrong) {
        CAPTURE(arguments);
        const CommandLineAnswer answer = answered(arguments);
        CHECK(answer.exit_status == exit_usage);
        CHECK_THAT(answer.text, Contains("--help"));
    }
}

TEST_CASE("an assignment without a key or given twice is refused, its value not shown")
{
    for (const char* bad : {"sk-secret", "=sk-secret", ""}) {
        const CommandLineAnswer answer = answered({"serve", "--set", bad});
        CHECK(answer.exit_status == exit_usage);
        CHECK_THAT(answer.text, Contains("section.key=value") && !Contains("sk-secret"));
    }
    CHECK_THAT(answered({"serve", "--set", "server.listen=a:1", "--listen", "b:2"}).text, Contains("server.listen is given twice"));
    CHECK_THAT(answered({"serve", "--set", "log.level=info", "--set", "log.level=warn"}).text, Contains("log.level is given twice"));
}
