#include "script.hpp"

#include <catch2/catch.hpp>

using namespace script;

TEST_CASE("Every wrong event becomes one error with its code, its field and the event's id", "[realtime_server]")
{
    struct Case {
        std::string event;
        std::string code;
        std::string param;
    };
    const auto c = GENERATE(values<Case>({
        {R"({"event_id":"e","type":"session.start"})", "invalid_value", "type"},
        {R"({"event_id":"e","type":"output_audio_buffer.clear"})", "invalid_value", "type"},
        {R"({"event_id":"e"})", "invalid_event", "type"},
        {R"({"event_id":"e","type":7})", "invalid_event", "type"},
        {R"({"event_id":"e","type":"session.update"})", "missing_required_parameter", "session"},
        {R"({"event_id":"e","type":"session.update","session":[]})", "invalid_value", "session"},
        {R"({"event_id":"e","type":"session.update","session":{"type":"realtime","voice":"echo"}})", "unknown_parameter", "session.voice"},
        {R"({"event_id":"e","type":"session.update","session":{"type":"transcription"}})", "invalid_value", "session.type"},
        {R"({"event_id":"e","type":"input_audio_buffer.append"})", "missing_required_parameter", "audio"},
        {R"({"event_id":"e","type":"input_audio_buffer.append","audio":5})", "invalid_value", "audio"},
        {R"({"event_id":"e","type":"input_audio_buffer.append","audio":"A==="})", "invalid_audio", "audio"},
        {R"({"event_id":"e","type":"input_audio_buffer.append","audio":"AAA"})", "invalid_audio", "audio"},
        {R"({"event_id":"e","type":"input_audio_buffer.append","audio":"AA\n="})", "invalid_audio", "audio"},
        {R"({"event_id":"e","type":"input_audio_buffer.commit"})", "input_audio_buffer_commit_empty", ""},
        {R"({"event_id":"e","type":"conversation.item.create"})", "missing_required_parameter", "item"},
        {R"({"event_id":"e","type":"conversation.item.create","item":3})", "invalid_value", "item"},
        {R"({"event_id":"e","type":"conversation.item.create","item":{"type":"poem"}})", "invalid_value", "item.type"},
        {R"({"event_id":"e","type":"conversation.item.create","previous_item_id":"x","item":{"type":"message","role":"user","content":[{"type":"input_text","text":"a"}]}})",
         "item_not_found", "previous_item_id"},
        {R"({"event_id":"e","type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_audio","audio":"A==="}]}})",
         "invalid_audio", "item.content[0].audio"},
        {R"({"event_id":"e","type":"conversation.item.retrieve"})", "missing_required_parameter", "item_id"},
        {R"({"event_id":"e","type":"conversation.item.retrieve","item_id":1})", "invalid_value", "item_id"},
        {R"({"event_id":"e","type":"conversation.item.retrieve","item_id":"x"})", "item_not_found", "item_id"},
        {R"({"event_id":"e","type":"conversation.item.delete","item_id":"x"})", "item_not_found", "item_id"},
        {R"({"event_id":"e","type":"conversation.item.truncate","item_id":"x","content_index":0,"audio_end_ms":1})", "item_not_found", "item_id"},
        {R"({"event_id":"e","type":"response.create","response":"now"})", "invalid_value", "response"},
        {R"({"event_id":"e","type":"response.create","response":{"modalities":["text"]}})", "unknown_parameter", "response.modalities"},
        {R"({"event_id":"e","type":"response.cancel"})", "response_cancel_not_active", ""},
        {R"({"event_id":"e","type":"response.cancel","response_id":"resp_x"})", "response_cancel_not_active", "response_id"},
        {R"({"event_id":"e","type":"response.cancel","response_id":1})", "invalid_value", "response_id"},
    }));
    Script s;
    s.take();
    INFO(c.event);
    CHECK(s.client(c.event).take() == Types{"error"});
    CHECK(s.error_code() == c.code);
    CHECK(s.text("error", "error.event_id") == "e");
    CHECK(s.text("error", "error.param") == (c.param.empty() ? "(absent)" : c.param));
    CHECK_FALSE(s.text("error", "error.message").empty());
    CHECK(s.replies.empty());
    CHECK(s.user_writes("still there?").take() == Types{"conversation.item.added", "conversation.item.done"});
}

