#include "script.hpp"

#include <catch2/catch.hpp>

using namespace script;

TEST_CASE("A response ends as incomplete at max_output_tokens, exactly", "[realtime_server]")
{
    Script s;
    s.update(R"("output_modalities":["text"])").respond(R"({"max_output_tokens":5})");
    const std::string response = s.response_id();
    CHECK(s.replies.at(0).max_output_tokens == 5);
    s.take();
    s.brain_says("12345678").brain_says("가나다라");
    CHECK(s.take() == written_head + written_tail + Types{"rate_limits.updated"});
    CHECK(s.text("response.output_text.done", "text") == "12345678가나다");
    CHECK(s.text("response.done", "response.status") == "incomplete");
    CHECK(s.text("response.done", "response.status_details.reason") == "max_output_tokens");
    CHECK(s.text("response.output_item.done", "item.status") == "incomplete");
    CHECK(s.number("response.done", "response.usage.output_tokens") == 5);
    CHECK(s.cancelled == std::vector<std::string>{response});
    s.brain_says("more").brain_is_done();
    CHECK(s.take().empty());
}

TEST_CASE("Speech counts towards max_output_tokens at 20 tokens a second", "[realtime_server]")
{
    Script s;
    s.respond(R"({"max_output_tokens":10})").brain_says("abcd").brain_sounds(1000);
    s.take();
    CHECK(s.text("response.done", "response.status") == "incomplete");
    CHECK(bytes_of(s.joined("response.output_audio.delta")).size() == 9 * 50 * 48);
    CHECK(s.number("response.done", "response.usage.output_token_details.audio_tokens") == 9);
    CHECK(s.number("response.done", "response.usage.output_token_details.text_tokens") == 1);
}

TEST_CASE("A function call beyond max_output_tokens is not half made", "[realtime_server]")
{
    Script s;
    s.respond(R"({"max_output_tokens":3})");
    s.take();
    s.brain_calls("light", R"({"colour":"warm white"})");
    CHECK(s.take() == Types{"response.done", "rate_limits.updated"});
    CHECK(s.text("response.done", "response.status") == "incomplete");
}

TEST_CASE("Even \"inf\" has an end", "[realtime_server]")
{
    engine::ServerLimits limits;
    limits.output_tokens_max = 4;
    Script s(limits);
    s.respond().brain_sounds(1000);
    s.take();
    CHECK(s.text("response.done", "response.max_output_tokens") == "inf");
    CHECK(s.text("response.done", "response.status") == "incomplete");
}

TEST_CASE("The conversation drops its oldest items beyond its limits", "[realtime_server]")
{
    engine::ServerLimits limits;
    limits.items_max = 3;
    Script s(limits);
    for (const char* text : {"1", "2", "3", "4", "5"}) s.user_writes(text);
    s.respond();
    const auto& context = s.replies.at(0).context;
    REQUIRE(context.size() == 3);
    CHECK(context[0].text == "3");
    s.brain_says("six").brain_is_done().respond();
    CHECK(s.replies.at(1).context.size() == 3);
    CHECK(s.replies.at(1).context.back().text == "six");
}

