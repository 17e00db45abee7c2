#include "repartee/engine/reply.hpp"

#include "fake_services.hpp"
#include "unit/providers/run.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace std::chrono_literals;
using std::chrono::milliseconds;
using test::ok;

namespace {

using Clock = std::chrono::steady_clock;

/// What a listener got: "text", or the sound of a text ("~" and that text's mark).
class Listener final : public engine::ReplySink {
public:
    std::vector<std::string> got;
    std::int64_t samples = 0;
    std::function<void()> on_any{};
    milliseconds room_after{0};
    providers::Stop stop{};

    void on_text(std::string_view text) override { add('"' + std::string(text) + '"'); }
    void on_audio(std::span<const std::int16_t> sound) override
    {
        samples += static_cast<std::int64_t>(sound.size());
        const std::string entry = "~" + std::to_string(sound.front());
        const bool goes_on = !got.empty() && got.back() == entry;
        if (!goes_on) return add(entry);
        if (on_any) on_any();
    }
    void on_call(const providers::ToolCall& call) override { add("call " + call.name); }
    awaitable<void> wait_for_room() override
    {
        if (room_after.count() == 0) co_return;
        const bool waited = co_await fake::wait(room_after, stop);
        static_cast<void>(waited);
    }

private:
    void add(std::string entry)
    {
        got.push_back(std::move(entry));
        if (on_any) on_any();
    }
};

std::string sound(std::string_view text) { return "~" + std::to_string(fake::Tts::sound_of(text)); }

struct World {
    std::shared_ptr<fake::Llm> llm = std::make_shared<fake::Llm>();
    std::shared_ptr<fake::Tts> tts = std::make_shared<fake::Tts>();
    engine::ReplyPlan plan;
    Listener listener;
    std::stop_source stop;
    asio::io_context context;

    World()
    {
        plan.voice.emplace();
        plan.rules.first_chars_min = 100;  // whole sentences, so that the tests can be read
        listener.stop = stop.get_token();
    }

    World& model_says(std::vector<std::string> deltas, milliseconds between = 0ms)
    {
        for (std::string& delta : deltas) llm->lines.push_back({between, std::move(delta)});
        return *this;
    }
    providers::Roles roles() const { return {nullptr, llm, tts}; }

    Result<engine::ReplyEnd> run()
    {
        auto end = test::run(context, engine::run_reply(roles(), plan, listener, stop.get_token()));
        // Whatever it ended with: nothing runs any more, and nothing comes later.
        CHECK(llm->account.running == 0);
        CHECK(tts->account.running == 0);
        const std::size_t heard = listener.got.size();
        context.restart();
        context.run_for(20ms);
        CHECK(listener.got.size() == heard);
        return end;
    }
    /// Stops at this moment of the run.
    void stop_after(asio::steady_timer& timer, milliseconds duration)
    {
        timer.expires_after(duration);
        timer.async_wait([this](boost::system::error_code failed) {
            if (!failed) stop.request_stop();
        });
    }
};

const std::vector<std::string> three{"One is here. ", "Two is here. ", "Three is here."};
const std::vector<std::string> three_heard{"\"One is here. \"", sound("One is here."),   "\"Two is here. \"", sound("Two is here."),
                                           "\"Three is here.\"", sound("Three is here.")};

}  // namespace

TEST_CASE("A reply comes piece by piece, each text before its sound", "[reply]")
{
    World w;
    w.model_says({"One is ", "here. Two", " is here. Three is", " here."});
    w.llm->usage = {120, 34, true};
    const auto end = w.run();
    REQUIRE(ok(end));
    CHECK(w.listener.got == three_heard);
    CHECK(w.listener.samples == 6 * 240);
    CHECK(end->said_anything);
    CHECK(end->chat.usage.output_tokens == 34);
    CHECK(end->chat.finish_reason == "stop");
    CHECK(end->speech.characters == 12 + 12 + 14);
}

