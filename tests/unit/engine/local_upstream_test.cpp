#include "repartee/engine/local_upstream.hpp"

#include "fake_services.hpp"
#include "script.hpp"
#include "unit/providers/run.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

using namespace repartee;
using namespace std::chrono_literals;
using script::Types;

namespace {

/// A session with fakes for services, and a client that reads everything at once.
class Session {
public:
    asio::io_context context;
    std::shared_ptr<fake::Stt> stt = std::make_shared<fake::Stt>();
    std::shared_ptr<fake::Llm> llm = std::make_shared<fake::Llm>();
    std::shared_ptr<fake::Tts> tts = std::make_shared<fake::Tts>();
    engine::LocalSettings settings;
    engine::LocalRoles roles;
    std::vector<Error> failed;
    std::vector<json::object> events;

    Session()
    {
        stt->answers.push_back({1ms, "What time is it?"});
        llm->lines = {{1ms, "It is noon. "}, {1ms, "Have a seat. "}};
        settings.pieces.first_chars_min = 100;
        settings.on_turn_failed = [this](const Error& error) { failed.push_back(error); };
        roles.services = {stt, llm, tts};
    }
    ~Session()
    {
        if (upstream) close();
    }

    void open()
    {
        upstream.emplace(context.get_executor(), "alloy", "Be brief.", roles, settings);
        ++readers;
        asio::co_spawn(context, read(), asio::detached);
    }
    void send(std::string_view event) { REQUIRE(test::ok(upstream->post(event))); }
    void write(std::string_view text)
    {
        send(R"({"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":")" +
             std::string(text) + "\"}]}}");
    }
    void respond(std::string_view response = "{}") { send(R"({"type":"response.create","response":)" + std::string(response) + "}"); }
    void hear(const script::Samples& samples)
    {
        constexpr std::size_t chunk = 480;
        for (std::size_t at = 0; at < samples.size(); at += chunk) {
            const auto part = std::as_bytes(std::span(samples).subspan(at, std::min(chunk, samples.size() - at)));
            REQUIRE(test::ok(upstream->post_audio(part, {})));
        }
    }
    /// A spoken turn, as fast as it can be sent.
    void speak(int ms = 500)
    {
        hear(script::quiet(300));
        hear(script::voice(ms));
        hear(script::quiet(400));
    }

    /// Runs until so many events of a type were received.
    void run_until(std::string_view type, std::size_t count = 1)
    {
        INFO("waiting for " << type);
        REQUIRE(becomes([&] { return count_of(type) >= count; }));
    }
    /// Runs until it is so; false when that takes too long.
    bool becomes(const std::function<bool()>& so)
    {
        const auto deadline = std::chrono::steady_clock::now() + 5s;
        while (!so() && std::chrono::steady_clock::now() < deadline) {
            context.restart();
            context.run_one_for(5ms);
        }
        return so();
    }
    bool is_idle()
    {
        return becomes([this] { return running() == 0; });
    }
    void run_for(milliseconds duration)
    {
        context.restart();
        context.run_for(duration);
    }
    /// Everything ends: no service is left working.
    void close()
    {
        const auto begun = std::chrono::steady_clock::now();
        bool closed = false;
        const auto end = [&]() -> awaitable<void> {
            co_await upstream->close();
            closed = true;
        };
        asio::co_spawn(context, end, asio::detached);
        context.restart();
        while (!closed && context.run_one_for(1s) != 0) {}
        CHECK(closed);
        CHECK(std::chrono::steady_clock::now() - begun < 1s);
        CHECK(running() == 0);
        reading = true;
        context.restart();
        while (readers != 0 && context.run_one_for(1s) != 0) {}
        upstream.reset();
    }
    int running() const { return stt->account.running + llm->account.running + tts->account.running; }

    std::size_t count_of(std::string_view type) const
    {
        const auto is_one = [&](const json::object& event) { return json::find_string(event, "type") == type; };
        return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), is_one));
    }
    const json::object& event(std::string_view type, std::size_t n = 0) const
    {
        for (const json::object& candidate : events)
            if (json::find_string(candidate, "type") == type && n-- == 0) return candidate;
        throw std::runtime_error("no event " + std::string(type));
    }
    std::string text(std::string_view type, std::string_view path, std::size_t n = 0) const
    {
        return std::string(json::find_string(event(type, n), path).value_or("(absent)"));
    }
    std::size_t place_of(std::string_view type) const
    {
        for (std::size_t i = 0; i < events.size(); ++i)
            if (json::find_string(events[i], "type") == type) return i;
        return events.size();
    }
    /// "role:text" of a prompt, without the instructions.
    Types prompt(std::size_t request) const
    {
        Types lines;
        for (const auto& message : llm->requests.at(request).messages)
            if (message.role != "system") lines.push_back(message.role + ":" + message.text);
        return lines;
    }

    std::optional<engine::LocalUpstream> upstream;
    bool reading = true;

