#include "providers/chat_json.hpp"
#include "run.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::providers;
using test::ok;

namespace {

json::object parsed(const std::string& text)
{
    auto object = json::parse_object(text);
    REQUIRE(ok(object));
    return *object;
}

ChatRequest conversation()
{
    ChatRequest request;
    ChatMessage call{"assistant", ""};
    call.tool_calls = {{"call_1", "weather", R"({"city":"서울"})"}};
    ChatMessage output{"tool", "sunny"};
    output.tool_call_id = "call_1";
    output.tool_name = "weather";
    request.messages = {{"system", "Be kind."}, {"user", "날씨?"}, call, output};
    request.tools.push_back(parsed(R"({"type":"function","name":"weather","description":"d","parameters":{"type":"object"}})"));
    return request;
}

ChatOptions options()
{
    ChatOptions options;
    options.model = "m";
    return options;
}

struct Answer {
    std::string text;
    std::vector<ToolCall> calls;
    ChatResult result;
    std::optional<Error> error;
};

template <class Read>
Answer read_all(const std::vector<std::string>& pieces, Read read)
{
    Answer answer;
    ChatReader reader("The service", 10'000);
    const auto take = [&](const Result<ChatDelta>& delta) {
        if (!delta) {
            answer.error = delta.error();
            return false;
        }
        answer.text += delta->text;
        answer.calls.insert(answer.calls.end(), delta->calls.begin(), delta->calls.end());
        return true;
    };
    for (const auto& piece : pieces)
        if (!take((reader.*read)(piece))) return answer;
    take(reader.finish());
    answer.result = reader.result();
    return answer;
}

Answer openai(const std::vector<std::string>& events) { return read_all(events, &ChatReader::read_openai); }
Answer ollama(const std::vector<std::string>& lines) { return read_all(lines, &ChatReader::read_ollama); }

std::string delta(const std::string& members) { return R"({"choices":[{"index":0,"delta":{)" + members
                                               + R"(},"finish_reason":null}],"usage":null})"; }
std::string call_delta(const std::string& call) { return delta(R"("tool_calls":[)" + call + "]"); }
const std::string end_stop = R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
const std::string end_calls = R"({"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})";
const std::string usage = R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}})";

}  // namespace

TEST_CASE("a request in Chat Completions' form")
{
    CHECK(json::value(openai_chat_body(conversation(), options())) == json::value(parsed(R"({"model":"m","messages":[
        {"role":"system","content":"Be kind."},{"role":"user","content":"날씨?"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function",
            "function":{"name":"weather","arguments":"{\"city\":\"서울\"}"}}]},
        {"role":"tool","content":"sunny","tool_call_id":"call_1"}],
        "tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object"}}}],
        "stream_options":{"include_usage":true},"stream":true})")));
}

TEST_CASE("what the section says, the request overrides, and the operator's own members win")
{
    ChatRequest request;
    request.messages = {{"user", "Hi"}};
    ChatOptions all = options();
    all.tokens_field = "max_completion_tokens";
    all.output_tokens_max = 100;
    all.temperature = 0.5;
    all.include_usage = false;
    all.extra = parsed(R"({"reasoning_effort":"minimal","stream":false,"model":"other","messages":[]})");
    CHECK(json::value(openai_chat_body(request, all)) ==
          json::value(parsed(R"({"model":"m","messages":[{"role":"user","content":"Hi"}],"temperature":5E-1,"max_completion_tokens":100,)"
                             R"("reasoning_effort":"minimal","stream":true})")));
    request.max_output_tokens = 7;
    request.temperature = 0.0;
    request.choice.model = "wished";
    request.json = true;
    const json::object body = openai_chat_body(request, all);
    CHECK(json::find_int(body, "max_completion_tokens") == 7);
    CHECK(json::find_number(body, "temperature") == 0.0);
    CHECK(json::find_string(body, "model") == "wished");
    CHECK(json::find_string(body, "response_format.type") == "json_object");
}

