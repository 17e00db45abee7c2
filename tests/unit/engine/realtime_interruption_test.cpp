#include "script.hpp"

#include <catch2/catch.hpp>

using namespace script;
using namespace std::chrono_literals;

namespace {

/// A response to a spoken turn is running; nothing said yet.
Script answering()
{
    Script s;
    s.user_is_quiet(300).user_speaks(500).user_is_quiet(400);
    s.take();
    return s;
}

std::string cut(const std::string& item_id, std::int64_t ms, int content_index = 0)
{
    return R"({"type":"conversation.item.truncate","event_id":"t1","item_id":")" + item_id + R"(","content_index":)" + std::to_string(content_index) +
           R"(,"audio_end_ms":)" + std::to_string(ms) + "}";
}

}  // namespace

TEST_CASE("Speech before the reply's first word cancels it: a response without output", "[realtime_server]")
{
    Script s = answering();
    const std::string response = s.response_id();
    s.user_speaks(200);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started", "response.done"});
    CHECK(s.text("response.done", "response.status") == "cancelled");
    CHECK(s.text("response.done", "response.status_details.type") == "cancelled");
    CHECK(s.text("response.done", "response.status_details.reason") == "turn_detected");
    CHECK(json::find_array(s.event("response.done"), "response.output")->empty());
    CHECK(s.cancelled == std::vector<std::string>{response});

    s.brain_says("too late", response).brain_sounds(20, response).brain_is_done(response);
    CHECK(s.take().empty());
    s.user_is_quiet(400);
    CHECK(s.take() == Types{"input_audio_buffer.speech_stopped"} + committed + Types{"response.created"});
}

TEST_CASE("Speech within a reply ends its events in order, and what was heard stays in the context", "[realtime_server]")
{
    Script s = answering();
    s.brain_says("one two three four five six seven eight nine ten").brain_sounds(2000);
    s.take();
    s.user_speaks(200);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started"} + spoken_tail);
    CHECK(s.text("response.done", "response.status") == "cancelled");
    CHECK(s.text("conversation.item.done", "item.status") == "incomplete");
    CHECK(s.text("response.output_item.done", "item.status") == "incomplete");
    const std::string item = s.text("response.output_item.done", "item.id");

    s.client(cut(item, 1000));
    CHECK(s.take() == Types{"conversation.item.truncated"});
    CHECK(s.number("conversation.item.truncated", "audio_end_ms") == 1000);
    s.client(R"({"type":"conversation.item.retrieve","item_id":")" + item + "\"}");
    s.take();
    const Json& part = json::find_array(s.event("conversation.item.retrieved"), "item.content")->at(0).as_object();
    CHECK_FALSE(part.contains("transcript"));
    CHECK(bytes_of(*json::find_string(part, "audio")).size() == 48'000);

    s.user_is_quiet(400);
    const auto& context = s.replies.at(1).context;
    REQUIRE(context.size() == 3);
    CHECK(context[1].role == "assistant");
    CHECK(context[1].text == "one two three four five");
    CHECK(context[1].audio_ms == 1000);
}

TEST_CASE("Speech after the reply was generated brings no response.done, but its playback can be cut", "[realtime_server]")
{
    Script s = answering();
    s.brain_says("one two three four").brain_sounds(2000).brain_is_done();
    s.take();
    const std::string item = s.text("response.output_item.done", "item.id");
    s.user_speaks(200);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started"});
    CHECK(s.cancelled.empty());
    CHECK(s.client(cut(item, 500)).take() == Types{"conversation.item.truncated"});
    s.user_is_quiet(400);
    CHECK(s.replies.at(1).context.at(1).text == "one");

    SECTION("Cut to nothing, the item says nothing")
    {
        s.client(cut(item, 0)).client(R"({"type":"response.cancel"})").respond();
        for (const auto& message : s.replies.back().context) CHECK(message.role != "assistant");
    }
}