private:
    awaitable<void> read()
    {
        for (;;) {
            const auto event = co_await upstream->receive();
            if (!event) break;
            script::dump(std::string(*event));
            events.push_back(json::parse_object(*event).value());
            while (!reading) {
                const bool waited = co_await fake::wait(1ms, providers::Stop());
                static_cast<void>(waited);
            }
        }
        --readers;
    }

    int readers = 0;
};

std::vector<std::int16_t> sound_of(const Session& s)
{
    std::vector<std::int16_t> samples;
    for (const json::object& event : s.events) {
        if (json::find_string(event, "type") != "response.output_audio.delta") continue;
        const auto bytes = script::bytes_of(*json::find_string(event, "delta"));
        for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
            samples.push_back(static_cast<std::int16_t>(std::to_integer<int>(bytes[i]) | std::to_integer<int>(bytes[i + 1]) << 8));
    }
    return samples;
}

}  // namespace

TEST_CASE("A typed turn is answered in words and sound, in order", "[local_upstream]")
{
    Session s;
    s.llm->usage = {321, 12, true};
    s.tts->ways["It is noon."] = {20ms, 2, 2ms};
    s.open();
    s.write("What time is it?");
    s.respond();
    s.run_until("response.done");
    CHECK(s.text("response.done", "response.status") == "completed");
    CHECK(s.text("response.output_audio_transcript.done", "transcript") == "It is noon. Have a seat. ");
    const auto sound = sound_of(s);
    REQUIRE(sound.size() == 960);
    CHECK(sound.front() == fake::Tts::sound_of("It is noon."));
    CHECK(sound.back() == fake::Tts::sound_of("Have a seat."));
    CHECK(json::find_int(s.event("response.done"), "response.usage.input_token_details.text_tokens") == 321);
    CHECK(s.prompt(0) == Types{"user:What time is it?"});
    CHECK(s.llm->requests[0].messages.at(0).text == "Be brief.");
    CHECK(s.stt->requests.empty());
    CHECK(s.failed.empty());
}

TEST_CASE("A spoken turn is transcribed, then answered", "[local_upstream]")
{
    Session s;
    s.roles.language = "en";
    s.stt->answers = {{20ms, "What time is it?", {}, {"What", " time"}}};
    s.open();
    const bool reported = GENERATE(true, false);
    if (reported) s.send(R"({"type":"session.update","session":{"type":"realtime","audio":{"input":{"transcription":{"model":"gpt-transcribe"}}}}})");
    s.speak();
    s.run_until("response.done");
    CHECK(s.prompt(0) == Types{"user:What time is it?"});
    CHECK(s.stt->requests.at(0).language == "en");
    CHECK(s.stt->requests[0].audio.samples.size() > 500 * 24);
    CHECK(s.count_of("conversation.item.input_audio_transcription.delta") == (reported ? 3 : 0));
    CHECK(s.count_of("conversation.item.input_audio_transcription.completed") == (reported ? 1 : 0));
    // The response begins at once; its words come behind what was heard.
    CHECK(s.place_of("response.created") < s.place_of("response.output_item.added"));
    if (reported) CHECK(s.place_of("response.created") < s.place_of("conversation.item.input_audio_transcription.delta"));
    if (reported) CHECK(s.place_of("conversation.item.input_audio_transcription.completed") < s.place_of("response.output_item.added"));
}

TEST_CASE("A brain that does not read does not wait for a transcript", "[local_upstream]")
{
    Session s;
    s.llm->reads = false;
    s.stt->answers = {{fake::for_ever, ""}};
    s.open();
    s.send(R"({"type":"session.update","session":{"type":"realtime","audio":{"input":{"transcription":{"model":"gpt-transcribe"}}}}})");
    s.speak();
    s.run_until("response.done");
    CHECK(s.stt->account.running == 1);
    CHECK(s.text("response.done", "response.status") == "completed");
}

