#include "script.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace script;
using namespace std::chrono_literals;

TEST_CASE("A session begins with session.created, before the client says anything", "[realtime_server]")
{
    Script s;
    CHECK(s.take() == Types{"session.created"});
    CHECK(s.text("session.created", "session.model") == "test-model");
    CHECK(s.text("session.created", "session.audio.output.voice") == "alloy");
    CHECK(s.number("session.created", "session.expires_at") == 1'800'003'600);
    CHECK(s.number("session.created", "session.audio.input.turn_detection.silence_duration_ms") == 200);

    CHECK(s.update(R"("instructions":"Speak Korean.")").take() == Types{"session.updated"});
    CHECK(s.text("session.updated", "session.instructions") == "Speak Korean.");
    CHECK(s.update(R"("tracing":"auto")").take() == Types{"session.updated"});
}

TEST_CASE("A spoken turn with server VAD has the service's order of events", "[realtime_server]")
{
    Script s;
    s.take();
    s.user_is_quiet(500).user_speaks(800).user_is_quiet(400);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"} + committed + Types{"response.created"});
    REQUIRE(s.replies.size() == 1);
    CHECK(s.replies[0].instructions == "Be brief.");
    CHECK(s.replies[0].audio);
    REQUIRE(s.replies[0].context.size() == 1);
    CHECK(s.replies[0].context[0].role == "user");
    CHECK(s.replies[0].context[0].spoken);

    const std::string user_item = s.text("input_audio_buffer.speech_started", "item_id");
    CHECK(s.text("input_audio_buffer.speech_stopped", "item_id") == user_item);
    CHECK(s.text("input_audio_buffer.committed", "item_id") == user_item);
    CHECK(s.text("conversation.item.added", "item.id") == user_item);
    CHECK(s.replies[0].context[0].item_id == user_item);
    CHECK(s.text("response.created", "response.status") == "in_progress");

    s.brain_says("Hello").brain_sounds(600).brain_says(" there.").brain_sounds(300).brain_is_done();
    const Types deltas{"response.output_audio_transcript.delta …", "response.output_audio.delta …"};
    CHECK(s.take() == spoken_head + deltas + spoken_tail + Types{"rate_limits.updated"});
    CHECK(s.text("conversation.item.added", "previous_item_id") == user_item);
    CHECK(s.text("response.content_part.added", "part.type") == "audio");
    CHECK(s.text("response.output_item.added", "item.status") == "in_progress");
    CHECK(s.text("response.output_item.done", "item.status") == "completed");
    CHECK(s.text("response.output_audio_transcript.done", "transcript") == "Hello there.");
    CHECK(s.text("response.done", "response.status") == "completed");
    CHECK(json::find_array(s.event("response.done"), "response.output")->size() == 1);
    CHECK(s.text("rate_limits.updated", "type") == "rate_limits.updated");
    CHECK(bytes_of(s.joined("response.output_audio.delta")).size() == 900 * 48);
}

TEST_CASE("Text before audio and audio before text open the same item once", "[realtime_server]")
{
    Script s;
    s.user_writes("Hi").respond();
    s.take();
    s.brain_sounds(100).brain_says("Hi!").brain_is_done();
    CHECK(s.take() == Types{"response.output_item.added", "conversation.item.added", "response.content_part.added", "response.output_audio.delta …",
                            "response.output_audio_transcript.delta …"} + spoken_tail + Types{"rate_limits.updated"});
}

TEST_CASE("Push-to-talk: clear, append, commit, then a response only on demand", "[realtime_server]")
{
    Script s;
    s.turn_detection("null");
    s.take();
    s.client(R"({"type":"input_audio_buffer.clear"})");
    CHECK(s.take() == Types{"input_audio_buffer.cleared"});
    s.user_speaks(400).user_is_quiet(900);
    CHECK(s.take().empty());
    s.client(R"({"type":"input_audio_buffer.commit"})");
    CHECK(s.take() == committed);
    CHECK(s.replies.empty());
    s.respond();
    CHECK(s.take() == Types{"response.created"});
    REQUIRE(s.replies.size() == 1);
    CHECK(s.replies[0].context.at(0).audio_ms == 1300);
}

TEST_CASE("A text turn has the service's order of events", "[realtime_server]")
{
    Script s;
    s.update(R"("output_modalities":["text"])");
    s.take();
    s.user_writes("Good morning");
    CHECK(s.take() == Types{"conversation.item.added", "conversation.item.done"});
    s.respond();
    CHECK(s.take() == Types{"response.created"});
    CHECK_FALSE(s.replies.at(0).audio);
    CHECK(s.replies[0].context.at(0).text == "Good morning");
    s.brain_says("Good ").brain_says("morning!").brain_sounds(100).brain_is_done();
    CHECK(s.take() == written_head + written_tail + Types{"rate_limits.updated"});
    CHECK(s.text("response.content_part.added", "part.type") == "text");
    CHECK(s.text("response.content_part.added", "part.text").empty());
    CHECK(s.text("response.output_text.done", "text") == "Good morning!");
    CHECK(s.text("response.content_part.done", "part.text") == "Good morning!");

    SECTION("A text question gets the audio sequence when the response is to be spoken")
    {
        s.respond(R"({"output_modalities":["audio"]})").brain_says("Hi.").brain_sounds(40).brain_is_done();
        CHECK(s.take() == Types{"response.created"} + spoken_head + spoken_tail + Types{"rate_limits.updated"});
    }
}

TEST_CASE("A function call of the brain has the service's order of events", "[realtime_server]")
{
    Script s;
    s.update(R"("output_modalities":["text"],"tools":[{"type":"function","name":"set_light","parameters":{"type":"object"}}])").user_writes("Light!");
    s.respond();
    s.take();
    REQUIRE(s.replies.at(0).tools.size() == 1);
    s.brain_says("Wait.").brain_calls("set_light", R"({"on":true})").brain_is_done();
    CHECK(s.take() == written_head + Types{"response.output_text.done", "response.content_part.done", "conversation.item.done", "response.output_item.done"} +
                          Types{"response.output_item.added", "conversation.item.added", "response.function_call_arguments.delta …",
                                "response.function_call_arguments.done", "conversation.item.done", "response.output_item.done", "response.done",
                                "rate_limits.updated"});
    CHECK(s.text("response.output_item.added", "item.type", 1) == "function_call");
    CHECK(s.text("response.output_item.added", "item.arguments", 1).empty());
    CHECK(s.number("response.output_item.added", "output_index", 1) == 1);
    CHECK(s.text("response.function_call_arguments.done", "arguments") == R"({"on":true})");
    CHECK(s.text("response.function_call_arguments.done", "name") == "set_light");
    CHECK(s.text("response.output_item.done", "item.status", 1) == "completed");
    const std::string call_id = s.text("response.output_item.done", "item.call_id", 1);

    s.client(R"({"type":"conversation.item.create","item":{"type":"function_call_output","call_id":")" + call_id + R"(","output":"done"}})");
    CHECK(s.take() == Types{"conversation.item.added", "conversation.item.done"});
    s.respond();
    const auto& context = s.replies.at(1).context;
    REQUIRE(context.size() == 4);
    CHECK(context[2].role == "assistant");
    REQUIRE(context[2].call);
    CHECK(context[2].call->call_id == call_id);
    CHECK(context[2].call->name == "set_light");
    CHECK(context[2].call->arguments == R"({"on":true})");
    CHECK(context[3].role == "tool");
    CHECK(context[3].call_id == call_id);
    CHECK(context[3].text == "done");
}

TEST_CASE("An error quotes the event that caused it, and the session goes on", "[realtime_server]")
{
    Script s;
    s.take();
    s.client(R"({"type":"response.cancel","event_id":"c7"})");
    CHECK(s.take() == Types{"error"});
    CHECK(s.error_code() == "response_cancel_not_active");
    CHECK(s.text("error", "error.type") == "invalid_request_error");
    CHECK(s.text("error", "error.event_id") == "c7");
    CHECK(s.user_writes("Still there?").take() == Types{"conversation.item.added", "conversation.item.done"});
}

TEST_CASE("After the idle timeout the silence is committed and the model speaks first", "[realtime_server]")
{
    Script s;
    s.turn_detection(R"({"type":"server_vad","idle_timeout_ms":5000})");
    CHECK_FALSE(s.server.next_tick());
    s.respond().brain_says("Hello.").brain_sounds(1000);
    CHECK_FALSE(s.server.next_tick());
    s.brain_is_done();
    s.take();
    REQUIRE(s.server.next_tick());
    CHECK(*s.server.next_tick() == s.now + 6s);  // play time first

    s.user_is_quiet(5980);
    CHECK(s.take().empty());
    s.user_is_quiet(20);
    CHECK(s.take() == Types{"input_audio_buffer.timeout_triggered"} + committed + Types{"response.created"});
    CHECK(s.number("input_audio_buffer.timeout_triggered", "audio_start_ms") == 1000);
    CHECK(s.number("input_audio_buffer.timeout_triggered", "audio_end_ms") == 6000);
    CHECK(s.text("input_audio_buffer.timeout_triggered", "item_id") == s.text("input_audio_buffer.committed", "item_id"));
    CHECK(s.replies.back().context.back().silence);
    CHECK_FALSE(s.server.next_tick());

    SECTION("A client that sends no audio is spoken to as well")
    {
        s.brain_is_done();
        s.take();
        s.pass(5s);
        CHECK(s.take() == Types{"input_audio_buffer.timeout_triggered"} + committed + Types{"response.created"});
        CHECK(s.number("input_audio_buffer.timeout_triggered", "audio_start_ms") == 6000);
        CHECK(s.number("input_audio_buffer.timeout_triggered", "audio_end_ms") == 6000);
    }
    SECTION("Who speaks is not idle")
    {
        s.brain_is_done().user_speaks(600);
        CHECK_FALSE(s.server.next_tick());
    }
    SECTION("Switched off, it is off at once")
    {
        s.brain_is_done();
        CHECK(s.server.next_tick());
        s.turn_detection(R"({"type":"server_vad","idle_timeout_ms":null})");
        CHECK_FALSE(s.server.next_tick());
    }
}

TEST_CASE("A transcription session transcribes turns and never responds", "[realtime_server]")
{
    Script s({}, true);
    CHECK(s.take() == Types{"session.created"});
    CHECK(s.text("session.created", "session.type") == "transcription");
    s.client(R"({"type":"session.update","session":{"type":"transcription","audio":{"input":{"transcription":{"model":"whisper-1","language":"ko"}}}}})");
    CHECK(s.take() == Types{"session.updated"});
    s.user_is_quiet(300).user_speaks(600).user_is_quiet(400);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"} + committed);
    REQUIRE(s.transcriptions.size() == 1);
    CHECK(s.transcriptions[0].language == "ko");
    CHECK(s.transcriptions[0].samples.size() > 600 * 24);

    s.server.on_transcript(s.transcriptions[0].item_id, "안녕하세요", s.now);
    CHECK(s.take() == Types{"conversation.item.input_audio_transcription.delta …", "conversation.item.input_audio_transcription.completed"});
    CHECK(s.text("conversation.item.input_audio_transcription.completed", "transcript") == "안녕하세요");
    CHECK(s.text("conversation.item.input_audio_transcription.completed", "usage.type") == "duration");

    s.client(R"({"type":"response.create","event_id":"r1"})");
    CHECK(s.take() == Types{"error"});
    CHECK(s.text("error", "error.event_id") == "r1");
    CHECK(s.replies.empty());
}

TEST_CASE("A transcript that comes in deltas is sent as it comes, and completed with what was left out", "[realtime_server]")
{
    struct Case {
        std::vector<std::string> deltas;
        std::string whole, streamed;
    };
    const auto c = GENERATE(values<Case>({{{" Hello", " there"}, "Hello there.", "Hello there."},
                                          {{"안\xEB\x85", "\x95하"}, "안녕하세요", "안녕하세요"},
                                          {{"Hello there."}, "Hello there.", "Hello there."},
                                          {{"Hallo"}, "Hello.", "Hallo"},
                                          {{}, "Hello.", "Hello."},
                                          {{"  "}, "", ""}}));
    Script s({}, true);
    s.update(R"("audio":{"input":{"transcription":{"model":"gpt-transcribe"}}})");
    s.user_is_quiet(300).user_speaks(600).user_is_quiet(400);
    s.take();
    const std::string item = s.transcriptions.at(0).item_id;
    for (const std::string& delta : c.deltas) s.server.on_transcript_delta(item, delta, s.now);
    s.server.on_transcript(item, c.whole, s.now, {.input = 31, .output = 7});
    s.server.on_transcript_delta(item, "too late", s.now);
    s.take();
    CHECK(s.joined("conversation.item.input_audio_transcription.delta") == c.streamed);
    CHECK(s.text("conversation.item.input_audio_transcription.completed", "transcript") == c.whole);
    CHECK(s.number("conversation.item.input_audio_transcription.completed", "usage.input_tokens") == 31);
    CHECK(s.number("conversation.item.input_audio_transcription.completed", "usage.input_token_details.audio_tokens") == 31);
    CHECK(s.number("conversation.item.input_audio_transcription.completed", "usage.total_tokens") == 38);
}

TEST_CASE("A transcript may come while its turn is already being answered", "[realtime_server]")
{
    Script s;
    s.update(R"("audio":{"input":{"transcription":{"model":"gpt-transcribe"}}})");
    s.user_is_quiet(300).user_speaks(600).user_is_quiet(400);
    s.take();
    s.server.on_transcript_delta(s.transcriptions.at(0).item_id, "Hel", s.now);
    s.server.on_transcript(s.transcriptions.at(0).item_id, "Hello.", s.now);
    s.brain_says("Hi.").brain_sounds(100).brain_is_done();
    CHECK(s.take() == Types{"conversation.item.input_audio_transcription.delta …", "conversation.item.input_audio_transcription.completed"} +
                          spoken_head + spoken_tail + Types{"rate_limits.updated"});
    CHECK(s.joined("conversation.item.input_audio_transcription.delta") == "Hello.");
}

TEST_CASE("Usage is the model's own count of text, where it tells one", "[realtime_server]")
{
    Script s;
    s.user_writes("Hi").respond().brain_says("Hello.").brain_sounds(500);
    s.server.on_reply_usage(s.response_id(), 812, 45);
    s.brain_is_done();
    s.take();
    CHECK(s.number("response.done", "response.usage.input_token_details.text_tokens") == 812);
    CHECK(s.number("response.done", "response.usage.output_token_details.text_tokens") == 45);
    CHECK(s.number("response.done", "response.usage.output_token_details.audio_tokens") == 10);
    CHECK(s.number("response.done", "response.usage.total_tokens") == 812 + 45 + 10);
    s.respond().brain_says("Hello.").brain_is_done();
    s.take();
    CHECK(s.number("response.done", "response.usage.output_token_details.text_tokens") == 2);
}

TEST_CASE("Out-of-band responses run beside the conversation and leave no items", "[realtime_server]")
{
    Script s;
    s.user_writes("one").respond();
    const std::string spoken = s.response_id();
    s.take();
    s.respond(R"({"conversation":"none","output_modalities":["text"],"metadata":{"topic":"mood"},"instructions":"Classify.",
                  "input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"I am glad."}]}]})");
    CHECK(s.take() == Types{"response.created"});
    const std::string aside = s.response_id();
    CHECK(s.text("response.created", "response.metadata.topic") == "mood");
    CHECK(s.text("response.created", "response.conversation_id") == "(absent)");
    REQUIRE(s.replies.at(1).context.size() == 1);
    CHECK(s.replies[1].context[0].text == "I am glad.");
    CHECK(s.replies[1].instructions == "Classify.");

    s.brain_says("glad", aside).brain_says("First.", spoken).brain_is_done(aside);
    CHECK(s.take() == Types{"response.output_item.added", "response.content_part.added", "response.output_text.delta …", "response.output_item.added",
                            "conversation.item.added", "response.content_part.added", "response.output_audio_transcript.delta …",
                            "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.done", "rate_limits.updated"});
    s.brain_is_done(spoken);
    CHECK(s.take() == spoken_tail + Types{"rate_limits.updated"});
    s.respond();
    CHECK(s.replies.at(2).context.size() == 2);  // "one", "First."
}

TEST_CASE("An empty input is an empty context, and references bring in items of the conversation", "[realtime_server]")
{
    Script s;
    s.user_writes("one").user_writes("two");
    const std::string first = s.text("conversation.item.added", "item.id");
    s.respond(R"({"conversation":"none","input":[]})");
    CHECK(s.replies.at(0).context.empty());
    s.respond(R"({"conversation":"none","input":[{"type":"item_reference","id":")" + first + R"("}]})");
    REQUIRE(s.replies.at(1).context.size() == 1);
    CHECK(s.replies[1].context[0].text == "one");
    s.take();
    s.respond(R"({"conversation":"none","input":[{"type":"item_reference","id":"item_none"}]})");
    CHECK(s.take() == Types{"error"});
    CHECK(s.error_code() == "item_not_found");
    CHECK(s.text("error", "error.param") == "response.input[0].id");
}

TEST_CASE("A reply that says nothing is a completed response without output", "[realtime_server]")
{
    Script s;
    s.respond().brain_is_done();
    CHECK(s.take() == Types{"session.created", "response.created", "response.done", "rate_limits.updated"});
    CHECK(s.text("response.done", "response.status") == "completed");
    CHECK(json::find_array(s.event("response.done"), "response.output")->empty());
}

TEST_CASE("Every event has an event_id of its own, and content parts hold no nulls", "[realtime_server]")
{
    Script s;
    s.user_is_quiet(300).user_speaks(400).user_is_quiet(400).brain_says("Hi.").brain_sounds(600).brain_is_done();
    s.take();
    std::set<std::string> ids;
    for (const Json& event : s.taken) {
        ids.insert(std::string(json::find_string(event, "event_id").value_or("")));
        if (const json::object* part = json::find_object(event, "part"))
            for (const auto& member : *part) CHECK_FALSE(member.value().is_null());
    }
    CHECK(ids.size() == s.taken.size());
    CHECK_FALSE(ids.contains(""));
}
