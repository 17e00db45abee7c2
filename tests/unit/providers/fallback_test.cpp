#include "canned_service.hpp"
#include "repartee/providers/fallback.hpp"

using namespace repartee;
using namespace repartee::providers;
using namespace repartee::test;

namespace {

using Order = std::vector<std::size_t>;

/// A provider of every role that does as the test says.
struct Fake final : SpeechToText, LanguageModel, TextToSpeech {
    std::optional<Error> error;
    bool gives_before = true;  ///< something of the answer, before it fails or ends
    std::vector<std::string> models;

    Task<Transcript> transcribe(TranscribeRequest request, TextSink delta, Stop) override
    {
        models.push_back(request.choice.model);
        if (gives_before && delta) delta("words");
        if (error) co_return *error;
        Transcript transcript;
        transcript.text = "words";
        transcript.duration_s = 1.5;
        co_return transcript;
    }
    Task<ChatResult> chat(ChatRequest request, ChatSink sink, Stop) override
    {
        models.push_back(request.choice.model);
        if (gives_before) sink.text("words");
        if (error) co_return *error;
        ChatResult result;
        result.usage = {3, 4, true};
        co_return result;
    }
    Task<SpeechUsage> speak(SpeechRequest request, SpeechSink sink, Stop) override
    {
        models.push_back(request.choice.model);
        const std::vector<std::int16_t> samples(24'000);
        if (gives_before) sink(samples);
        if (error) co_return *error;
        SpeechUsage usage;
        usage.characters = 5;
        co_return usage;
    }
    std::string_view provider_name() const override { return "fake"; }
};

struct Two {
    Bench bench;
    std::shared_ptr<Fake> first = std::make_shared<Fake>(), second = std::make_shared<Fake>();
    std::shared_ptr<LanguageModel> llm = chain(std::vector<Named<LanguageModel>>{{"llm", first}, {"llm_2", second}}, std::chrono::minutes(1),
                                               bench.metrics);
    std::shared_ptr<SpeechToText> stt = chain(std::vector<Named<SpeechToText>>{{"stt", first}, {"stt_2", second}}, std::chrono::minutes(1),
                                              bench.metrics);
    std::shared_ptr<TextToSpeech> tts = chain(std::vector<Named<TextToSpeech>>{{"tts", first}, {"tts_2", second}}, std::chrono::minutes(1),
                                              bench.metrics);