TEST_CASE("A turn of which nothing was understood gets no answer", "[local_upstream]")
{
    Session s;
    s.stt->answers = {{1ms, ""}};
    s.open();
    s.speak();
    s.run_until("response.done");
    CHECK(s.text("response.done", "response.status") == "completed");
    CHECK(json::find_array(s.event("response.done"), "response.output")->empty());
    CHECK(s.llm->requests.empty());
    CHECK(s.failed.empty());

    SECTION("Nor does a later response to it")
    {
        s.respond();
        s.run_until("response.done", 2);
        CHECK(s.llm->requests.empty());
    }
    SECTION("The next one is answered, and does not hear of it")
    {
        s.stt->answers.back().text = "Hello.";
        s.speak();
        s.run_until("response.done", 2);
        CHECK(s.prompt(0) == Types{"user:Hello."});
    }
}

TEST_CASE("A turn that could not be transcribed is a failed response with the recogniser's reason", "[local_upstream]")
{
    Session s;
    s.stt->answers = {{1ms, "", Error{Code::provider_failed, "The stt service is down."}}, {1ms, "Hello."}};
    s.open();
    s.speak();
    s.run_until("response.done");
    CHECK(s.text("response.done", "response.status") == "failed");
    CHECK(s.text("response.done", "response.status_details.error.message") == "The stt service is down.");
    REQUIRE(s.failed.size() == 1);
    CHECK(s.failed[0].code == Code::provider_failed);
    s.speak();
    s.run_until("response.done", 2);
    CHECK(s.text("response.done", "response.status", 1) == "completed");
    CHECK(s.prompt(0) == Types{"user:Hello."});
}

TEST_CASE("A transcript that does not come ends the turn at its limit", "[local_upstream]")
{
    Session s;
    s.settings.turn_limit = 40ms;
    s.stt->answers = {{fake::for_ever, ""}};
    s.open();
    s.speak();
    s.run_until("response.done");
    CHECK(s.text("response.done", "response.status") == "failed");
    REQUIRE(s.failed.size() == 1);
    CHECK(s.failed[0].code == Code::timeout);
}

TEST_CASE("A model that says nothing ends the turn at its limit", "[local_upstream]")
{
    Session s;
    s.settings.turn_limit = 40ms;
    s.llm->lines.front().after = fake::for_ever;
    s.open();
    s.write("Hi.");
    s.respond();
    s.run_until("response.done");
    CHECK(s.text("response.done", "response.status_details.error.code") == "timeout");
    CHECK(s.llm->account.running == 0);
}

TEST_CASE("Speech while the transcript is awaited cancels the answer, and both turns are answered together", "[local_upstream]")
{
    Session s;
    s.stt->answers = {{60ms, "What time is it?"}, {10ms, "And where?"}};
    s.open();
    s.speak();
    s.run_until("response.created");
    s.speak();
    s.run_until("response.done", 2);
    CHECK(s.text("response.done", "response.status_details.reason", 0) == "turn_detected");
    CHECK(s.text("response.done", "response.status", 1) == "completed");
    REQUIRE(s.llm->requests.size() == 1);
    CHECK(s.prompt(0) == Types{"user:What time is it?", "user:And where?"});
}

TEST_CASE("A cough behind a question does not take the question back", "[local_upstream]")
{
    Session s;
    s.stt->answers = {{30ms, "What time is it?"}, {1ms, ""}};
    s.open();
    s.speak();
    s.speak();
    s.run_until("response.done", 2);
    CHECK(s.text("response.done", "response.status", 1) == "completed");
    CHECK(s.prompt(0) == Types{"user:What time is it?"});
}

TEST_CASE("An interruption ends all work on the reply at once, and only what was heard is remembered", "[local_upstream]")
{
    Session s;
    s.stt->answers = {{1ms, "What time is it?"}, {1ms, "Thank you."}};
    s.llm->end_after = fake::for_ever;
    s.llm->lines.push_back({1ms, "Then"});
    s.tts->ways["Have a seat."] = {fake::for_ever};
    s.open();
    s.speak();
    s.run_until("response.output_audio.delta");
    CHECK(s.becomes([&] { return s.llm->lines.size() == 3 && s.llm->account.running == 1 && s.tts->account.running == 1; }));
    CHECK(s.becomes([&] { return s.tts->requests.size() == 2; }));
    s.hear(script::quiet(100));
    s.hear(script::voice(300));
    CHECK(s.is_idle());
    s.run_until("response.done");
    CHECK(s.llm->account.stopped == 1);
    CHECK(s.tts->account.stopped == 1);
    s.hear(script::quiet(400));
    CHECK(s.becomes([&] { return s.llm->requests.size() == 2; }));
    CHECK(s.prompt(1) == Types{"user:What time is it?", "assistant:It is noon. ", "user:Thank you."});
    CHECK(s.failed.empty());
}

