#include "repartee/voice/voice_chat.hpp"

#include "../../support/run_coroutine.hpp"
#include "fakes.hpp"

#include <boost/asio/this_coro.hpp>
#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::voice;
using namespace std::chrono_literals;
using testing::FakeRoles;
using testing::run_coroutine;

namespace {

/// Takes `bytes_max`, then says that the client has gone.
class Writer final : public net::BodyWriter {
public:
    std::size_t bytes_max = 100 << 20;
    std::string body;
    std::vector<std::pair<std::string, std::string>> trailers;
    std::function<void()> on_write;

    Task<> write(std::string_view bytes) override
    {
        if (on_write) on_write();
        if (body.size() >= bytes_max) co_return Error{Code::closed, "gone"};
        body += bytes;
        co_return Result<void>();
    }
    void add_trailer(std::string name, std::string value) override { trailers.emplace_back(std::move(name), std::move(value)); }
};

struct World {
    store::Database database = store::Database::open(":memory:").value();
    store::MemoryRepository repository{database, {}};
    Memory memory{repository, {}};
    FakeRoles fakes;
    Metrics metrics;
    std::stop_source gone;
    VoiceChatSettings settings;

    World() { settings.language = "en"; }
    VoiceChatContext context() { return {fakes.roles(), memory, metrics}; }
    VoiceChatRequest request(std::string session_id = "chat_1")
    {
        VoiceChatRequest request;
        request.audio.file = "RIFF....";
        request.audio.container = audio::Container::wav;
        request.session_id = std::move(session_id);
        request.format = audio::ReplyFormat::pcm;
        return request;
    }
};

struct Outcome {
    VoiceChatTexts at_first_sound, at_end;
    std::optional<Error> failure;
    bool sent_all = false;
};

Outcome run(World& world, VoiceChatRequest request, Writer& writer)
{
    Outcome outcome;
    run_coroutine([&]() -> awaitable<void> {
        VoiceChat chat = co_await VoiceChat::begin(std::move(request), world.settings, world.context(), world.gone.get_token());
        outcome.at_first_sound = chat.texts();
        outcome.failure = chat.failure();
        if (!outcome.failure) outcome.sent_all = co_await chat.pump(writer);
        outcome.at_end = chat.texts();
    }());
    return outcome;
}

std::vector<store::StoredTurn> recall(World& world, const std::string& id)
{
    std::vector<store::StoredTurn> turns;
    run_coroutine([&]() -> awaitable<void> {
        auto recalled = co_await world.memory.recall(id, 2s);
        turns = recalled.value();
    }());
    return turns;
}

}  // namespace