TEST_CASE("A truncate beyond the audio names both lengths; one of no audio is refused", "[realtime_server]")
{
    Script s = answering();
    s.brain_says("Hi.").brain_sounds(700).brain_is_done();
    const std::string user = s.replies.at(0).context.at(0).item_id;
    s.take();
    const std::string item = s.text("response.output_item.done", "item.id");

    CHECK(s.client(cut(item, 5000)).take() == Types{"error"});
    CHECK(s.text("error", "error.message") == "Audio content of 700ms is already shorter than 5000ms");
    CHECK(s.error_code() == "invalid_value");
    CHECK(s.text("error", "error.event_id") == "t1");
    CHECK(s.client(cut(item, 700)).take() == Types{"conversation.item.truncated"});
    CHECK(s.client(cut(item, 300)).take() == Types{"conversation.item.truncated"});
    CHECK(s.client(cut(item, 301)).take() == Types{"error"});
    CHECK(s.text("error", "error.message") == "Audio content of 300ms is already shorter than 301ms");
    s.client(cut(item, 100, 1)).take();
    CHECK(s.text("error", "error.param") == "content_index");
    s.client(cut(item, -1)).take();
    CHECK(s.text("error", "error.param") == "audio_end_ms");
    s.client(cut("item_none", 1)).take();
    CHECK(s.error_code() == "item_not_found");
    s.client(cut(user, 1)).take();
    CHECK(s.error_code() == "unsupported_content_type");

    SECTION("An item that has only text so far has no audio to cut")
    {
        s.respond().brain_says("Soon");
        const std::string silent = s.text("response.output_item.added", "item.id");
        s.take();
        s.client(cut(silent, 0)).take();
        CHECK(s.error_code() == "unsupported_content_type");
        CHECK(s.text("error", "error.message") == "Only model output audio messages can be truncated.");
    }
}

TEST_CASE("A truncate while the item is still being spoken holds when it is done", "[realtime_server]")
{
    Script s = answering();
    s.brain_says("one two").brain_sounds(1000);
    const std::string item = s.text("response.output_item.added", "item.id");
    s.client(cut(item, 500)).brain_says(" three four").brain_sounds(1000).brain_is_done();
    s.take();
    CHECK(s.text("response.done", "response.status") == "completed");
    s.respond();
    CHECK(s.replies.at(1).context.at(1).text == "one");
}

TEST_CASE("What was heard goes by the sound of each sentence, not by the length of the whole", "[realtime_server]")
{
    struct Case {
        int heard_ms;
        std::string context;
    };
    // The first sentence is spoken slowly, the second fast.
    const auto c = GENERATE(values<Case>({{1600, "one two three"}, {800, "one two"}, {1999, "one two three four."}, {2100, "one two three four. Five"},
                                          {2400, "one two three four. Five six seven eight."}}));
    Script s = answering();
    s.brain_says("one two three four. ").brain_sounds(1000).brain_sounds(1000).brain_says("Five six seven eight.").brain_sounds(400).brain_is_done();
    s.client(cut(s.text("response.output_item.done", "item.id"), c.heard_ms)).respond();
    CHECK(s.replies.back().context.at(1).text == c.context);
}

TEST_CASE("Of a cancelled reply, text whose sound was never made is not remembered", "[realtime_server]")
{
    Script s = answering();
    SECTION("The end")
    {
        s.brain_says("One is here. ").brain_sounds(500).brain_says("Two is not.");
        s.take();
        s.user_speaks(200).user_is_quiet(400);
        CHECK(s.text("response.output_audio_transcript.done", "transcript") == "One is here. Two is not.");
        CHECK(s.replies.at(1).context.at(1).text == "One is here. ");
    }
    SECTION("All of it")
    {
        s.brain_says("One is here. ");
        s.user_speaks(200).user_is_quiet(400);
        for (const auto& message : s.replies.at(1).context) CHECK(message.role != "assistant");
    }
    SECTION("Text alone needs no sound")
    {
        s.brain_is_done().respond(R"({"output_modalities":["text"]})").brain_says("One is here. ");
        s.client(R"({"type":"response.cancel"})").respond();
        CHECK(s.replies.back().context.at(1).text == "One is here. ");
    }
}

TEST_CASE("A heard text is never cut within a word or a character", "[realtime_server]")
{
    struct Case {
        std::string said;
        int heard_ms;
        std::string context;
    };
    const auto c = GENERATE(values<Case>({{"안녕하세요 반갑습니다", 500, "안녕하세요"},
                                          {"가나다라마바사아자차", 550, "가나다라마"},
                                          {"abcdefghij klm", 300, ""},
                                          {"one two", 1000, "one two"}}));
    Script s = answering();
    s.brain_says(c.said).brain_sounds(1000).brain_is_done();
    s.client(cut(s.text("response.output_item.done", "item.id"), c.heard_ms)).respond();
    std::string heard;
    for (const auto& message : s.replies.back().context)
        if (message.role == "assistant") heard = message.text;
    CHECK(heard == c.context);
}

