#include "canned_service.hpp"
#include "repartee/providers/create.hpp"

using namespace repartee;
using namespace repartee::providers;
using test::ok;

namespace {

VoiceList one_voice()
{
    Voice voice;
    voice.id = "jihun";
    return VoiceList({voice}, "");
}

template <class Settings>
Settings named(const std::string& section, const std::string& provider)
{
    Settings settings;
    settings.section = section;
    settings.provider = provider;
    settings.url = "http://127.0.0.1:1/v1";
    settings.model = "m";
    return settings;
}

}  // namespace

TEST_CASE("providers are made by name")
{
    test::Bench bench;
    CHECK((*create_tts(named<TtsSettings>("tts", "embedded"), bench.resources))->provider_name() == "embedded");
    CHECK((*create_tts(named<TtsSettings>("tts", "openai"), bench.resources))->provider_name() == "openai");
    auto sovits = named<TtsSettings>("tts", "sovits");
    sovits.voices = std::make_shared<const VoiceList>(one_voice());
    CHECK((*create_tts(sovits, bench.resources))->provider_name() == "sovits");
    CHECK((*create_llm(named<LlmSettings>("llm", "embedded"), bench.resources))->provider_name() == "scripted");
    CHECK((*create_llm(named<LlmSettings>("llm", "openai"), bench.resources))->provider_name() == "openai");
    CHECK((*create_llm(named<LlmSettings>("llm", "ollama"), bench.resources))->provider_name() == "ollama");
    CHECK((*create_stt(named<SttSettings>("stt", "embedded"), bench.resources))->provider_name() == "none");
    CHECK((*create_stt(named<SttSettings>("stt", "openai"), bench.resources))->provider_name() == "openai");
}

TEST_CASE("an unknown provider's error names the known ones")
{
    test::Bench bench;
    const auto made = create_tts(named<TtsSettings>("tts", "gramophone"), bench.resources);
    REQUIRE(!made);
    CHECK(made.error().code == Code::invalid_value);
    CHECK(made.error().message == "There is no speech (tts) provider \"gramophone\". Known: embedded, openai, sovits.");
    CHECK_FALSE(create_llm(named<LlmSettings>("llm", "oracle"), bench.resources).has_value());
    CHECK_FALSE(create_stt(named<SttSettings>("stt", "ear"), bench.resources).has_value());
}

TEST_CASE("settings that cannot work are refused at once, by the section's name")
{
    test::Bench bench;
    auto tts = named<TtsSettings>("tts_2", "openai");
    tts.url.clear();
    const auto keyless = create_tts(tts, bench.resources);
    REQUIRE(!keyless);
    CHECK(keyless.error().code == Code::not_configured);
    CHECK_THAT(keyless.error().message, Catch::Contains("tts_2.api_key"));
    for (const std::string url : {"not a url", "wss://example.com", "ftp://example.com"}) {
        tts.url = url;
        const auto bad_url = create_tts(tts, bench.resources);
        REQUIRE(!bad_url);
        CHECK(bad_url.error().code == Code::invalid_value);
        CHECK(bad_url.error().param == "tts_2.url");
    }
    tts.url = "https://example.com";
    tts.ca_file = "/no/such/file.pem";
    const auto bad_ca = create_tts(tts, bench.resources);
    REQUIRE(!bad_ca);
    CHECK(bad_ca.error().code == Code::tls);

    for (const std::string provider : {"openai", "ollama"}) {
        auto llm = named<LlmSettings>("llm_2", provider);
        llm.model.clear();
        const auto no_model = create_llm(llm, bench.resources);
        REQUIRE(!no_model);
        CHECK(no_model.error().code == Code::not_configured);
        CHECK_THAT(no_model.error().message, Catch::Contains("llm_2.model"));
    }
    const auto no_voices = create_tts(named<TtsSettings>("tts", "sovits"), bench.resources);
    REQUIRE(!no_voices);
    CHECK_THAT(no_voices.error().message, Catch::Contains("tts.voices_file"));
}

TEST_CASE("the embedded roles work without any service")
{
    test::Bench bench;
    RoleSettings settings;
    settings.stt.emplace_back();
    settings.llm.emplace_back();
    settings.tts.emplace_back();
    settings.tts[0].espeak_program = "no-such-program-anywhere";
    const auto roles = create_roles(settings, bench.resources);
    REQUIRE(ok(roles));
    CHECK_FALSE(roles->llm->reads_words());

    TranscribeRequest heard;
    heard.audio.samples.assign(24'000, 0);
    const auto transcript = test::run(bench.context, roles->stt->transcribe(heard, {}, {}));
    REQUIRE(!transcript);
    CHECK(transcript.error().code == Code::not_configured);
    CHECK(transcript.error().message.find("OPENAI_API_KEY") != std::string::npos);

    std::string said;
    ChatSink sink;
    sink.text = [&](std::string_view text) { said += text; };
    REQUIRE(ok(test::run(bench.context, roles->llm->chat(ChatRequest(), sink, {}))));
    CHECK_FALSE(said.empty());

    std::size_t samples = 0;
    SpeechRequest speech;
    speech.text = said;
    const SpeechSink count = [&](std::span<const std::int16_t> piece) { samples += piece.size(); };
    REQUIRE(ok(test::run(bench.context, roles->tts->speak(speech, count, {}))));
    CHECK(samples > 10'000);
    CHECK(bench.metrics.tts.requests.value() == 1);
    CHECK(bench.metrics.tts.characters.value() > 10);
    CHECK(bench.metrics.stt.failures.value() == 1);
}

TEST_CASE("a role has one to three providers")
{
    test::Bench bench;
    RoleSettings settings;
    CHECK_FALSE(create_roles(settings, bench.resources).has_value());
    settings.stt.resize(4);
    settings.llm.resize(1);
    settings.tts.resize(1);
    CHECK_FALSE(create_roles(settings, bench.resources).has_value());
}