TEST_CASE("Pieces stay in order when a later one is made sooner", "[reply]")
{
    World w;
    w.model_says(three);
    w.plan.ahead = 2;
    w.tts->ways["One is here."] = {30ms, 3, 10ms};
    w.tts->ways["Two is here."] = {15ms, 3, 2ms};
    REQUIRE(ok(w.run()));
    CHECK(w.listener.got == three_heard);
    CHECK(w.tts->account.running_max == 3);
}

TEST_CASE("At most 1 + ahead pieces are with the voice", "[reply]")
{
    const std::size_t ahead = GENERATE(0u, 1u, 3u);
    World w;
    w.plan.ahead = ahead;
    for (int i = 0; i < 9; ++i) w.llm->lines.push_back({0ms, "Sentence " + std::to_string(i) + " is here. "});
    w.tts->usual = {2ms, 2, 1ms};
    std::size_t unheard_max = 0, heard = 0;
    w.listener.on_any = [&] {
        if (w.listener.got.back().starts_with('"')) ++heard;
        unheard_max = std::max(unheard_max, w.tts->requests.size() + 1 - heard);
    };
    w.listener.room_after = 3ms;  // the listener is slower than the voice: what is made must not run away from it
    REQUIRE(ok(w.run()));
    CHECK(w.tts->account.running_max <= static_cast<int>(1 + ahead));
    CHECK(unheard_max <= 1 + ahead);
    CHECK(w.tts->requests.size() == 9);
}

TEST_CASE("The first sound comes before the model has ended", "[reply]")
{
    World w;
    w.model_says({"One is here. ", "Two is here. "});
    w.llm->end_after = 100ms;
    int models_at_first_sound = 0;
    w.listener.on_any = [&] {
        if (w.listener.got.size() == 2) models_at_first_sound = w.llm->account.running;
    };
    REQUIRE(ok(w.run()));
    CHECK(models_at_first_sound == 1);
    CHECK(w.listener.got.size() == 4);
}

TEST_CASE("A piece's sound is heard while it is made, when it is its turn", "[reply]")
{
    World w;
    w.model_says({"One is here. "});
    w.tts->usual = {0ms, 5, 20ms};
    int voices_at_first_sound = 0;
    w.listener.on_any = [&] {
        if (w.listener.samples == 240) voices_at_first_sound = w.tts->account.running;
    };
    REQUIRE(ok(w.run()));
    CHECK(voices_at_first_sound == 1);
    CHECK(w.listener.samples == 5 * 240);
}

TEST_CASE("A piece that cannot be said is shown in its turn", "[reply]")
{
    World w;
    w.model_says({"One is here. 😀\n", "Two is here. "});
    REQUIRE(ok(w.run()));
    CHECK(w.listener.got.size() == 5);
    CHECK(w.listener.got[2].find("😀") != std::string::npos);
    CHECK(w.tts->requests.size() == 2);
}

TEST_CASE("Without a voice every delta goes out as it comes", "[reply]")
{
    World w;
    w.plan.voice.reset();
    w.model_says({"One", " is he", "re."});
    const auto end = w.run();
    REQUIRE(ok(end));
    CHECK(w.listener.got == std::vector<std::string>{"\"One\"", "\" is he\"", "\"re.\""});
    CHECK(end->said_anything);
    CHECK(w.tts->requests.empty());
}

TEST_CASE("Calls come after everything that is said", "[reply]")
{
    World w;
    const bool spoken = GENERATE(true, false);
    if (!spoken) w.plan.voice.reset();
    w.model_says({"One is here. "});
    w.llm->lines.push_back({0ms, "", providers::ToolCall{"c1", "light", "{}"}});
    w.llm->lines.push_back({0ms, "", providers::ToolCall{"c2", "door", "{}"}});
    REQUIRE(ok(w.run()));
    const std::size_t size = w.listener.got.size();
    REQUIRE(size == (spoken ? 4 : 3));
    CHECK(w.listener.got[size - 2] == "call light");
    CHECK(w.listener.got[size - 1] == "call door");
}

TEST_CASE("Calls alone are a reply", "[reply]")
{
    World w;
    w.llm->lines.push_back({0ms, "", providers::ToolCall{"c1", "light", "{}"}});
    const auto end = w.run();
    REQUIRE(ok(end));
    CHECK(w.listener.got == std::vector<std::string>{"call light"});
    CHECK_FALSE(end->said_anything);
}