TEST_CASE("Short of memory, old items lose their audio first and their words later", "[realtime_server]")
{
    engine::ServerLimits limits;
    limits.conversation_bytes_max = 80'000;  // less than two seconds
    Script s(limits);
    s.turn_detection("null");
    std::vector<std::string> ids;
    for (int i = 0; i < 2; ++i) {
        s.user_speaks(1000).client(R"({"type":"input_audio_buffer.commit"})");
        ids.push_back(s.text("input_audio_buffer.committed", "item_id"));
        s.take();
    }
    for (std::size_t i = 0; i < 2; ++i) {
        s.client(R"({"type":"conversation.item.retrieve","item_id":")" + ids[i] + "\"}");
        s.take();
        const Json& part = json::find_array(s.event("conversation.item.retrieved"), "item.content")->at(0).as_object();
        CHECK(part.contains("audio") == (i == 1));
    }
    s.respond();
    CHECK(s.replies.at(0).context.at(0).audio_ms == 1000);  // still known
    const std::string huge(90'000, 'x');
    s.take();
    s.user_writes(huge).take();
    CHECK(s.error_code() == "too_large");
    s.user_writes(huge.substr(0, 70'000));
    s.respond(R"({"conversation":"none"})");
    CHECK(s.replies.back().context.back().text.size() == 70'000);
}

TEST_CASE("An append over its limit is refused, one below may hold many turns", "[realtime_server]")
{
    engine::ServerLimits limits;
    limits.append_bytes_max = 400'000;
    Script s(limits);
    s.take();
    const auto append = [&](const Samples& samples) { s.client(R"({"type":"input_audio_buffer.append","audio":")" + base64(samples) + "\"}"); };
    append(quiet(9'000));
    CHECK(s.take() == Types{"error"});
    CHECK(s.error_code() == "too_large");

    Samples turns;
    for (const auto& part : {quiet(500), voice(500), quiet(900), voice(500), quiet(900)}) turns.insert(turns.end(), part.begin(), part.end());
    append(turns);
    CHECK(s.take() == Types{"input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"} + committed +
                          Types{"response.created", "input_audio_buffer.speech_started", "response.done", "input_audio_buffer.speech_stopped"} + committed +
                          Types{"response.created"});
}

TEST_CASE("The input buffer keeps the end of what is too long, and an item the beginning", "[realtime_server]")
{
    engine::ServerLimits limits;
    limits.input_buffer_ms_max = 2'000;
    limits.item_audio_ms_max = 500;
    Script s(limits);
    s.turn_detection("null").user_is_quiet(3000).user_speaks(1000).client(R"({"type":"input_audio_buffer.commit"})").respond();
    CHECK(s.replies.at(0).context.at(0).audio_ms == 2000);
    s.client(R"({"type":"conversation.item.retrieve","item_id":")" + s.text("input_audio_buffer.committed", "item_id") + "\"}");
    const Json& part = json::find_array(s.event("conversation.item.retrieved"), "item.content")->at(0).as_object();
    CHECK(bytes_of(*json::find_string(part, "audio")).size() == 500 * 48);
}

TEST_CASE("Out-of-band responses are limited in number", "[realtime_server]")
{
    Script s;
    s.respond();
    for (int i = 0; i < 8; ++i) s.respond(R"({"conversation":"none"})");
    CHECK(s.replies.size() == 9);
    s.take();
    s.respond(R"({"conversation":"none"})");
    CHECK(s.take() == Types{"error"});
    CHECK(s.error_code() == "server_busy");
    s.brain_is_done();
    s.take();
    CHECK(s.respond(R"({"conversation":"none"})").take() == Types{"response.created"});
}

TEST_CASE("Usage counts what was read, heard, written and spoken", "[realtime_server]")
{
    Script s;
    s.turn_detection("null");
    s.user_writes("12345678");                                                            // 2 text
    s.user_speaks(1000).client(R"({"type":"input_audio_buffer.commit"})");                // 10 audio
    s.respond().brain_says("안녕하세요").brain_sounds(1010).brain_is_done();              // 5 text, 21 audio
    s.take();
    const Json first = *json::find_object(s.event("response.done"), "response.usage");
    CHECK(json::find_int(first, "input_token_details.text_tokens") == 2 + 3);  // "Be brief."
    CHECK(json::find_int(first, "input_token_details.audio_tokens") == 10);
    CHECK(json::find_int(first, "output_token_details.text_tokens") == 5);
    CHECK(json::find_int(first, "output_token_details.audio_tokens") == 21);
    CHECK(json::find_int(first, "input_tokens") == 15);
    CHECK(json::find_int(first, "output_tokens") == 26);
    CHECK(json::find_int(first, "total_tokens") == 41);
    CHECK(json::find_int(first, "input_token_details.cached_tokens_details.audio_tokens") == 0);

    s.client(R"({"type":"conversation.item.truncate","item_id":")" + s.text("response.output_item.done", "item.id") +
             R"(","content_index":0,"audio_end_ms":500})");
    s.respond().brain_is_done();
    s.take();
    CHECK(s.number("response.done", "response.usage.input_token_details.audio_tokens") == 10 + 10);
    CHECK(s.number("response.done", "response.usage.output_tokens") == 0);
}

TEST_CASE("A cancelled response is billed for what was generated", "[realtime_server]")
{
    Script s;
    s.respond().brain_sounds(500).client(R"({"type":"response.cancel"})");
    CHECK(s.number("response.done", "response.usage.output_token_details.audio_tokens") == 10);
}