    Result<ChatResult> chat(const Choice& choice = {})
    {
        ChatRequest request;
        request.choice = choice;
        ChatSink sink;
        sink.text = [this](std::string_view text) { heard += text; };
        return run(bench.context, llm->chat(request, sink, {}));
    }
    std::string heard;
};

Error failure(Code code) { return Error{code, "It failed."}; }

}  // namespace

TEST_CASE("the preferred one first, those that failed of late last")
{
    const Instant now{};
    Rotation rotation({"llm", "llm_2", "llm_3"}, milliseconds(1'000));
    CHECK(rotation.order("", now) == Order{0, 1, 2});
    CHECK(rotation.order("llm_3", now) == Order{2, 0, 1});
    CHECK(rotation.order("llm_9", now) == Order{0, 1, 2});
    rotation.on_failure(0, now);
    CHECK(rotation.order("", now) == Order{1, 2, 0});
    CHECK(rotation.order("llm", now + milliseconds(999)) == Order{1, 2, 0});
    CHECK(rotation.order("llm", now + milliseconds(1'000)) == Order{0, 1, 2});
    rotation.on_failure(2, now);
    rotation.on_failure(1, now);
    CHECK(rotation.order("llm_2", now) == Order{1, 0, 2});
    rotation.on_success(2);
    CHECK(rotation.order("llm_2", now) == Order{2, 1, 0});
}

TEST_CASE("the next takes over when nothing was used, and the failed one is left alone for a while")
{
    Two two;
    two.first->error = failure(Code::timeout);
    two.first->gives_before = false;
    REQUIRE(ok(two.chat()));
    CHECK(two.heard == "words");
    CHECK(two.bench.metrics.llm.fallbacks.value() == 1);
    CHECK(two.bench.metrics.llm.requests.value() == 2);
    CHECK(two.bench.metrics.llm.failures.value() == 1);
    CHECK(two.bench.metrics.llm.input_tokens.value() == 3);
    CHECK(two.bench.metrics.llm.output_tokens.value() == 4);
    REQUIRE(ok(two.chat()));
    CHECK(two.first->models.size() == 1);
    CHECK(two.second->models.size() == 2);
    CHECK(two.bench.metrics.llm.fallbacks.value() == 1);
}

TEST_CASE("after the first word nobody takes over")
{
    Two two;
    two.first->error = failure(Code::closed);
    const auto outcome = two.chat();
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Code::closed);
    CHECK(two.second->models.empty());
}

TEST_CASE("who takes over, for which failure")
{
    const struct {
        Code code;
        bool takes_over, cools_down;
    } table[] = {
        {Code::timeout, true, true},          {Code::closed, true, true},       {Code::tls, true, true},      {Code::provider_failed, true, true},
        {Code::not_configured, true, true},   {Code::busy, true, true},         {Code::protocol, true, true}, {Code::invalid_audio, true, false},
        {Code::cancelled, false, false},      {Code::too_large, false, false},
    };
    for (const auto& row : table) {
        INFO(name(row.code));
        Two two;
        two.first->error = failure(row.code);
        two.first->gives_before = false;
        CHECK(two.chat().has_value() == row.takes_over);
        CHECK(two.bench.metrics.llm.cancelled.value() == (row.code == Code::cancelled ? 1 : 0));
        two.first->error.reset();
        REQUIRE(ok(two.chat()));
        CHECK(two.first->models.size() == (row.cools_down ? 1 : 2));
    }
}

TEST_CASE("when all fail the first one's error is told, and all are tried again")
{
    Two two;
    two.first->error = Error{Code::timeout, "first"};
    two.second->error = Error{Code::closed, "second"};
    two.first->gives_before = two.second->gives_before = false;
    for (int i = 0; i < 2; ++i) {
        const auto outcome = two.chat();
        REQUIRE(!outcome);
        CHECK(outcome.error().message == "first");
    }
    CHECK(two.first->models.size() == 2);
}

TEST_CASE("a wish goes to its provider, and a model's name to nobody else")
{
    Two two;
    REQUIRE(ok(two.chat({"llm_2", "wished"})));
    CHECK(two.second->models == std::vector<std::string>{"wished"});
    CHECK(two.first->models.empty());
    REQUIRE(ok(two.chat({"", "other"})));
    CHECK(two.first->models == std::vector<std::string>{"other"});
    REQUIRE(ok(two.chat({"llm_3", "unknown"})));
    CHECK(two.first->models == std::vector<std::string>{"other", ""});
    two.second->error = failure(Code::timeout);
    two.second->gives_before = false;
    REQUIRE(ok(two.chat({"llm_2", "wished"})));
    CHECK(two.first->models == std::vector<std::string>{"other", "", ""});
}

TEST_CASE("transcripts and speech fall back alike")
{
    Two two;
    two.first->error = failure(Code::provider_failed);
    two.first->gives_before = false;
    TranscribeRequest clip;
    std::string heard;
    const TextSink collect = [&](std::string_view text) { heard += text; };
    REQUIRE(ok(run(two.bench.context, two.stt->transcribe(clip, collect, {}))));
    CHECK(heard == "words");
    CHECK(two.bench.metrics.stt.audio_ms.value() == 1'500);
    std::size_t samples = 0;
    const SpeechSink count = [&](std::span<const std::int16_t> piece) { samples += piece.size(); };
    REQUIRE(ok(run(two.bench.context, two.tts->speak(SpeechRequest(), count, {}))));
    CHECK(samples == 24'000);
    CHECK(two.bench.metrics.tts.audio_ms.value() == 1'000);
    CHECK(two.bench.metrics.tts.characters.value() == 5);

    // What nobody listens to is not used: a transcript that fails behind its deltas may still come from the other.
    two.first->gives_before = true;
    two.stt = chain(std::vector<Named<SpeechToText>>{{"stt", two.first}, {"stt_2", two.second}}, milliseconds(0), two.bench.metrics);
    CHECK(run(two.bench.context, two.stt->transcribe(clip, {}, {})).has_value());
    CHECK_FALSE(run(two.bench.context, two.stt->transcribe(clip, collect, {})).has_value());
}

TEST_CASE("a service that is down is replaced by the one that is not, over real sockets")
{
    Bench bench;
    CannedService broken(bench.context, {whole("500 Internal Server Error", "text/plain", "oops")});
    const std::string answer = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    CannedService good(bench.context, {whole("200 OK", "text/event-stream", answer)});
    RoleSettings settings;
    settings.stt.emplace_back();
    settings.tts.emplace_back();
    settings.llm = {settings_for<LlmSettings>(broken, "llm"), settings_for<LlmSettings>(good, "llm_2")};
    for (auto& llm : settings.llm) llm.model = "m";
    settings.llm[0].retries = 1;
    auto roles = create_roles(settings, bench.resources);
    REQUIRE(ok(roles));
    std::string text;
    ChatSink sink;
    sink.text = [&](std::string_view piece) { text += piece; };
    ChatRequest request;
    request.messages = {{"user", "Hi"}};
    REQUIRE(ok(run(bench.context, roles->llm->chat(request, sink, {}))));
    CHECK(text == "Hi");
    CHECK(broken.requests().size() == 2);
    CHECK(bench.metrics.llm.retries.value() == 1);
    CHECK(bench.metrics.llm.fallbacks.value() == 1);
}