TEST_CASE("A client's cancel ends the work as well", "[local_upstream]")
{
    Session s;
    s.llm->end_after = fake::for_ever;
    s.open();
    s.write("Hi.");
    s.respond();
    CHECK(s.becomes([&] { return s.count_of("response.output_audio.delta") > 1 && s.running() == 1; }));
    s.send(R"({"type":"response.cancel"})");
    CHECK(s.is_idle());
    s.run_until("response.done");
    CHECK(s.text("response.done", "response.status") == "cancelled");
    CHECK(s.failed.empty());
}

TEST_CASE("A turn that is begun and interrupted by one piece of audio is never answered", "[local_upstream]")
{
    Session s;
    s.open();
    script::Samples all;
    for (const auto& part : {script::quiet(300), script::voice(500), script::quiet(400), script::voice(400)})
        all.insert(all.end(), part.begin(), part.end());
    const auto bytes = std::as_bytes(std::span(all));
    REQUIRE(test::ok(s.upstream->post_audio(bytes, {})));
    s.run_until("response.done");
    s.run_for(20ms);
    CHECK(s.text("response.done", "response.status") == "cancelled");
    CHECK(s.llm->account.begun == 0);
}

TEST_CASE("max_output_tokens ends the services' work too", "[local_upstream]")
{
    Session s;
    s.llm->end_after = fake::for_ever;
    s.open();
    s.write("Hi.");
    s.respond(R"({"max_output_tokens":5,"output_modalities":["text"]})");
    s.run_until("response.done");
    CHECK(s.text("response.done", "response.status") == "incomplete");
    CHECK(s.is_idle());
    CHECK(s.llm->requests.at(0).max_output_tokens == 5);
}

TEST_CASE("Function calls come after the words, and their outputs reach the model", "[local_upstream]")
{
    Session s;
    s.llm->lines = {{0ms, "Wait. "},
                    {0ms, "", providers::ToolCall{"x1", "light", R"({"on":true})"}},
                    {0ms, "", providers::ToolCall{"x2", "door", "{}"}}};
    s.open();
    s.write("Light!");
    s.respond(R"({"tools":[{"type":"function","name":"light","parameters":{"type":"object"}}],"tool_choice":"required"})");
    s.run_until("response.done");
    CHECK(s.llm->requests.at(0).tools.size() == 1);
    CHECK(s.llm->requests[0].tool_choice == "required");
    CHECK(json::find_array(s.event("response.done"), "response.output")->size() == 3);
    const std::string first = s.text("response.function_call_arguments.done", "call_id");
    const std::string second = s.text("response.function_call_arguments.done", "call_id", 1);
    for (const std::string& id : {second, first})
        s.send(R"({"type":"conversation.item.create","item":{"type":"function_call_output","call_id":")" + id + R"(","output":"done"}})");
    s.llm->lines = {{0ms, "Done."}};
    s.respond();
    s.run_until("response.done", 2);
    const auto& messages = s.llm->requests.at(1).messages;
    REQUIRE(messages.size() == 5);
    CHECK(messages[2].text == "Wait. ");
    REQUIRE(messages[2].tool_calls.size() == 2);
    CHECK(messages[2].tool_calls[0].id == first);
    CHECK(messages[3].tool_call_id == first);
    CHECK(messages[4].tool_call_id == second);
    CHECK(messages[4].tool_name == "door");
}

TEST_CASE("A service that fails ends the response, and the session goes on", "[local_upstream]")
{
    Session s;
    const bool voice_fails = GENERATE(true, false);
    if (voice_fails) s.tts->usual.failure = Error{Code::timeout, "Too slow.", {}, "slow_voice"};
    else s.llm->failure = Error{Code::provider_failed, "Too slow.", {}, "slow_model"};
    s.open();
    s.write("Hi.");
    s.respond();
    s.run_until("response.done");
    CHECK(s.text("response.done", "response.status") == "failed");
    CHECK(s.text("response.done", "response.status_details.error.message") == "Too slow.");
    CHECK(s.text("response.done", "response.status_details.error.code") == (voice_fails ? "slow_voice" : "slow_model"));
    CHECK(s.failed.size() == 1);
    CHECK(s.running() == 0);
    s.tts->usual.failure.reset();
    s.llm->failure.reset();
    s.respond();
    s.run_until("response.done", 2);
    CHECK(s.text("response.done", "response.status", 1) == "completed");
}