TEST_CASE("A model that calls without end is stopped", "[reply]")
{
    World w;
    for (int i = 0; i < 100; ++i) w.llm->lines.push_back({0ms, "", providers::ToolCall{"c", "f", "{}"}});
    w.llm->end_after = fake::for_ever;
    const auto end = w.run();
    REQUIRE(end.has_error());
    CHECK(end.error().code == Code::too_large);
    CHECK(w.listener.got.empty());
}

TEST_CASE("An empty answer is the end of a reply, not an error", "[reply]")
{
    World w;
    const auto end = w.run();
    REQUIRE(ok(end));
    CHECK_FALSE(end->said_anything);
    CHECK(w.listener.got.empty());
}

TEST_CASE("A model without an end is stopped at the limit, between two characters, and what it said is spoken", "[reply]")
{
    World w;
    w.plan.text_bytes_max = 1000;
    w.plan.rules.chars_max = 100;
    for (int i = 0; i < 20'000; ++i) w.llm->lines.push_back({0ms, "가나다라마바사 아자차카타파하. "});
    w.llm->end_after = fake::for_ever;
    const auto end = w.run();
    REQUIRE(ok(end));
    CHECK(end->chat.finish_reason == "length");
    CHECK(w.llm->account.stopped == 1);
    std::string all;
    for (const std::string& entry : w.listener.got)
        if (entry.starts_with('"')) all += entry.substr(1, entry.size() - 2);
    CHECK(all.size() <= 1000);
    CHECK(all.size() > 990);
    CHECK(w.listener.got.back().starts_with('~'));
}

TEST_CASE("A model that breaks off is spoken to its last whole piece, then its error is told", "[reply]")
{
    World w;
    w.model_says({"One is here. ", "Two is here. Three is cut"});
    w.llm->failure = Error{Code::closed, "Cut."};
    w.llm->lines.push_back({0ms, "", providers::ToolCall{"c1", "light", "{}"}});
    const auto end = w.run();
    REQUIRE(end.has_error());
    CHECK(end.error().code == Code::closed);
    CHECK(w.listener.got == std::vector<std::string>(three_heard.begin(), three_heard.begin() + 4));
}

TEST_CASE("A voice that fails ends the reply and the model; what was made before it is heard", "[reply]")
{
    World w;
    w.model_says(three);
    w.llm->end_after = fake::for_ever;
    w.tts->ways["One is here."] = {20ms, 4, 5ms};
    w.tts->ways["Two is here."] = {0ms, 0, 0ms, Error{Code::provider_failed, "No voice."}};
    const auto end = w.run();
    REQUIRE(end.has_error());
    CHECK(end.error().code == Code::provider_failed);
    CHECK(w.listener.got == std::vector<std::string>(three_heard.begin(), three_heard.begin() + 2));
    CHECK(w.listener.samples == 4 * 240);
    CHECK(w.llm->account.stopped == 1);
}

TEST_CASE("A voice that fails in the middle of a piece stops those behind it", "[reply]")
{
    World w;
    w.plan.ahead = 2;
    w.model_says(three);
    w.tts->ways["One is here."] = {0ms, 2, 5ms, Error{Code::closed, "Cut."}};
    w.tts->ways["Two is here."] = w.tts->ways["Three is here."] = {fake::for_ever};
    const auto end = w.run();
    REQUIRE(end.has_error());
    CHECK(end.error().message == "Cut.");
    CHECK(w.tts->account.stopped == 2);
    CHECK(w.listener.got == std::vector<std::string>(three_heard.begin(), three_heard.begin() + 2));
}

TEST_CASE("A voice without a sound is an error, but for a text without one", "[reply]")
{
    World w;
    w.model_says({"One is here. "});
    w.tts->usual.chunks = 0;
    const auto end = w.run();
    REQUIRE(end.has_error());
    CHECK(end.error().code == Code::provider_failed);
    CHECK(w.listener.got.empty());
}

TEST_CASE("A reply of which nothing comes ends at its limit", "[reply]")
{
    World w;
    const bool voice_is_slow = GENERATE(true, false);
    w.plan.first_output_limit = 40ms;
    if (voice_is_slow) {
        w.model_says({"One is here. "});
        w.tts->usual.before = fake::for_ever;
    } else {
        w.llm->end_after = fake::for_ever;
    }
    const auto end = w.run();
    REQUIRE(end.has_error());
    CHECK(end.error().code == Code::timeout);
    CHECK(w.llm->account.stopped + w.tts->account.stopped >= 1);
}

TEST_CASE("The limit is for the first output only", "[reply]")
{
    World w;
    w.plan.first_output_limit = 250ms;
    const bool spoken = GENERATE(true, false);
    if (!spoken) w.plan.voice.reset();
    w.model_says({"One is here. ", "Two"});
    w.llm->end_after = 300ms;
    CHECK(ok(w.run()));
}

TEST_CASE("A stop ends a reply at once, wherever it is", "[reply]")
{
    World w;
    w.model_says(three, 5ms);
    SECTION("while the model thinks") { w.llm->lines.front().after = fake::for_ever; }
    SECTION("while the voice begins") { w.tts->usual.before = fake::for_ever; }
    SECTION("while the voice speaks") { w.tts->usual = {0ms, 3, fake::for_ever}; }
    SECTION("while the model goes on") { w.llm->end_after = fake::for_ever; }
    SECTION("while the listener has no room") { w.listener.room_after = fake::for_ever; }
    SECTION("without a voice")
    {
        w.plan.voice.reset();
        w.llm->end_after = fake::for_ever;
    }
    asio::steady_timer timer(w.context);
    w.stop_after(timer, 60ms);
    const auto begun = Clock::now();
    const auto end = w.run();
    CHECK(Clock::now() - begun < 1s);
    REQUIRE(end.has_error());
    CHECK(end.error().code == Code::cancelled);
}

TEST_CASE("A reply that is stopped before it begins asks nobody", "[reply]")
{
    World w;
    w.model_says(three);
    w.stop.request_stop();
    const auto end = w.run();
    REQUIRE(end.has_error());
    CHECK(end.error().code == Code::cancelled);
    CHECK(w.llm->account.begun == 0);
}

// The sinks are called amid a service's work, so a stop may come from inside of any of them.
TEST_CASE("A stop at each step leaves nothing behind", "[reply]")
{
    const bool spoken = GENERATE(true, false);
    bool went_to_its_end = false;
    for (int step = 1; !went_to_its_end; ++step) {
        World w;
        if (!spoken) w.plan.voice.reset();
        w.plan.ahead = 2;
        w.model_says(three, 1ms);
        w.llm->lines.push_back({0ms, "", providers::ToolCall{"c1", "light", "{}"}});
        w.tts->usual = {1ms, 3, 1ms};
        fake::Steps steps;
        w.llm->steps = w.tts->steps = &steps;
        std::size_t heard_at_stop = 0;
        steps.at = [&](int now) {
            if (now != step) return;
            heard_at_stop = w.listener.got.size();
            w.stop.request_stop();
        };
        w.listener.on_any = [&] { steps.next(); };
        const auto end = w.run();
        if (!w.stop.stop_requested()) {
            REQUIRE(ok(end));
            went_to_its_end = true;
            CHECK(step > (spoken ? 15 : 6));
            continue;
        }
        INFO("step " << step);
        CHECK(w.listener.got.size() == heard_at_stop);
        // Behind the last call there is nothing left to stop.
        if (end) CHECK(w.listener.got.back() == "call light");
        else CHECK(end.error().code == Code::cancelled);
    }
}

TEST_CASE("A reply that is never finished is destroyed with its context", "[reply]")
{
    auto llm = std::make_shared<fake::Llm>();
    auto tts = std::make_shared<fake::Tts>();
    Listener listener;
    std::stop_source stop;
    {
        asio::io_context context;
        llm->lines = {{0ms, "One is here. "}, {0ms, "Two is here. "}, {0ms, "Three"}};
        llm->end_after = fake::for_ever;
        tts->usual = {1ms, 3, fake::for_ever};
        engine::ReplyPlan plan;
        plan.voice.emplace();
        asio::co_spawn(context, engine::run_reply({nullptr, llm, tts}, plan, listener, stop.get_token()), [](auto&&...) {});
        const auto deadline = Clock::now() + 5s;
        while (tts->account.running < 2 && Clock::now() < deadline) context.run_one_for(5ms);
        CHECK(tts->account.running == 2);
    }
    CHECK(tts->account.running == 0);
    CHECK(llm->account.running == 0);
    stop.request_stop();
}

TEST_CASE("A service that throws ends the reply with an error", "[reply]")
{
    struct Broken final : providers::LanguageModel {
        Task<providers::ChatResult> chat(providers::ChatRequest, providers::ChatSink sink, providers::Stop) override
        {
            sink.text("One is here. Two");
            throw std::runtime_error("a bug");
            co_return providers::ChatResult();
        }
        std::string_view provider_name() const override { return "broken"; }
    };
    World w;
    const providers::Roles roles{nullptr, std::make_shared<Broken>(), w.tts};
    const auto end = test::run(w.context, engine::run_reply(roles, w.plan, w.listener, w.stop.get_token()));
    REQUIRE(end.has_error());
    CHECK(end.error().code == Code::internal);
    CHECK(w.listener.got.size() == 2);
}

TEST_CASE("A voice and a model that never wait are no different", "[reply]")
{
    struct QuickLlm final : providers::LanguageModel {
        Task<providers::ChatResult> chat(providers::ChatRequest, providers::ChatSink sink, providers::Stop) override
        {
            for (const std::string& text : three) sink.text(text);
            co_return providers::ChatResult();
        }
        std::string_view provider_name() const override { return "quick"; }
    };
    struct QuickTts final : providers::TextToSpeech {
        std::string fails_at;
        Task<providers::SpeechUsage> speak(providers::SpeechRequest request, providers::SpeechSink sink, providers::Stop) override
        {
            if (request.text == fails_at) co_return Error{Code::provider_failed, "No."};
            sink(std::vector<std::int16_t>(10, fake::Tts::sound_of(request.text)));
            co_return providers::SpeechUsage();
        }
        std::string_view provider_name() const override { return "quick"; }
    };
    World w;
    w.plan.ahead = 3;
    const auto tts = std::make_shared<QuickTts>();
    const int failing = GENERATE(-1, 0, 1, 2);
    if (failing >= 0) tts->fails_at = std::vector<std::string>{"One is here.", "Two is here.", "Three is here."}[static_cast<std::size_t>(failing)];
    const providers::Roles roles{nullptr, std::make_shared<QuickLlm>(), tts};
    const auto end = test::run(w.context, engine::run_reply(roles, w.plan, w.listener, w.stop.get_token()));
    CHECK(end.has_value() == (failing < 0));
    const auto heard = failing < 0 ? three_heard.end() : three_heard.begin() + 2 * failing;
    CHECK(w.listener.got == std::vector<std::string>(three_heard.begin(), heard));
}

TEST_CASE("A known text is spoken in pieces", "[reply]")
{
    World w;
    w.tts->usual = {2ms, 2, 1ms};
    const engine::ReplyVoice voice{.voice = "nova"};
    const auto spoken =
        test::run(w.context, engine::speak_text(w.tts, "One is here. Two is here. Three is here.", voice, w.listener, w.stop.get_token()));
    REQUIRE(ok(spoken));
    CHECK(w.listener.got == three_heard);
    CHECK(w.tts->requests.at(0).voice == "nova");
}

TEST_CASE("Speaking a known text is stopped at once", "[reply]")
{
    World w;
    w.tts->usual = {2ms, 2, fake::for_ever};
    asio::steady_timer timer(w.context);
    w.stop_after(timer, 20ms);
    const auto spoken =
        test::run(w.context, engine::speak_text(w.tts, "One is here. Two is here.", engine::ReplyVoice(), w.listener, w.stop.get_token()));
    REQUIRE(spoken.has_error());
    CHECK(spoken.error().code == Code::cancelled);
    CHECK(w.tts->account.running == 0);
}
