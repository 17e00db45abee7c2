#include "script.hpp"

#include <catch2/catch.hpp>

using namespace script;

namespace {

std::string message(std::string_view id, std::string_view text, std::string_view after = {})
{
    std::string event = R"({"type":"conversation.item.create",)";
    if (!after.empty()) event += R"("previous_item_id":")" + std::string(after) + "\",";
    return event + R"("item":{"id":")" + std::string(id) + R"(","type":"message","role":"user","content":[{"type":"input_text","text":")" +
           std::string(text) + "\"}]}}";
}

std::string about(std::string_view verb, std::string_view id)
{
    return R"({"type":"conversation.item.)" + std::string(verb) + R"(","item_id":")" + std::string(id) + "\"}";
}

Types context_texts(Script& s)
{
    s.respond(R"({"conversation":"none"})");
    Types texts;
    for (const auto& m : s.replies.back().context) texts.push_back(m.text);
    s.client(R"({"type":"response.cancel","response_id":")" + s.response_id() + "\"}");
    return texts;
}

}  // namespace

TEST_CASE("Items are put where previous_item_id says", "[realtime_server]")
{
    Script s;
    s.client(message("a", "A"));
    CHECK(s.event("conversation.item.added").at("previous_item_id").is_null());
    s.take();
    s.client(message("c", "C"));
    CHECK(s.text("conversation.item.added", "previous_item_id") == "a");
    s.take();
    s.client(message("b", "B", "a"));
    CHECK(s.text("conversation.item.added", "previous_item_id") == "a");
    CHECK(s.text("conversation.item.done", "previous_item_id") == "a");
    s.take();
    s.client(message("z", "Z", "root"));
    CHECK(s.event("conversation.item.added").at("previous_item_id").is_null());
    CHECK(context_texts(s) == Types{"Z", "A", "B", "C"});

    s.take();
    s.client(message("b", "again")).take();
    CHECK(s.error_code() == "invalid_value");
    CHECK(s.text("error", "error.param") == "item.id");

    s.client(about("delete", "a"));
    CHECK(s.take() == Types{"conversation.item.deleted"});
    CHECK(s.text("conversation.item.deleted", "item_id") == "a");
    CHECK(context_texts(s) == Types{"Z", "B", "C"});
    s.take();
    CHECK(s.client(about("retrieve", "a")).take() == Types{"error"});
}

TEST_CASE("All roles and function calls of a client are context", "[realtime_server]")
{
    Script s;
    const char* items[] = {
        R"({"type":"message","role":"system","content":[{"type":"input_text","text":"Be kind."}]})",
        R"({"type":"message","role":"user","content":[{"type":"input_text","text":"Light?"},{"type":"input_text","text":"Please."}]})",
        R"({"type":"function_call","call_id":"c1","name":"light","arguments":"{}"})",
        R"({"type":"function_call_output","call_id":"c1","output":"on"})",
        R"({"type":"message","role":"assistant","content":[{"type":"output_text","text":"It is on."}]})",
    };
    for (const char* item : items) s.client(R"({"type":"conversation.item.create","item":)" + std::string(item) + "}");
    s.respond();
    const auto& context = s.replies.at(0).context;
    REQUIRE(context.size() == 5);
    CHECK(context[0].role == "system");
    CHECK(context[1].text == "Light?\nPlease.");
    REQUIRE(context[2].call);
    CHECK(context[2].role == "assistant");
    CHECK(context[2].text.empty());
    CHECK(context[2].call->call_id == "c1");
    CHECK(context[2].call->name == "light");
    CHECK(context[2].call->arguments == "{}");
    CHECK(context[3].role == "tool");
    CHECK(context[3].call_id == "c1");
    CHECK(context[3].text == "on");
    CHECK(context[4].role == "assistant");
    CHECK(context[4].text == "It is on.");
    CHECK_FALSE(context[4].spoken);
}