TEST_CASE("tool choices")
{
    ChatRequest request = conversation();
    CHECK_FALSE(openai_chat_body(request, options()).contains("tool_choice"));
    request.tool_choice = "required";
    CHECK(json::find_string(openai_chat_body(request, options()), "tool_choice") == "required");
    request.tool_choice = parsed(R"({"type":"function","name":"weather"})");
    CHECK(json::find_string(openai_chat_body(request, options()), "tool_choice.function.name") == "weather");
    request.tools.clear();
    CHECK_FALSE(openai_chat_body(request, options()).contains("tool_choice"));
    CHECK_FALSE(openai_chat_body(request, options()).contains("tools"));
}

TEST_CASE("a request in Ollama's form")
{
    ChatOptions all = options();
    all.keep_alive = "5m";
    all.context_tokens = 8192;
    all.output_tokens_max = 50;
    all.temperature = 0.5;
    all.think = "off";
    all.extra = parsed(R"({"options":{"top_k":20}})");
    CHECK(json::value(ollama_chat_body(conversation(), all)) == json::value(parsed(R"({"model":"m","messages":[
        {"role":"system","content":"Be kind."},{"role":"user","content":"날씨?"},
        {"role":"assistant","content":"","tool_calls":[{"function":{"name":"weather","arguments":{"city":"서울"}}}]},
        {"role":"tool","content":"sunny","tool_name":"weather"}],
        "tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object"}}}],
        "think":false,"keep_alive":"5m","options":{"num_ctx":8192,"num_predict":50,"temperature":5E-1,"top_k":20},"stream":true})")));
    ChatRequest request = conversation();
    request.json = true;
    CHECK_FALSE(ollama_chat_body(request, options()).contains("tools"));
    CHECK(json::find_string(ollama_chat_body(request, options()), "format") == "json");
    request = conversation();
    request.tool_choice = "none";
    CHECK_FALSE(ollama_chat_body(request, options()).contains("tools"));
    CHECK_FALSE(ollama_chat_body(request, options()).contains("think"));
}

TEST_CASE("a streamed text, with the chunk that has no choices")
{
    const Answer answer = openai({delta(R"("role":"assistant","content":"")"), delta(R"("content":"안녕")"), delta(R"("content":null)"), delta(""),
                                  delta(R"("content":"하세요.")"), end_stop, usage, "[DONE]"});
    REQUIRE_FALSE(answer.error);
    CHECK(answer.text == "안녕하세요.");
    CHECK(answer.result.finish_reason == "stop");
    CHECK(answer.result.usage.told);
    CHECK(answer.result.usage.input_tokens == 9);
    CHECK(answer.result.usage.output_tokens == 12);
}

TEST_CASE("thoughts are never said, refusals are")
{
    const Answer thought = openai({delta(R"("reasoning_content":"hm")"), delta(R"("reasoning":"hm")"), delta(R"("content":"<think>h")"),
                                   delta(R"("content":"m</thi")"), delta(R"("content":"nk>\n\nYes <3")"), end_stop});
    REQUIRE_FALSE(thought.error);
    CHECK(thought.text == "Yes <3");
    CHECK_FALSE(thought.result.usage.told);
    CHECK(openai({delta(R"("refusal":"I cannot.")"), end_stop}).text == "I cannot.");
}