TEST_CASE("a recording is heard, answered and spoken")
{
    World world;
    world.fakes.stt->answers = {Result<std::string>("Where is my parcel?")};
    Writer writer;
    const Outcome outcome = run(world, world.request(), writer);
    REQUIRE_FALSE(outcome.failure);
    CHECK(outcome.sent_all);
    CHECK(outcome.at_first_sound.heard == "Where is my parcel?");
    CHECK(outcome.at_first_sound.request_class == "order_status");
    CHECK(outcome.at_first_sound.said.starts_with("Of course."));
    CHECK(outcome.at_end.said == "Of course. I will look it up.");
    CHECK(outcome.at_end.said_all);
    CHECK(writer.body.size() == 4'800 * world.fakes.tts->spoken.size());
    REQUIRE(writer.trailers.size() == 1);
    CHECK(writer.trailers[0].second == "Of%20course.%20I%20will%20look%20it%20up.");
    CHECK(world.metrics.voice_chats_total.value() == 1);

    const auto turns = recall(world, "chat_1");
    REQUIRE(turns.size() == 2);
    CHECK(turns[0].text == "Where is my parcel?");
    CHECK(turns[0].label == "order_status");
    CHECK(turns[1].text == "Of course. I will look it up.");
    CHECK(turns[1].unix_ms > 0);
}

TEST_CASE("the next request of a session knows the last one, another session does not")
{
    World world;
    Writer writer;
    run(world, world.request(), writer);
    run(world, world.request(), writer);
    run(world, world.request("chat_2"), writer);
    REQUIRE(world.fakes.llm->asked.size() == 3);
    CHECK(world.fakes.llm->asked[0].messages.size() == 2);
    REQUIRE(world.fakes.llm->asked[1].messages.size() == 4);
    CHECK(world.fakes.llm->asked[1].messages[1].text == "heard 1");
    CHECK(world.fakes.llm->asked[1].messages[2].role == "assistant");
    CHECK(world.fakes.llm->asked[1].messages[3].text == "heard 2");
    CHECK(world.fakes.llm->asked[2].messages.size() == 2);
}

TEST_CASE("nothing understood is answered with a spoken apology and not remembered")
{
    World world;
    world.fakes.stt->answers = {Result<std::string>("")};
    world.settings.fallback_line = "Pardon?";
    Writer writer;
    const Outcome outcome = run(world, world.request(), writer);
    CHECK(outcome.sent_all);
    CHECK(outcome.at_first_sound.heard.empty());
    CHECK(outcome.at_end.said == "Pardon?");
    CHECK(outcome.at_first_sound.request_class == "other");
    CHECK(writer.body.size() == 4'800);
    CHECK(world.fakes.llm->asked.empty());
    CHECK(recall(world, "chat_1").empty());
}

TEST_CASE("a provider that fails before the first sound is an error with what was understood")
{
    World world;
    world.fakes.llm->failure = Error{Code::provider_failed, "The model is down."};
    Writer writer;
    const Outcome outcome = run(world, world.request(), writer);
    REQUIRE(outcome.failure);
    CHECK(outcome.failure->code == Code::provider_failed);
    CHECK(outcome.at_first_sound.heard == "heard 1");
    CHECK(recall(world, "chat_1").empty());

    World silent;
    silent.fakes.tts->failure = Error{Code::timeout, "No voice."};
    const Outcome without_voice = run(silent, silent.request(), writer);
    REQUIRE(without_voice.failure);
    CHECK(without_voice.failure->code == Code::timeout);

    World deaf;
    deaf.fakes.stt->answers = {Result<std::string>(Error{Code::not_configured, "No recogniser."})};
    CHECK(run(deaf, deaf.request(), writer).failure->code == Code::not_configured);

    World wordless;
    wordless.fakes.llm->reply = "";
    CHECK(run(wordless, wordless.request(), writer).failure->code == Code::provider_failed);

    World no_audio;
    VoiceChatRequest request = no_audio.request();
    request.audio.container = audio::Container::unknown;
    CHECK(run(no_audio, std::move(request), writer).failure->code == Code::invalid_audio);
    CHECK(no_audio.fakes.stt->asked.empty());
}

TEST_CASE("a client that leaves stops everything, wherever it stands")
{
    SECTION("amid the recognition")
    {
        World world;
        world.fakes.stt->hangs = true;
        world.gone.request_stop();
        Writer writer;
        CHECK(run(world, world.request(), writer).failure->code == Code::cancelled);
        CHECK(world.fakes.stt->cancelled == 1);
    }
    SECTION("amid the speech, noticed by the server")
    {
        World world;
        world.fakes.tts->hangs = true;
        Writer writer;
        writer.on_write = [&] { world.gone.request_stop(); };
        const Outcome outcome = run(world, world.request(), writer);
        CHECK_FALSE(outcome.sent_all);
        CHECK(world.fakes.tts->cancelled >= 1);
        const auto turns = recall(world, "chat_1");  // as far as it was spoken
        REQUIRE(turns.size() == 2);
        CHECK(turns[1].text.starts_with("Of course."));
    }
    SECTION("amid the speech, noticed by a write")
    {
        World world;
        world.fakes.tts->hangs = true;
        world.settings.unsent_bytes_max = 1'000;
        Writer writer;
        writer.bytes_max = 0;
        CHECK_FALSE(run(world, world.request(), writer).sent_all);
    }
    SECTION("by the request's end")
    {
        World world;
        world.fakes.tts->hangs = true;
        run_coroutine([&]() -> awaitable<void> {
            {
                const VoiceChat chat = co_await VoiceChat::begin(world.request(), world.settings, world.context(), world.gone.get_token());
            }
            const auto executor = co_await asio::this_coro::executor;
            net::Signal pause(executor);
            const Instant later = std::chrono::steady_clock::now() + 50ms;
            co_await pause.wait_until(later);
        }());
        CHECK(world.fakes.tts->cancelled >= 1);
    }
}

TEST_CASE("the whole request has a time limit")
{
    World world;
    world.fakes.llm->hangs = true;
    world.settings.limit = 60ms;
    Writer writer;
    const Outcome outcome = run(world, world.request(), writer);
    REQUIRE(outcome.failure);
    CHECK(outcome.failure->code == Code::timeout);
    CHECK(outcome.failure->message.find("voice_chat.limit_ms") != std::string::npos);
}

TEST_CASE("the voice waits for a client that reads slowly")
{
    World world;
    world.fakes.tts->pieces = 50;  // 240 000 bytes a sentence
    world.settings.unsent_bytes_max = 10'000;
    Writer writer;
    const Outcome outcome = run(world, world.request(), writer);
    CHECK(outcome.sent_all);
    CHECK(writer.body.size() == 240'000 * world.fakes.tts->spoken.size());
}

TEST_CASE("an answer as a whole, and headers that wait for the text")
{
    World world;
    VoiceChat::Whole whole;
    VoiceChatTexts waited;
    run_coroutine([&]() -> awaitable<void> {
        VoiceChat chat = co_await VoiceChat::begin(world.request(), world.settings, world.context(), world.gone.get_token());
        auto finished = co_await chat.finish();
        whole = std::move(finished.value());
        VoiceChatRequest request = world.request();
        request.wait_for_text = true;
        VoiceChat waiting = co_await VoiceChat::begin(std::move(request), world.settings, world.context(), world.gone.get_token());
        waited = waiting.texts();
    }());
    CHECK(whole.texts.said == "Of course. I will look it up.");
    CHECK(whole.audio.size() % 4'800 == 0);
    CHECK(whole.duration_ms == static_cast<std::int64_t>(whole.audio.size() / 48));
    CHECK(waited.said == "Of course. I will look it up.");
    CHECK(waited.said_all);
}

TEST_CASE("sorting may be off, or by words alone")
{
    World world;
    world.fakes.stt->answers = {Result<std::string>("This is terrible."), Result<std::string>("This is terrible.")};
    Writer writer;
    world.settings.classify = "off";
    CHECK(run(world, world.request(), writer).at_end.request_class.empty());
    world.settings.classify = "words";
    CHECK(run(world, world.request(), writer).at_end.request_class == "complaint");
}