TEST_CASE("Only conversation.item.retrieved carries audio, and it is the audio that was sent", "[realtime_server]")
{
    Script s;
    s.turn_detection("null");
    const Samples spoken = voice(300);
    s.user_sends(spoken).client(R"({"type":"input_audio_buffer.commit"})");
    const std::string user = s.text("input_audio_buffer.committed", "item_id");
    CHECK_FALSE(json::find_array(s.event("conversation.item.added"), "item.content")->at(0).as_object().contains("audio"));
    s.take();
    s.client(about("retrieve", user));
    CHECK(s.take() == Types{"conversation.item.retrieved"});
    const Json& part = json::find_array(s.event("conversation.item.retrieved"), "item.content")->at(0).as_object();
    CHECK(json::find_string(part, "audio") == base64(spoken));

    s.respond().brain_says("Aha.").brain_sounds(450).brain_is_done();
    s.take();
    const std::string sent = s.joined("response.output_audio.delta");
    s.client(about("retrieve", s.text("response.output_item.done", "item.id")));
    s.take();
    const Json& answer = json::find_array(s.event("conversation.item.retrieved"), "item.content")->at(0).as_object();
    CHECK(json::find_string(answer, "transcript") == "Aha.");
    CHECK(bytes_of(*json::find_string(answer, "audio")).size() == 450 * 48);
    CHECK(std::string(json::find_string(answer, "audio")->substr(0, 16'000)) == sent.substr(0, 16'000));
}

TEST_CASE("A client's own audio item is kept, and transcribed when the session asks for it", "[realtime_server]")
{
    Script s;
    s.update(R"("audio":{"input":{"transcription":{"model":"gpt-4o-mini-transcribe"}}})");
    const Samples spoken = voice(200);
    const std::string content = R"([{"type":"input_text","text":"Listen:"},{"type":"input_audio","audio":")" + base64(spoken) + "\"}]";
    s.client(R"({"type":"conversation.item.create","item":{"id":"mine","type":"message","role":"user","content":)" + content + "}}");
    REQUIRE(s.transcriptions.size() == 1);
    CHECK(s.transcriptions[0].samples == spoken);
    s.take();
    s.server.on_transcript("mine", "la la", s.now);
    CHECK(s.take() == Types{"conversation.item.input_audio_transcription.delta …", "conversation.item.input_audio_transcription.completed"});
    CHECK(s.number("conversation.item.input_audio_transcription.completed", "content_index") == 1);
    CHECK(s.number("conversation.item.input_audio_transcription.completed", "usage.input_token_details.audio_tokens") == 2);
    CHECK(s.number("conversation.item.input_audio_transcription.completed", "usage.input_token_details.text_tokens") == 0);
    CHECK(context_texts(s) == Types{"Listen:\nla la"});
    s.take();
    s.server.on_transcript("mine", "twice", s.now);
    s.server.on_transcript("nobody", "?", s.now);
    CHECK(s.take().empty());
}

TEST_CASE("For a brain that reads, every turn is transcribed silently", "[realtime_server]")
{
    Script s;
    s.user_is_quiet(200).user_speaks(400).user_is_quiet(400);
    CHECK(s.transcriptions.empty());
    s.server.transcribe_every_turn(true);
    s.user_speaks(400).user_is_quiet(400);
    s.take();
    REQUIRE(s.transcriptions.size() == 1);
    CHECK(s.transcriptions[0].item_id == s.replies.back().context.back().item_id);
    CHECK(s.replies.back().context.back().text.empty());
    s.server.on_transcript(s.transcriptions[0].item_id, "Hello.", s.now);
    CHECK(s.take().empty());
    CHECK(context_texts(s) == Types{"", "Hello."});
}

TEST_CASE("Text that is not UTF-8 never reaches an event", "[realtime_server]")
{
    Script s;
    s.update(R"("output_modalities":["text"])").respond();
    const std::string syllable = "한";
    s.brain_says(syllable.substr(0, 1)).brain_says(syllable.substr(1)).brain_says("\xFF!").brain_says(syllable.substr(0, 2)).brain_is_done();
    s.take();
    CHECK(s.text("response.output_text.done", "text") == "한\xEF\xBF\xBD!");
    CHECK(s.joined("response.output_text.delta") == "한\xEF\xBF\xBD!");
}