TEST_CASE("Who speaks, and with what, is the character's choice", "[local_upstream]")
{
    Session s;
    s.roles.voice_id = "grandmother";
    s.roles.speed = 1.5;
    s.roles.pitch = 0.8;
    s.roles.language = "ko";
    s.roles.llm_choice = {"llm_2", "big"};
    s.roles.tts_choice = {"tts_2", ""};
    s.roles.stt_choice = {"", "ears"};
    s.roles.script = std::make_shared<providers::Script>();
    s.open();
    s.speak();
    s.run_until("response.done");
    CHECK(s.llm->requests.at(0).choice.provider == "llm_2");
    CHECK(s.llm->requests[0].script == s.roles.script);
    CHECK(s.tts->requests.at(0).choice.provider == "tts_2");
    CHECK(s.tts->requests[0].voice == "grandmother");
    CHECK(s.tts->requests[0].speed == Approx(1.5));
    CHECK(s.tts->requests[0].pitch == Approx(0.8));
    CHECK(s.stt->requests.at(0).choice.model == "ears");
}

TEST_CASE("A reply waits while its events are not received", "[local_upstream]")
{
    Session s;
    s.settings.pending_events_max = 8;
    s.llm->lines.clear();
    for (int i = 0; i < 12; ++i) s.llm->lines.push_back({0ms, "Sentence " + std::to_string(i) + " is here. "});
    s.open();
    s.reading = false;
    s.write("Hi.");
    s.respond();
    s.run_for(60ms);
    // What was made ahead waits; the rest has not been asked for.
    CHECK(s.tts->account.begun < 8);

    SECTION("and goes on when they are")
    {
        s.reading = true;
        s.run_until("response.done");
        CHECK(s.tts->account.begun == 12);
        CHECK(s.text("response.done", "response.status") == "completed");
    }
    SECTION("A cancel ends the wait")
    {
        s.send(R"({"type":"response.cancel"})");
        CHECK(s.is_idle());
    }
    s.reading = true;
}

TEST_CASE("A session may be closed at any moment, and leaves nothing running", "[local_upstream]")
{
    Session s;
    SECTION("While a transcript is awaited") { s.stt->answers = {{fake::for_ever, ""}}; }
    SECTION("While the model thinks") { s.llm->lines.front().after = fake::for_ever; }
    SECTION("While the voice begins") { s.tts->usual.before = fake::for_ever; }
    SECTION("While the voice goes on") { s.tts->usual = {0ms, 2, fake::for_ever}; }
    SECTION("While nobody reads")
    {
        s.settings.pending_events_max = 2;
        s.reading = false;
    }
    s.open();
    s.speak();
    s.run_for(30ms);
    s.reading = true;
    s.close();
}

TEST_CASE("A session that is dropped, not closed, ends its work too", "[local_upstream]")
{
    Session s;
    s.llm->end_after = fake::for_ever;
    {
        engine::LocalUpstream upstream(s.context.get_executor(), "alloy", "", s.roles, s.settings);
        REQUIRE(test::ok(upstream.post(R"({"type":"response.create"})")));
        CHECK(s.becomes([&] { return s.tts->account.begun == 1 && s.running() == 1; }));
    }
    CHECK(s.is_idle());
}

TEST_CASE("An empty conversation is opened by the model", "[local_upstream]")
{
    Session s;
    s.open();
    s.respond();
    s.run_until("response.done");
    CHECK(s.prompt(0) == Types{"user:(The conversation begins; speak first.)"});
}

TEST_CASE("Audio outside of the conversation cannot be answered, and says so", "[local_upstream]")
{
    Session s;
    s.open();
    const std::string audio = script::base64(script::voice(200));
    s.respond(R"({"conversation":"none","input":[{"type":"message","role":"user","content":[{"type":"input_audio","audio":")" + audio + R"("}]}]})");
    s.run_until("response.done");
    CHECK(s.text("response.done", "response.status") == "failed");
    CHECK(s.text("response.done", "response.status_details.error.message").find("conversation.item.create") != std::string::npos);
}

TEST_CASE("Only so many turns are transcribed at once; the others wait", "[local_upstream]")
{
    Session s;
    s.stt->answers = {{15ms, "Yes."}};
    s.open();
    s.send(R"({"type":"session.update","session":{"type":"realtime",
               "audio":{"input":{"turn_detection":null,"transcription":{"model":"gpt-transcribe"}}}}})");
    for (int i = 0; i < 10; ++i) {
        s.hear(script::voice(120));
        s.send(R"({"type":"input_audio_buffer.commit"})");
    }
    s.respond();
    s.run_until("response.done");
    CHECK(s.stt->account.running_max == 4);
    CHECK(s.count_of("conversation.item.input_audio_transcription.completed") == 10);
    CHECK(s.prompt(0).size() == 10);
}