TEST_CASE("function calls, in all the ways services cut them")
{
    const struct {
        const char* what;
        std::vector<std::string> events;
        std::vector<std::string> calls;  ///< id name arguments
    } table[] = {
        {"as documented",
         {call_delta(R"({"index":0,"id":"call_a","type":"function","function":{"name":"f","arguments":""}})"),
          call_delta(R"({"index":0,"function":{"arguments":"{\"x\""}})"), call_delta(R"({"index":0,"function":{"arguments":":1}"}})"),
          call_delta(R"({"index":1,"id":"call_b","function":{"name":"g","arguments":""}})"),
              call_delta(R"({"index":1,"function":{"arguments":"{}"}})"), end_calls},
         {"call_a f {\"x\":1}", "call_b g {}"}},
        {"interleaved",
         {call_delta(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}},)"
                     R"({"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\""}})"),
          call_delta(R"({"index":0,"function":{"arguments":":1}"}},{"index":1,"function":{"arguments":":2}"}})"), end_calls},
         {"a f {\"x\":1}", "b g {\"y\":2}"}},
        {"id and name repeated",
         {call_delta(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}})"),
          call_delta(R"({"index":0,"id":"a","function":{"name":"f","arguments":":1}"}})"), end_calls},
         {"a f {\"x\":1}"}},
        {"no index",
         {call_delta(R"({"id":"a","function":{"name":"f","arguments":"{\"x\""}})"), call_delta(R"({"function":{"arguments":":1}"}})"),
          call_delta(R"({"id":"b","function":{"name":"g","arguments":"{}"}})"), end_calls},
         {"a f {\"x\":1}", "b g {}"}},
        {"all have index 0",
         {call_delta(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})"),
          call_delta(R"({"index":0,"id":"b","function":{"name":"f","arguments":"{}"}})"),
          end_calls},
         {"a f {}", "b f {}"}},
        {"all have index 0 and no id",
         {call_delta(R"({"index":0,"function":{"name":"f","arguments":"{\"x\":1}"}})"),
          call_delta(R"({"index":0,"function":{"name":"f","arguments":"{\"x\":2}"}})"),
          end_calls},
         {"call_0 f {\"x\":1}", "call_1 f {\"x\":2}"}},
        {"no arguments, or as an object",
         {call_delta(R"({"index":0,"id":"a","function":{"name":"f"}})"),
          call_delta(R"({"index":1,"id":"b","function":{"name":"g","arguments":{"x":1}}})"), end_calls},
         {"a f {}", "b g {\"x\":1}"}},
        {"ended with stop", {call_delta(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})"), end_stop}, {"a f {}"}},
        {"no name", {call_delta(R"({"index":0,"id":"a","function":{"arguments":"{}"}})"), end_calls}, {}},
    };
    for (const auto& row : table) {
        INFO(row.what);
        const Answer answer = openai(row.events);
        REQUIRE_FALSE(answer.error);
        std::vector<std::string> calls;
        for (const auto& call : answer.calls) calls.push_back(call.id + " " + call.name + " " + call.arguments);
        CHECK(calls == row.calls);
    }
}

TEST_CASE("an answer that was not streamed is read as well")
{
    const Answer answer = openai({R"({"object":"chat.completion","choices":[{"message":{"role":"assistant","content":"Hi",)"
                                  R"("tool_calls":[{"id":"a","type":"function",)"
                                  R"("function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],)"
                                  R"("usage":{"prompt_tokens":1,"completion_tokens":2}})"});
    REQUIRE_FALSE(answer.error);
    CHECK(answer.text == "Hi");
    CHECK(answer.calls.size() == 1);
    CHECK(answer.result.usage.output_tokens == 2);
}

TEST_CASE("broken answers are errors of their kind")
{
    const struct {
        const char* what;
        std::vector<std::string> events;
        Code code;
        std::string expected;
    } table[] = {
        {"nothing", {}, Code::provider_failed, "ended without an answer"},
        {"nothing but its end", {"[DONE]"}, Code::provider_failed, "ended without an answer"},
        {"only thoughts, then cut", {delta(R"("reasoning":"hm")")}, Code::provider_failed, "ended without an answer"},
        {"cut", {delta(R"("content":"Hel")")}, Code::closed, "broke off"},
        {"broken JSON", {delta(R"("content":"Hel")"), R"({"choices":[{"del)"}, Code::provider_failed, "broken answer (event 2): Not valid JSON"},
        {"no object", {"[1]"}, Code::provider_failed, "broken answer"},
        {"bytes that are no text", {"{\"choices\":[{\"delta\":{\"content\":\"\xFF\"}}]}"}, Code::provider_failed, "broken answer"},
        {"an error amid", {delta(R"("content":"Hel")"), R"({"error":{"message":"overloaded","code":"busy"}})"}, Code::provider_failed, "overloaded"},
        {"an error as text", {R"({"error":"out of memory"})"}, Code::provider_failed, "out of memory"},
        {"vLLM's form", {R"({"object":"error","message":"too long","code":400})"}, Code::provider_failed, "too long"},
        {"endless", std::vector<std::string>(11, delta("\"content\":\"" + std::string(1000, 'x') + "\"")), Code::too_large, "more than 10000 bytes"},
        {"endless arguments",
         std::vector<std::string>(11, call_delta(R"({"index":0,"function":{"name":"f","arguments":")" + std::string(1000, 'x') + "\"}}")),
         Code::too_large, "more than 10000 bytes"},
    };
    for (const auto& row : table) {
        INFO(row.what);
        const Answer answer = openai(row.events);
        REQUIRE(answer.error);
        CHECK(answer.error->code == row.code);
        CHECK_THAT(answer.error->message, Catch::Contains(row.expected));
    }
    CHECK(openai({R"({"error":{"message":"m","code":"busy"}})"}).error->upstream_code == "busy");
    CHECK_FALSE(openai({delta(R"("content":"Hel")"), "[DONE]"}).error);
}

