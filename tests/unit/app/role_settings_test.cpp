#include "app/role_settings.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::app;
using std::chrono::milliseconds;

namespace {

providers::RoleSettings settings_of(const Config& config)
{
    const auto settings = role_settings(config);
    if (!settings) FAIL(settings.error().message);
    return *settings;
}

}  // namespace

TEST_CASE("without an account each role is one embedded provider")
{
    const auto settings = settings_of(Config{});
    REQUIRE((settings.stt.size() == 1 && settings.llm.size() == 1 && settings.tts.size() == 1));
    CHECK(settings.stt[0].provider == "embedded");
    CHECK(settings.llm[0].provider == "embedded");
    CHECK(settings.tts[0].provider == "embedded");
    CHECK(settings.tts[0].times.total == milliseconds(Config{}.local.speech_limit_ms));
    CHECK(settings.tts[0].voices == nullptr);
    CHECK(speaks_prepared_lines(Config{}));
}

TEST_CASE("a fallback has its own address, key and model, and the rest of its role")
{
    Config config;
    config.llm.provider = "ollama";
    config.llm.model = "local";
    config.llm.api_key = "sk-first";
    config.llm.extra = "{\"a\":1}";
    config.llm.first_byte_limit_ms = 1'234;
    config.llm.retries = 3;
    config.llm_2.provider = "openai";
    config.llm_2.url = "https://llm.example/v1";
    config.llm_2.api_key = "sk-second";
    config.llm_2.model = "large";
    const auto settings = settings_of(config);
    REQUIRE(settings.llm.size() == 2);
    CHECK(settings.llm[0].section == "llm");
    CHECK(settings.llm[0].url.empty());
    CHECK(settings.llm[1].section == "llm_2");
    CHECK(settings.llm[1].provider == "openai");
    CHECK(settings.llm[1].url == "https://llm.example/v1");
    CHECK(settings.llm[1].api_key == "sk-second");
    CHECK(settings.llm[1].model == "large");
    for (const auto& llm : settings.llm) {
        CHECK(llm.times.first_byte == milliseconds(1'234));
        CHECK(llm.retries == 3);
        CHECK(llm.extra == json::object{{"a", 1}});
    }
    CHECK_FALSE(speaks_prepared_lines(config));
}

TEST_CASE("a fallback that hears or speaks has the role's default model, and the first one's fallback voice")
{
    Config config;
    config.stt.url = "http://127.0.0.1:1/v1";
    config.stt.model = "whisper-large";
    config.stt_2.provider = "openai";
    config.tts.provider = "sovits";
    config.tts.fallback_voice = "shimmer";
    config.tts_2.provider = "openai";
    config.tts_3 = {{.provider = "embedded"}, "echo"};
    const auto settings = settings_of(config);
    REQUIRE((settings.stt.size() == 2 && settings.tts.size() == 3));
    CHECK(settings.stt[0].model == "whisper-large");
    CHECK(settings.stt[1].model == "gpt-transcribe");
    CHECK(settings.tts[1].model == "tts-1");
    CHECK(settings.tts[1].fallback_voice == "shimmer");
    CHECK(settings.tts[2].fallback_voice == "echo");
    CHECK(settings.tts[0].requests_at_once == 1);
    CHECK(settings.tts[0].gate);
    CHECK(settings.tts[1].requests_at_once == 0);
    CHECK_FALSE(settings.tts[1].gate);
}

TEST_CASE("who does what is told without keys, addresses without user or path")
{
    Config config;
    config.stt.api_key = "sk-secret";
    config.llm.provider = "ollama";
    config.llm.model = "gemma";
    config.llm_2 = {.provider = "openai", .url = "https://llm.example:8443/v1", .api_key = "sk-secret", .model = "large"};
    config.tts.url = "http://user:secret@host/";
    CHECK(chain_text(config, "stt") == "openai (gpt-transcribe at api.openai.com)");
    CHECK(chain_text(config, "llm") == "ollama (gemma at 127.0.0.1:11434), then openai (large at llm.example:8443)");
    CHECK(chain_text(config, "tts").find("secret") == std::string::npos);
    CHECK(chain_text(Config{}, "tts") == "embedded (espeak-ng)");
}

TEST_CASE("questions are separated by bars")
{
    CHECK(split_questions("").empty());
    CHECK(split_questions(" | |").empty());
    CHECK(split_questions("Why us?") == std::vector<std::string>{"Why us?"});
    CHECK(split_questions(" 하나는? |둘은?|") == std::vector<std::string>{"하나는?", "둘은?"});
}

TEST_CASE("proxies are asked for where the settings say so")
{
    const auto environment = [](const char* name) -> const char* {
        return std::string_view(name) == "http_proxy" ? "http://127.0.0.1:3128" : nullptr;
    };
    const net::Url url = net::parse_url("http://elsewhere.example/").value();
    Config config;
    CHECK(http_client_settings(config, environment).proxies.choose(url).has_value());
    config.http_client.proxy = "none";
    CHECK_FALSE(http_client_settings(config, environment).proxies.choose(url).has_value());
}