TEST_CASE("What is not JSON is an error, too", "[realtime_server]")
{
    const auto* text = GENERATE("", "{", "[]", "null", "\xFF", R"({"type":"input_audio_buffer.append","audio":"AAAA)");
    Script s;
    s.take();
    CHECK(s.client(text).take() == Types{"error"});
    CHECK(s.error_code() == "invalid_json");
}

TEST_CASE("The error for an unknown type lists the types there are", "[realtime_server]")
{
    Script s;
    s.client(R"({"type":"conversation.create"})").take();
    CHECK(s.text("error", "error.message").find("'input_audio_buffer.commit'") != std::string::npos);
}

TEST_CASE("The error of an empty commit says how much audio there was", "[realtime_server]")
{
    Script s;
    s.turn_detection("null").user_is_quiet(60).client(R"({"type":"input_audio_buffer.commit"})").take();
    CHECK(s.text("error", "error.message") ==
          "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has 60.00ms of audio.");
}

TEST_CASE("The voice is fixed once the model has spoken", "[realtime_server]")
{
    Script s;
    s.update(R"("audio":{"output":{"voice":"Cedar"}})").respond().brain_says("Hm").take();
    CHECK(s.replies.at(0).voice == "cedar");
    CHECK(s.update(R"("audio":{"output":{"voice":"echo"}})").take() == Types{"session.updated"});  // nothing heard yet
    s.brain_sounds(20).brain_is_done();
    s.take();
    CHECK(s.update(R"("audio":{"output":{"voice":"marin"}})").take() == Types{"error"});
    CHECK(s.error_code() == "cannot_update_voice");
    CHECK(s.server.session().voice == "echo");
    CHECK(s.update(R"("audio":{"output":{"voice":"Echo"}})").take() == Types{"session.updated"});
    s.respond(R"({"audio":{"output":{"voice":"sage"}}})").take();
    CHECK(s.error_code() == "cannot_update_voice");
    CHECK(s.respond(R"({"conversation":"none","audio":{"output":{"voice":"sage"}}})").take() == Types{"response.created"});
}

TEST_CASE("A reply that fails is a failed response that says why", "[realtime_server]")
{
    Script s;
    s.respond().brain_says("I").brain_sounds(40);
    s.take();
    s.brain_fails({Code::provider_failed, "The language model answered 500. Look into its log.", "", "llm_down"});
    CHECK(s.take() == spoken_tail);
    CHECK(s.text("response.done", "response.status") == "failed");
    CHECK(s.text("response.done", "response.status_details.type") == "failed");
    CHECK(s.text("response.done", "response.status_details.error.type") == "server_error");
    CHECK(s.text("response.done", "response.status_details.error.code") == "llm_down");
    CHECK(s.text("response.done", "response.status_details.error.message") == "The language model answered 500. Look into its log.");
    CHECK(s.text("conversation.item.done", "item.status") == "incomplete");
    CHECK(s.respond().take() == Types{"response.created"});
}

TEST_CASE("A failed transcription leaves out what it does not know", "[realtime_server]")
{
    Script s;
    s.update(R"("audio":{"input":{"transcription":{"model":"gpt-4o-mini-transcribe"},"turn_detection":null}})").user_speaks(300);
    s.client(R"({"type":"input_audio_buffer.commit"})");
    s.take();
    REQUIRE(s.transcriptions.size() == 1);
    s.server.on_transcription_failed(s.transcriptions[0].item_id, Error{Code::timeout, "No transcript within 10 s."}, s.now);
    CHECK(s.take() == Types{"conversation.item.input_audio_transcription.failed"});
    const Json& error = s.taken.at(0).at("error").as_object();
    CHECK(error.at("code").as_string() == "timeout");
    CHECK_FALSE(error.contains("param"));
    for (const auto& member : error) CHECK_FALSE(member.value().is_null());
    s.server.on_transcript(s.transcriptions[0].item_id, "too late", s.now);
    CHECK(s.take().empty());
}