TEST_CASE("odd members do no harm")
{
    for (const std::string event : {R"({})", R"({"choices":{}})", R"({"choices":[1]})", R"({"choices":[{}]})", R"({"choices":[{"delta":[]}]})",
                                    R"({"choices":[{"delta":{"content":5,"tool_calls":[1,{},{"function":3},{"index":"x","function":{"name":9}}]},)"
                                    R"("finish_reason":7}]})",
                                    R"({"usage":{"prompt_tokens":-5,"completion_tokens":"x"}})", R"({"usage":[]})"}) {
        INFO(event);
        const Answer answer = openai({event, delta(R"("content":"Hi")"), end_stop});
        REQUIRE_FALSE(answer.error);
        CHECK(answer.text == "Hi");
        CHECK(answer.calls.empty());
        CHECK(answer.result.usage.input_tokens == 0);
    }
}

TEST_CASE("Ollama's lines")
{
    const Answer answer = ollama({R"({"model":"m","message":{"role":"assistant","content":"","thinking":"hm"},"done":false})",
                                  R"({"model":"m","message":{"role":"assistant","content":"안"},"done":false})",
                                  R"({"model":"m","message":{"role":"assistant","content":"녕"},"done":false})",
                                  R"({"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","eval_count":282})"});
    REQUIRE_FALSE(answer.error);
    CHECK(answer.text == "안녕");
    CHECK(answer.result.finish_reason == "stop");
    CHECK(answer.result.usage.input_tokens == 0);
    CHECK(answer.result.usage.output_tokens == 282);
    CHECK(answer.result.usage.told);
}

TEST_CASE("Ollama's calls have objects for arguments and no ids")
{
    const Answer answer = ollama(
        {R"({"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"x":1}}},)"
         R"({"function":{"name":"f","arguments":{"x":2}}}]}})",
         R"({"message":{"tool_calls":[{"function":{"index":0,"name":"g","arguments":{}}}]},"done":false})",
             R"({"message":{"content":""},"done":true,"done_reason":"stop"})"});
    REQUIRE_FALSE(answer.error);
    REQUIRE(answer.calls.size() == 3);
    CHECK(answer.calls[0].id == "call_0");
    CHECK(answer.calls[0].arguments == R"({"x":1})");
    CHECK(answer.calls[1].id == "call_1");
    CHECK(answer.calls[1].arguments == R"({"x":2})");
    CHECK(answer.calls[2].name == "g");
    CHECK(answer.calls[2].arguments == "{}");
    CHECK(answer.result.finish_reason == "tool_calls");
    CHECK_FALSE(answer.result.usage.told);
}

TEST_CASE("Ollama's failures")
{
    CHECK(ollama({R"({"message":{"content":"Hel"},"done":false})",
                  R"({"error":"runner died"})"}).error->message.find("runner died") != std::string::npos);
    CHECK(ollama({R"({"message":{"content":"Hel"},"done":false})"}).error->code == Code::closed);
    CHECK(ollama({}).error->code == Code::provider_failed);
    CHECK(ollama({"{\"message\":"}).error->message.find("broken answer (line 1)") != std::string::npos);
}