TEST_CASE("The client may cancel: the running response, one by its id, and never one that is over", "[realtime_server]")
{
    Script s = answering();
    s.brain_says("Well").brain_sounds(100);
    s.take();
    s.client(R"({"type":"response.cancel"})");
    CHECK(s.take() == spoken_tail);
    CHECK(s.text("response.done", "response.status_details.reason") == "client_cancelled");
    s.client(R"({"type":"response.cancel"})").take();
    CHECK(s.error_code() == "response_cancel_not_active");

    s.respond(R"({"conversation":"none"})");
    const std::string aside = s.response_id();
    s.take();
    s.client(R"({"type":"response.cancel"})").take();
    CHECK(s.error_code() == "response_cancel_not_active");  // none of the default conversation
    s.client(R"({"type":"response.cancel","response_id":")" + aside + "\"}");
    CHECK(s.take() == Types{"response.done"});
    s.client(R"({"type":"response.cancel","response_id":")" + aside + "\"}").take();
    CHECK(s.error_code() == "response_cancel_not_active");
}

TEST_CASE("Speech does not cancel out-of-band responses", "[realtime_server]")
{
    Script s;
    s.respond(R"({"conversation":"none"})");
    s.take();
    s.user_is_quiet(300).user_speaks(300);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started"});
    CHECK(s.cancelled.empty());
}

TEST_CASE("Without interrupt_response speech lets the reply go on, and the turn's own response is refused meanwhile", "[realtime_server]")
{
    Script s;
    s.turn_detection(R"({"type":"server_vad","interrupt_response":false,"silence_duration_ms":200})");
    s.user_is_quiet(300).user_speaks(300).user_is_quiet(400);
    const std::string running = s.response_id();
    s.brain_sounds(200);
    s.take();
    s.user_speaks(300).user_is_quiet(400);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"} + committed + Types{"error"});
    CHECK(s.error_code() == "conversation_already_has_active_response");
    CHECK(s.text("error", "error.message").find(running) != std::string::npos);
    CHECK(s.event("error").at("error").at("event_id").is_null());
    s.brain_is_done();
    CHECK(s.take() == Types{"response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done",
                            "conversation.item.done", "response.output_item.done", "response.done", "rate_limits.updated"});
}

TEST_CASE("With create_response false a turn is committed and the client decides", "[realtime_server]")
{
    Script s;
    s.turn_detection(R"({"type":"server_vad","create_response":false,"silence_duration_ms":200})");
    s.take();
    s.user_is_quiet(300).user_speaks(300).user_is_quiet(400);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"} + committed);
    CHECK(s.respond().take() == Types{"response.created"});
}

TEST_CASE("A second response.create names the one that runs, and quotes its event", "[realtime_server]")
{
    Script s = answering();
    s.client(R"({"type":"response.create","event_id":"again"})");
    CHECK(s.take() == Types{"error"});
    CHECK(s.error_code() == "conversation_already_has_active_response");
    CHECK(s.text("error", "error.event_id") == "again");
    CHECK(s.text("error", "error.message").find(s.response_id()) != std::string::npos);
    s.brain_is_done();
    s.take();
    CHECK(s.respond().take() == Types{"response.created"});
}

TEST_CASE("An item deleted while it is spoken is not mentioned again in the conversation", "[realtime_server]")
{
    Script s = answering();
    s.brain_says("Hi").brain_sounds(100);
    const std::string item = s.text("response.output_item.added", "item.id");
    s.take();
    s.client(R"({"type":"conversation.item.delete","item_id":")" + item + "\"}").brain_is_done();
    CHECK(s.take() == Types{"conversation.item.deleted", "response.output_audio.done", "response.output_audio_transcript.done",
                            "response.content_part.done", "response.output_item.done", "response.done", "rate_limits.updated"});
    s.respond();
    CHECK(s.replies.back().context.size() == 1);
}
