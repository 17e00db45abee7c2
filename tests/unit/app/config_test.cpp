#include "../../../src/app/config_table.hpp"
#include "repartee/app/config.hpp"
#include "repartee/audio/pcm.hpp"

#include <catch2/catch.hpp>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

using namespace repartee;
using namespace repartee::app;
using Catch::Matchers::Contains;

namespace {

/// A folder that is gone after the test.
class TemporaryFolder {
public:
    TemporaryFolder()
    {
        std::string pattern = (std::filesystem::temp_directory_path() / "repartee-config-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()));
        path_ = pattern;
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    std::string file(const std::string& name, std::string_view text) const
    {
        const auto path = path_ / name;
        std::ofstream(path, std::ios::binary) << text;
        return path.string();
    }
    std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

struct Surroundings {
    std::string file_text;
    std::map<std::string, std::string> environment;
    std::vector<std::pair<std::string, std::string>> overrides;
};

Result<Config> load(const Surroundings& s)
{
    TemporaryFolder folder;
    ConfigSources sources;
    if (!s.file_text.empty()) sources.file = folder.file("repartee.toml", s.file_text);
    sources.environment = [&](const char* name) -> const char* {
        const auto found = s.environment.find(name);
        return found == s.environment.end() ? nullptr : found->second.c_str();
    };
    for (const auto& [name, value] : s.environment)
        if (name.starts_with("REPARTEE_")) sources.environment_names.push_back(name);
    sources.overrides = s.overrides;
    return load_config(sources);
}

Config loaded(const Surroundings& s)
{
    const auto config = load(s);
    INFO((config.has_value() ? "" : config.error().message));
    REQUIRE(config.has_value());
    return *config;
}

std::string refusal(const Surroundings& s)
{
    const auto config = load(s);
    REQUIRE_FALSE(config.has_value());
    return config.error().message;
}

std::string file_refusal(const std::string& text) { return refusal({text, {}, {}}); }

std::string read_file(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string values_of(Config config)
{
    std::string all;
    for (const Setting& setting : settings_of(config)) all += setting.name() + "=" + to_toml(setting.value()) + "\n";
    return all;
}

}  // namespace

TEST_CASE("without any source the defaults stand, and are within their own bounds")
{
    const Config config = loaded({});
    CHECK(values_of(config) == values_of(Config{}));
    Config checked;
    for (Setting& setting : settings_of(checked)) {
        CAPTURE(setting.name());
        CHECK(setting.assign(setting.value()) == std::nullopt);
        CHECK_FALSE(setting.description.empty());
    }
}

TEST_CASE("every setting is described exactly once, and every secret is known as one")
{
    Config config;
    std::set<std::string> names, secrets;
    std::set<const void*> targets;
    for (const Setting& setting : settings_of(config)) {
        CHECK(names.insert(setting.name()).second);
        CHECK(targets.insert(std::visit([](auto* t) -> const void* { return t; }, setting.target)).second);
        if (setting.secret) secrets.insert(setting.name());
    }
    CHECK(secrets == std::set<std::string>{"server.api_keys", "realtime.api_key", "realtime_2.api_key", "realtime_3.api_key", "stt.api_key",
                                           "stt_2.api_key", "stt_3.api_key", "llm.api_key",
                                           "llm_2.api_key", "llm_3.api_key", "tts.api_key", "tts_2.api_key", "tts_3.api_key"});
    // Every byte of a section that is neither padding nor a setting would be a member the table forgot.
    std::size_t bytes = 0;
    for (const Setting& setting : settings_of(config))
        bytes += std::visit([](auto* t) { return (sizeof(*t) + 7) / 8 * 8; }, setting.target);
    CHECK(bytes == sizeof(Config));
}

TEST_CASE("later sources win: file, environment, command line")
{
    const std::string file =
        "[server]\nthreads = 1\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n[conversation]\nvad_threshold = 1\ngreeting = true\n";
    const std::map<std::string, std::string> environment{{"REPARTEE_SERVER__THREADS", "2"}, {"REPARTEE_SERVER__LISTEN", "127.0.0.1:2"}};
    const Config config = loaded({file, environment, {{"server.listen", "127.0.0.1:3"}}});
    CHECK(config.server.listen == "127.0.0.1:3");
    CHECK(config.server.threads == 2);
    CHECK(config.log.level == "warn");
    CHECK(config.conversation.vad_threshold == 1.0);
    CHECK(config.conversation.greeting);
}

TEST_CASE("the environment is read as the setting's type")
{
    const Config config = loaded({"", {{"REPARTEE_CONVERSATION__VAD_THRESHOLD", "0.25"}, {"REPARTEE_CONVERSATION__GREETING", "1"},
                                       {"REPARTEE_REALTIME__TRANSCRIPTION_MODEL", ""}, {"REPARTEE_CONFIG", "elsewhere.toml"}}, {}});
    CHECK(config.conversation.vad_threshold == 0.25);
    CHECK(config.conversation.greeting);
    CHECK(config.realtime.transcription_model.empty());
    for (const char* bad : {"", "4x", " 4", "0x4", "4.0", "99999999999999999999", "-1"}) {
        CAPTURE(bad);
        CHECK_THAT(refusal({"", {{"REPARTEE_SERVER__THREADS", bad}}, {}}),
                   Contains("REPARTEE_SERVER__THREADS: server.threads = \"" + std::string(bad) +
                            "\" is not accepted: expected a whole number from 0 to 64"));
    }
    for (const char* bad : {"nan", "inf", "1.01", "-0.1", "half"})
        CHECK_THAT(refusal({"", {{"REPARTEE_CONVERSATION__VAD_THRESHOLD", bad}}, {}}), Contains("expected a number from 0 to 1"));
    CHECK_THAT(refusal({"", {{"REPARTEE_CONVERSATION__GREETING", "yes"}}, {}}), Contains("expected true or false"));
}

TEST_CASE("a mistake in the file is told with its line, key, value and what is accepted")
{
    CHECK_THAT(file_refusal("[server]\n\nthreads = 65\n"),
               Contains("repartee.toml:3: server.threads = 65 is not accepted: expected a whole number from 0 to 64."));
    CHECK_THAT(file_refusal("[server]\nthreads = \"4\"\n"), Contains("server.threads = \"4\" is not accepted"));
    CHECK_THAT(file_refusal("[server]\nthreads = 4.0\n"), Contains("server.threads = 4.0 is not accepted"));
    CHECK_THAT(file_refusal("[server]\nlisten = 8000\n"), Contains("server.listen = 8000 is not accepted: expected text"));
    CHECK_THAT(file_refusal("[server]\nlisten = [\"a\"]\n"), Contains("server.listen = array is not accepted"));
    CHECK_THAT(file_refusal("[server.listen]\na = 1\n"), Contains("server.listen = table is not accepted"));
    CHECK_THAT(file_refusal("[log]\nlevel = \"loud\"\n"), Contains("expected one of debug, info, warn, error, off"));
    CHECK_THAT(file_refusal("[realtime]\nnoise_reduction = \"x\"\n"), Contains("expected one of empty, near_field, far_field"));
    CHECK_THAT(file_refusal("[server]\ndrain_limit_ms = -1\n"), Contains("a whole number of ms from 0 to 3600000"));
    CHECK_THAT(file_refusal("[conversation]\nvad_threshold = nan\n"), Contains("expected a number from 0 to 1"));
    CHECK_THAT(file_refusal("[realtime]\nmodel = \"a\\nb\"\n"), Contains("without control characters"));
    CHECK_THAT(file_refusal("[server]\nlisten = 127.0.0.1\n"), Contains("repartee.toml:2: not valid TOML"));
}

TEST_CASE("unknown names are refused with the nearest known one")
{
    CHECK_THAT(file_refusal("[server]\nlisen = \"x\"\n"), Contains(":2: unknown key server.lisen. The nearest is server.listen."));
    CHECK_THAT(file_refusal("[server]\nvad_threshold = 1\n"), Contains("The nearest is conversation.vad_threshold."));
    CHECK_THAT(file_refusal("[sever]\nlisten = \"x\"\n"), Contains(":1: unknown section [sever]. The nearest is [server]."));
    CHECK_THAT(file_refusal("[limit]\n"), Contains("The nearest is [limits]."));
    CHECK_THAT(file_refusal("listen = \"x\"\n"), Contains(":1: listen stands outside of a section. The nearest setting is server.listen."));
    CHECK_THAT(file_refusal("lisen = \"x\"\n"), Contains("The nearest setting is server.listen."));
    CHECK_THAT(file_refusal("[server]\n\"\" = 1\n"), Contains("unknown key"));
    CHECK_THAT(file_refusal("[\"\"]\na = 1\n"), Contains("unknown section"));
    CHECK_THAT(file_refusal("[server]\n\"a\\u001b[31m\" = 1\n"), Contains("\"server.a\\u001b[31m\""));
    CHECK_THAT(refusal({"", {{"REPARTEE_SERVER_LISTEN", "x"}}, {}}),
               Contains("unknown variable REPARTEE_SERVER_LISTEN. The nearest is REPARTEE_SERVER__LISTEN."));
    CHECK_THAT(refusal({"", {{"REPARTEE_SERVER__LISTEN_FILE", "x"}}, {}}), Contains("The nearest is REPARTEE_SERVER__LISTEN."));
    CHECK_THAT(refusal({"", {}, {{"server.lissen", "x"}}}),
               Contains("command line: unknown setting server.lissen. The nearest is server.listen."));
    CHECK_THAT(refusal({"", {}, {{"level", "x"}}}), Contains("unknown setting level. The nearest is log.level."));
    CHECK_THAT(refusal({"", {}, {{"", "x"}}}), Contains("unknown setting \"\""));
}

TEST_CASE("all mistakes are told at once, but not without end")
{
    const std::string both = refusal({"[server]\nthreads = 65\n[log]\nlevel = 1\n", {{"REPARTEE_NONSENSE", "1"}}, {}});
    CHECK_THAT(both, Contains("server.threads") && Contains("log.level") && Contains("REPARTEE_NONSENSE"));
    std::string many = "[server]\n";
    for (int i = 0; i < 100; ++i) many += "wrong" + std::to_string(i) + " = 1\n";
    const std::string message = file_refusal(many);
    CHECK(std::count(message.begin(), message.end(), '\n') == 20);
    CHECK_THAT(message, Contains("and 80 more."));
}

TEST_CASE("a settings file that cannot be read is named")
{
    ConfigSources sources;
    sources.file = "/nonexistent/repartee.toml";
    const auto missing = load_config(sources);
    REQUIRE_FALSE(missing.has_value());
    CHECK(missing.error().code == Code::storage);
    CHECK_THAT(missing.error().message, Contains("/nonexistent/repartee.toml") && Contains("No such file"));
    TemporaryFolder folder;
    sources.file = folder.path();
    CHECK_FALSE(load_config(sources).has_value());
    sources.file = folder.file("large.toml", std::string(2 << 20, '#'));
    CHECK_THAT(load_config(sources).error().message, Contains("larger than 1 MiB"));
}

TEST_CASE("secrets come from files, trimmed")
{
    TemporaryFolder folder;
    const std::string keys = folder.file("keys", "  one,two\n\n");
    const std::string key = folder.file("key", "sk-from-file\n");
    const Config config = loaded({"", {{"REPARTEE_SERVER__API_KEYS_FILE", keys}, {"OPENAI_API_KEY_FILE", key}}, {}});
    CHECK(config.server.api_keys == "one,two");
    CHECK(config.realtime.api_key == "sk-from-file");
    CHECK(config.tts.api_key == "sk-from-file");
    CHECK(config.stt.api_key == "sk-from-file");
    CHECK(config.llm.api_key == "sk-from-file");
    CHECK(config.llm_2.api_key.empty());
    CHECK_THAT(refusal({"", {{"REPARTEE_TTS__API_KEY_FILE", "/nonexistent/key"}}, {}}),
               Contains("REPARTEE_TTS__API_KEY_FILE") && Contains("/nonexistent/key") && Contains("No such file"));
    CHECK_THAT(refusal({"", {{"OPENAI_API_KEY_FILE", "/nonexistent/key"}}, {}}),
               Contains("OPENAI_API_KEY_FILE") && Contains("/nonexistent/key"));
    CHECK_THAT(refusal({"", {{"OPENAI_API_KEY_FILE", folder.file("empty", " \n")}}, {}}), Contains("is empty"));
    CHECK_THAT(refusal({"", {{"OPENAI_API_KEY_FILE", key}, {"OPENAI_API_KEY", "sk-b"}}, {}}), Contains("are both set"));
    CHECK_THAT(refusal({"", {{"REPARTEE_TTS__API_KEY_FILE", key}, {"REPARTEE_TTS__API_KEY", "sk-b"}}, {}}), Contains("are both set"));
}

TEST_CASE("OPENAI_API_KEY fills only keys that are empty")
{
    const Config config = loaded({"[tts]\napi_key = \"sk-tts\"\n", {{"OPENAI_API_KEY", " sk-all "}}, {}});
    CHECK(config.realtime.api_key == "sk-all");
    CHECK(config.tts.api_key == "sk-tts");
    CHECK(loaded({"", {{"OPENAI_API_KEY", ""}}, {}}).effective_upstream() == "local");
}

TEST_CASE("OPENAI_API_KEY goes to nobody but OpenAI")
{
    const std::string file = "[stt]\nurl = \"http://127.0.0.1:9/v1\"\n"
                             "[llm]\nprovider = \"ollama\"\nmodel = \"m\"\n"
                             "[llm_2]\nprovider = \"openai\"\nmodel = \"m\"\nurl = \"https://api.openai.com.evil.example/v1\"\n"
                             "[llm_3]\nprovider = \"openai\"\nmodel = \"m\"\n"
                             "[tts]\nprovider = \"embedded\"\n[tts_2]\nprovider = \"openai\"\nurl = \"https://API.openai.com/v1\"\n";
    const Config config = loaded({file, {{"OPENAI_API_KEY", "sk-x"}}, {}});
    CHECK(config.realtime.api_key == "sk-x");
    CHECK(config.stt.api_key.empty());
    CHECK(config.llm.api_key.empty());
    CHECK(config.llm_2.api_key.empty());
    CHECK(config.llm_3.api_key == "sk-x");
    CHECK(config.tts.api_key.empty());
    CHECK(config.tts_2.api_key == "sk-x");
}

TEST_CASE("of several Realtime services each is as [realtime] but for what it names")
{
    CHECK(Config{}.realtime_services().empty());
    const std::string first = "[realtime]\nurl = \"wss://one.example/v1\"\napi_key = \"k1\"\norganization = \"o1\"\nproject = \"p1\"\n"
                              "model = \"m1\"\n";
    CHECK(loaded({first, {}, {}}).realtime_services().size() == 1);
    TemporaryFolder folder;
    const std::string ca = folder.file("ca.pem", "x");
    const Config config = loaded({first + "ca_file = \"" + ca + "\"\n[realtime_2]\nurl = \"wss://ONE.example:443/eu\"\nproject = \"p2\"\n"
                                          "[realtime_3]\napi_key = \"k3\"\nmodel = \"m3\"\n", {}, {}});
    const auto services = config.realtime_services();
    REQUIRE(services.size() == 3);
    CHECK(services[0].section == "realtime");
    CHECK_FALSE(services[0].names_model);
    CHECK(services[1].section == "realtime_2");
    CHECK(services[1].url == "wss://ONE.example:443/eu");
    CHECK(services[1].api_key == "k1");
    CHECK(services[1].organization == "o1");
    CHECK(services[1].project == "p2");
    CHECK(services[1].model == "m1");
    CHECK(services[1].ca_file == ca);
    CHECK_FALSE(services[1].names_model);
    CHECK(services[2].url == "wss://one.example/v1");
    CHECK(services[2].api_key == "k3");
    CHECK(services[2].organization.empty());  // another account's
    CHECK(services[2].model == "m3");
    CHECK(services[2].names_model);
}

TEST_CASE("a Realtime key goes only where it was meant for, and never unencrypted")
{
    const std::string first = "[realtime]\nurl = \"wss://one.example/v1\"\napi_key = \"k1\"\norganization = \"o1\"\n[realtime_2]\n";
    for (const char* elsewhere : {"wss://two.example/v1", "wss://one.example:8443/v1", "ws://one.example:443/v1", "wss://one.example.evil/v1"}) {
        CAPTURE(elsewhere);
        const auto services = loaded({first + "url = \"" + elsewhere + "\"\n", {{"OPENAI_API_KEY", "sk-env"}}, {}}).realtime_services();
        CHECK(services.at(1).api_key.empty());
        CHECK(services.at(1).organization.empty());
    }
    const std::string openai = first + "url = \"wss://api.openai.com/v1/realtime\"\n";
    CHECK(loaded({openai, {{"OPENAI_API_KEY", "sk-env"}}, {}}).realtime_services().at(1).api_key == "sk-env");
    CHECK_THAT(refusal({openai, {}, {}}), Contains("realtime_2.api_key") && Contains("OPENAI_API_KEY"));
    // Two regions of one account: the key that the file names for [realtime], not the surroundings' one.
    const std::string both = "[realtime]\napi_key = \"k1\"\n[realtime_2]\nurl = \"wss://api.openai.com/v1/eu\"\n";
    CHECK(loaded({both, {{"OPENAI_API_KEY", "sk-env"}}, {}}).realtime_services().at(1).api_key == "k1");
}

TEST_CASE("Realtime services are named in their order, and with an address or a key")
{
    const std::pair<std::string, std::string> first{"realtime.url", "wss://one.example/v1"};
    CHECK_THAT(refusal({"", {}, {first, {"realtime_2.model", "m"}}}), Contains("realtime_2.url") && Contains("realtime_2.api_key"));
    CHECK_THAT(refusal({"", {}, {first, {"realtime_3.url", "wss://b/"}}}), Contains("realtime_3.url") && Contains("[realtime_2]"));
    CHECK_THAT(refusal({"", {}, {{"realtime_2.url", "wss://b/"}}}), Contains("realtime_2.url") && Contains("realtime.url"));
    CHECK(load({"", {}, {{"realtime_2.url", "wss://b/"}, {"realtime.upstream", "local"}}}).has_value());
    CHECK(loaded({"", {}, {first, {"realtime_2.url", "wss://b/"}, {"realtime.upstream", "local"}}}).realtime_services().empty());
    CHECK_THAT(refusal({"", {}, {first, {"realtime_2.url", "https://b/"}}}), Contains("realtime_2.url") && Contains("wss://HOST/PATH"));
    CHECK_THAT(refusal({"", {}, {first, {"realtime_2.url", "wss://b/"}, {"realtime_2.ca_file", "/nonexistent/ca.pem"}}}),
               Contains("realtime_2.ca_file") && Contains("/nonexistent/ca.pem"));
    CHECK_THAT(refusal({"", {}, {first, {"realtime_2.url", "wss://u:hunter2@b/"}}}), Contains("realtime_2.url") && !Contains("hunter2"));
}

TEST_CASE("who takes over is shown, without keys")
{
    const Config config = loaded({"", {}, {{"realtime.url", "wss://one.example/v1"}, {"realtime_2.url", "wss://two.example:8443/v1"},
                                           {"realtime_2.api_key", "sk-two"}, {"recovery.local_last", "true"}}});
    const std::string text = to_toml_masked(config);
    CHECK_THAT(text, Contains("# When it cannot be had: realtime_2 (gpt-realtime-2.1 at two.example:8443), then the engine built in\n"));
    CHECK_THAT(text, !Contains("sk-two"));
    CHECK_THAT(to_toml_masked(Config{}), !Contains("cannot be had"));
}

TEST_CASE("ages, limits and warnings of a conversation fit together")
{
    CHECK_THAT(refusal({"", {}, {{"recovery.rotate_age_ms", "3480000"}}}),
               Contains("recovery.rotate_age_ms") && Contains("recovery.rotate_force_age_ms"));
    for (const char* setting : {"recovery.rotate_age_ms", "recovery.rotate_force_age_ms"}) CHECK(load({"", {}, {{setting, "0"}}}).has_value());
    CHECK_THAT(refusal({"", {}, {{"recovery.backoff_min_ms", "3000"}}}), Contains("3000") && Contains("recovery.backoff_max_ms"));
    CHECK_THAT(refusal({"", {}, {{"turn_taking.turn_ms_max", "10000"}}}), Contains("turn_taking.warning_ms") && Contains("longer turns"));
    CHECK(load({"", {}, {{"turn_taking.turn_ms_max", "10000"}, {"turn_taking.warning_ms", "0"}}}).has_value());
    CHECK(load({"", {}, {{"turn_taking.turn_ms_max", "0"}}}).has_value());
    CHECK_THAT(refusal({"", {}, {{"conversation.limit_ms", "60000"}}}), Contains("conversation.warning_ms"));
    CHECK(load({"", {}, {{"conversation.limit_ms", "60001"}}}).has_value());
    CHECK_THAT(refusal({"", {}, {{"recording.total_bytes_max", "100000"}}}), Contains("recording.file_bytes_max"));
}

TEST_CASE("no message shows a secret")
{
    const std::string secret = "1234567890123456789012";
    for (const std::string& text :
         {"[realtime]\napi_key = " + secret + "\n", "[realtime]\napi_key = [\"" + secret + "\"]\n",
          "[realtime]\napi_key = \"" + secret + "\\q\"\n", "[realtime]\napi_key = 1" + std::string("234567890123\n"),
          "[realtime]\napi_key = \"" + secret + "\\u0007\"\n", "[server]\napi_keys = \"" + secret + "\n"}) {
        CAPTURE(text);
        const std::string message = file_refusal(text);
        CHECK_THAT(message, !Contains("12345"));
        CHECK_THAT(message, Contains("repartee.toml:2"));
    }
    CHECK_THAT(refusal({"", {{"REPARTEE_TTS__API_KEY", secret + "\n"}}, {}}), Contains("tts.api_key = ***") && !Contains("12345"));
    CHECK_THAT(refusal({"", {{"OPENAI_API_KEY", secret + "\n" + secret}}, {}}), Contains("OPENAI_API_KEY") && !Contains("12345"));
    CHECK_THAT(refusal({"", {}, {{"tts.api_key", secret + "\n"}}}), Contains("***") && !Contains("12345"));
    CHECK_THAT(refusal({"", {}, {{"realtime.url", "wss://user:" + secret + "@host/"}}}), Contains("realtime.url") && !Contains("12345"));
}

TEST_CASE("addresses are HOST:PORT")
{
    for (const char* good : {"127.0.0.1:0", "localhost:65535", "[::1]:80", "0.0.0.0:8000"}) {
        CAPTURE(good);
        CHECK(loaded({"", {}, {{"server.listen", good}}}).server.listen == good);
    }
    for (const char* bad : {"", "8000", ":8000", "localhost", "localhost:", "localhost:65536", "localhost:80x", "localhost:-1", "::1:80",
                            "[]:80", "[::1:80", "a b:80", "http://a:80"}) {
        CAPTURE(bad);
        CHECK_THAT(refusal({"", {}, {{"server.listen", bad}}}),
                   Contains("server.listen") && Contains("(command line)") && Contains("HOST:PORT"));
    }
    CHECK_THAT(refusal({"[server]\ntls_listen = \"443\"\n", {}, {}}),
               Contains("server.tls_listen = \"443\"") && Contains("repartee.toml:2"));
    CHECK_THAT(refusal({"", {}, {{"server.tls_listen", "127.0.0.1:8000"}}}), Contains("another port"));
    CHECK(load({"", {}, {{"server.tls_listen", "127.0.0.1:0"}, {"server.listen", "127.0.0.1:0"}}}).has_value());
}

TEST_CASE("origins are written as browsers send them")
{
    for (const char* good : {"", "*", "https://game.example", "https://a.example, http://localhost:5173", "app://game,"})
        CHECK(loaded({"", {}, {{"server.allowed_origins", good}}}).server.allowed_origins == good);
    for (const char* bad : {"game.example", "https://a.example/", "https://a.example,b", "https://", "://a", "https://a b"}) {
        CAPTURE(bad);
        CHECK_THAT(refusal({"", {}, {{"server.allowed_origins", bad}}}),
                   Contains("server.allowed_origins") && Contains("https://game.example"));
    }
}

TEST_CASE("settings that go together are checked together")
{
    TemporaryFolder folder;
    const std::string pem = folder.file("a.pem", "x");
    CHECK_THAT(refusal({"", {}, {{"server.tls_cert", pem}}}), Contains("server.tls_cert") && Contains("set alone"));
    CHECK_THAT(refusal({"", {}, {{"server.tls_key", pem}}}), Contains("server.tls_key") && Contains("set alone"));
    CHECK(load({"", {}, {{"server.tls_key", pem}, {"server.tls_cert", pem}}}).has_value());
    CHECK_THAT(refusal({"", {}, {{"realtime.ca_file", "/nonexistent/ca.pem"}}}), Contains("/nonexistent/ca.pem"));
    CHECK_THAT(refusal({"", {}, {{"realtime.ca_file", folder.path()}}}), Contains("does not name a file"));
    CHECK_THAT(refusal({"", {}, {{"characters.dir", pem}}}), Contains("does not name a folder"));
    CHECK(load({"", {}, {{"characters.dir", folder.path()}}}).has_value());
    CHECK_THAT(refusal({"", {}, {{"realtime.backoff_min_ms", "2000"}, {"realtime.backoff_max_ms", "1999"}}}),
               Contains("2000") && Contains("1999"));
    CHECK(load({"", {}, {{"realtime.backoff_min_ms", "2000"}, {"realtime.backoff_max_ms", "2000"}}}).has_value());
    CHECK_THAT(refusal({"", {}, {{"server.api_keys", " , "}}}), Contains("no key"));
    CHECK_THAT(refusal({"", {}, {{"server.data_dir", ""}}}), Contains("server.data_dir"));
    CHECK_THAT(refusal({"", {}, {{"local.model", ""}}}), Contains("local.model"));
    CHECK(load({"", {}, {{"realtime.model", ""}}}).has_value());
    CHECK_THAT(refusal({"", {}, {{"realtime.model", ""}, {"realtime.api_key", "sk-x"}}}), Contains("realtime.model"));
}

TEST_CASE("sample rates are those that the resampler knows")
{
    for (int hz : audio::client_rates_hz)
        CHECK(loaded({"", {}, {{"conversation.input_rate_hz", std::to_string(hz)}}}).conversation.input_rate_hz == hz);
    CHECK_THAT(file_refusal("[conversation]\noutput_rate_hz = 22050\n"), Contains("expected one of 8000, 16000, 24000, 44100, 48000"));
}

TEST_CASE("the upstream needs a usable address and, at OpenAI, a key")
{
    CHECK_THAT(refusal({"", {}, {{"realtime.upstream", "openai"}}}), Contains("OPENAI_API_KEY"));
    CHECK_THAT(refusal({"", {}, {{"realtime.url", "wss://API.openai.com/v2"}}}), Contains("OPENAI_API_KEY"));
    CHECK(load({"", {{"OPENAI_API_KEY", "sk-x"}}, {{"realtime.upstream", "openai"}}}).has_value());
    CHECK(load({"", {}, {{"realtime.upstream", "openai"}, {"realtime.url", "ws://127.0.0.1:9/v1"}}}).has_value());
    for (const char* bad : {"", "https://api.openai.com/v1", "api.openai.com", "wss://", "wss://host:99999/"}) {
        CAPTURE(bad);
        CHECK_THAT(refusal({"", {}, {{"realtime.url", bad}}}), Contains("realtime.url") && Contains("wss://HOST/PATH"));
    }
    CHECK_THAT(refusal({"", {}, {{"tts.url", "wss://a/"}}}), Contains("tts.url") && Contains("https://HOST/PATH"));
    for (const std::string section : {"stt", "llm", "tts"})
        CHECK_THAT(refusal({"", {}, {{section + ".provider", "openai"}, {section + ".model", "m"}}}),
                   Contains(section + ".provider") && Contains("OPENAI_API_KEY") && Contains(section + ".api_key"));
}

TEST_CASE("auto is openai with a key or another address, else local")
{
    Config config;
    CHECK(config.effective_upstream() == "local");
    CHECK(config.effective_model() == config.local.model);
    config.realtime.api_key = "sk-x";
    CHECK(config.effective_upstream() == "openai");
    CHECK(config.effective_model() == config.realtime.model);
    config.realtime.upstream = "local";
    CHECK(config.effective_upstream() == "local");
    config = {};
    config.realtime.url = "ws://127.0.0.1:9/v1";
    CHECK(config.effective_upstream() == "openai");
}

TEST_CASE("a role's auto is openai when there is a key or an url, and for the model a name; else embedded")
{
    Config config;
    for (const char* role : {"stt", "llm", "tts"}) CHECK(config.chain(role).front().provider == "embedded");
    config.stt.api_key = config.llm.api_key = config.tts.api_key = "sk-x";
    CHECK(config.chain("stt").front().provider == "openai");
    CHECK(config.chain("tts").front().provider == "openai");
    CHECK(config.chain("llm").front().provider == "embedded");
    config.llm.model = "m";
    CHECK(config.chain("llm").front().provider == "openai");
    config = {};
    config.stt.url = "http://127.0.0.1:9/v1";
    config.tts.provider = "sovits";
    CHECK(config.chain("stt").front().provider == "openai");
    CHECK(config.chain("tts").front().provider == "sovits");
    CHECK(config.chain("stt").front().service == &config.stt);
    CHECK(config.chain("tts").front().service == &config.tts);
    config.llm_2.provider = "ollama";
    config.llm_3.provider = "embedded";
    const auto chain = config.chain("llm");
    REQUIRE(chain.size() == 3);
    CHECK(chain[1].section == "llm_2");
    CHECK(chain[1].service == &config.llm_2);
    CHECK(chain[2].provider == "embedded");
}

TEST_CASE("what the roles need is asked for by name")
{
    TemporaryFolder folder;
    CHECK_THAT(refusal({"", {}, {{"llm.provider", "ollama"}}}), Contains("llm.model") && Contains("\"ollama\""));
    CHECK_THAT(refusal({"", {}, {{"llm_2.provider", "openai"}, {"llm_2.url", "http://127.0.0.1:9"}}}), Contains("llm_2.model"));
    CHECK_THAT(refusal({"", {}, {{"tts_3.provider", "embedded"}}}), Contains("tts_3.provider") && Contains("tts_2"));
    CHECK_THAT(refusal({"", {}, {{"stt_2.url", "http://127.0.0.1:9"}}}), Contains("stt_2.provider") && Contains("Name the provider"));
    CHECK_THAT(refusal({"", {}, {{"stt_2.provider", "auto"}}}), Contains("expected one of empty, embedded, openai"));
    CHECK_THAT(refusal({"", {}, {{"llm.path", "chat"}}}), Contains("llm.path") && Contains("slash"));
    CHECK_THAT(refusal({"", {}, {{"llm_3.ca_file", "/nonexistent/ca.pem"}}}), Contains("/nonexistent/ca.pem"));
    for (const char* bad : {"[]", "{", "{\"a\":1} x", "minimal"})
        CHECK_THAT(refusal({"", {}, {{"llm.extra", bad}}}), Contains("llm.extra") && Contains("JSON object"));
    CHECK(load({"", {}, {{"llm.extra", "{\"reasoning_effort\":\"minimal\"}"}}}).has_value());
    for (const char* setting : {"stt.language", "interview.language", "voice_chat.language", "listen.language"})
        CHECK_THAT(refusal({"", {}, {{setting, "korean"}}}), Contains(setting) && Contains("ko"));
    CHECK_THAT(refusal({"", {}, {{"listen.language", ""}}}), Contains("listen.language"));
    CHECK_THAT(refusal({"", {}, {{"local.first_piece_chars", "100"}, {"local.piece_chars_max", "50"}}}), Contains("local.first_piece_chars"));
    std::string many;
    for (int i = 0; i < 51; ++i) many += "Why?|";
    CHECK_THAT(refusal({"", {}, {{"interview.questions", many}}}), Contains("interview.questions") && Contains("50"));
}

TEST_CASE("GPT-SoVITS wants a file of voices, each with a recording")
{
    TemporaryFolder folder;
    const auto with = [&](const std::string& voices) {
        return load({"", {}, {{"tts_2.provider", "sovits"}, {"tts.voices_file", voices.empty() ? "" : folder.file("voices.json", voices)}}});
    };
    CHECK_THAT(with("").error().message, Contains("tts.voices_file") && Contains("tts_2.provider"));
    CHECK_THAT(with("{\"voices\":[{\"id\":\"mina\"}]}").error().message, Contains("\"mina\"") && Contains("ref_audio_path"));
    CHECK_THAT(with("[").error().message, Contains("voices.json"));
    CHECK(with("{\"voices\":[{\"id\":\"mina\",\"ref_audio_path\":\"/a.wav\",\"prompt_lang\":\"ko\"}]}").has_value());
    CHECK_THAT(refusal({"", {}, {{"tts.voices_file", "/nonexistent/voices.json"}}}), Contains("/nonexistent/voices.json"));
}

TEST_CASE("a proxy that is not understood is refused only when something would go through it")
{
    const std::map<std::string, std::string> environment{{"https_proxy", "socks5://user:hunter2@127.0.0.1:1080"}};
    CHECK(load({"", environment, {}}).has_value());
    const std::vector<std::pair<std::string, std::string>> reachable{{"stt.api_key", "sk-x"}};
    CHECK_THAT(refusal({"", environment, reachable}), Contains("https_proxy") && Contains("http_client.proxy") && !Contains("hunter2"));
    CHECK(load({"", environment, {{"stt.api_key", "sk-x"}, {"http_client.proxy", "none"}}}).has_value());
    CHECK(load({"", {{"https_proxy", "http://127.0.0.1:3128"}}, reachable}).has_value());
}

TEST_CASE("turn detection follows the conversation's settings")
{
    using Type = realtime::TurnDetection::Type;
    Config config;
    CHECK(config.turn_detection() == realtime::TurnDetection{});
    config.conversation.vad_threshold = 0.75;
    config.conversation.vad_prefix_padding_ms = 200;
    config.conversation.vad_silence_duration_ms = 900;
    CHECK(config.turn_detection() == realtime::TurnDetection{.threshold = 0.75, .prefix_padding_ms = 200, .silence_duration_ms = 900});
    config.conversation.turn_detection = "semantic_vad";
    config.conversation.semantic_eagerness = "high";
    CHECK(config.turn_detection().type == Type::semantic_vad);
    CHECK(config.turn_detection().eagerness == "high");
    config.conversation.turn_detection = "none";
    CHECK(config.turn_detection().type == Type::none);
}

TEST_CASE("the configuration in force is shown as TOML that loads again, secrets masked")
{
    Config config = loaded({"", {{"OPENAI_API_KEY", "sk-secret"}, {"REPARTEE_SERVER__API_KEYS", "abc"}},
                            {{"conversation.default_character", "박 \"지훈\" \\"}, {"introductions.speed", "1"}, {"server.threads", "3"}}});
    const std::string text = to_toml_masked(config);
    CHECK_THAT(text, !Contains("sk-secret") && !Contains("abc") && Contains("openai, model \"gpt-realtime-2.1\""));
    const Config again = loaded({text, {}, {}});
    CHECK_THAT(text, Contains("# Hears (stt): openai (gpt-transcribe at api.openai.com)") && Contains("# Thinks (llm): embedded (prepared lines)") &&
                         Contains("# Speaks (tts): openai (tts-1 at api.openai.com)"));
    config.server.api_keys = config.realtime.api_key = config.stt.api_key = config.llm.api_key = config.tts.api_key = "***";
    CHECK(values_of(again) == values_of(config));
    CHECK_THAT(to_toml_masked(Config{}), !Contains("= \"***\""));
}

TEST_CASE("config/repartee.toml in the repository is what the program documents")
{
    CHECK(read_file(std::string(REPARTEE_SOURCE_DIR) + "/config/repartee.toml") == documented_defaults());
}

TEST_CASE("the documented defaults load, as they are and with every key un-commented")
{
    CHECK(values_of(loaded({documented_defaults(), {}, {}})) == values_of(Config{}));
    std::string bare;
    std::size_t keys = 0;
    std::istringstream lines(documented_defaults());
    for (std::string line; std::getline(lines, line);) {
        const std::size_t word_end = line.find(' ', 2);
        const bool key = line.starts_with("# ") && word_end != line.npos && line.compare(word_end, 3, " = ") == 0;
        keys += key ? 1 : 0;
        bare += (key ? line.substr(2) : line) + "\n";
    }
    Config defaults;
    CHECK(keys == settings_of(defaults).size());
    CHECK(values_of(loaded({bare, {}, {}})) == values_of(Config{}));
    for (const Setting& setting : settings_of(defaults)) CHECK_THAT(bare, Contains(setting.environment_name()));
}
