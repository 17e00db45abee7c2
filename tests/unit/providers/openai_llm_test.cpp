#include "canned_service.hpp"

using namespace repartee;
using namespace repartee::providers;
using namespace repartee::test;
using End = Canned::End;

namespace {

std::string delta(const std::string& members) { return R"(data: {"choices":[{"index":0,"delta":{)" + members + "},\"finish_reason\":null}]}\n\n"; }
std::string text_delta(const std::string& text) { return delta("\"content\":\"" + text + "\""); }
const std::string stop_event = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const std::string usage_event = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":12}}\n\n";
const std::string done_event = "data: [DONE]\n\n";
const std::string good = delta(R"("role":"assistant","content":"")") + text_delta("안녕") + text_delta("하세요.") + stop_event + usage_event + done_event;

Canned sse(const std::vector<std::string>& pieces, End end = End::keep, milliseconds gap = milliseconds(0))
{
    return chunked("text/event-stream", pieces, end, gap);
}

LlmSettings settings_of(const CannedService& service)
{
    auto settings = settings_for<LlmSettings>(service, "llm");
    settings.model = "m";
    return settings;
}

struct Said {
    Result<ChatResult> outcome{ChatResult()};
    std::string text;
    std::vector<std::string> deltas;
    std::vector<ToolCall> calls;
};

ChatRequest hello()
{
    ChatRequest request;
    request.messages = {{"user", "안녕?"}};
    return request;
}

Said chat(Bench& bench, LanguageModel& llm, const ChatRequest& request = hello(), Stop stop = {})
{
    Said said;
    ChatSink sink;
    sink.text = [&](std::string_view text) {
        said.text += text;
        said.deltas.emplace_back(text);
    };
    sink.call = [&](const ToolCall& call) { said.calls.push_back(call); };
    said.outcome = run(bench.context, llm.chat(request, sink, stop));
    return said;
}

Said chat(Bench& bench, const LlmSettings& settings, const ChatRequest& request = hello(), Stop stop = {})
{
    auto llm = create_llm(settings, bench.resources);
    REQUIRE(ok(llm));
    return chat(bench, **llm, request, stop);
}

}  // namespace

TEST_CASE("a model's words come as they are streamed, wherever the bytes are cut")
{
    for (const std::size_t size : {1u, 7u, 100'000u}) {
        Bench bench;
        CannedService service(bench.context, {sse(in_pieces(good, size))});
        const Said said = chat(bench, settings_of(service));
        REQUIRE(ok(said.outcome));
        CHECK(said.deltas == std::vector<std::string>{"안녕", "하세요."});
        CHECK(said.outcome->usage.input_tokens == 9);
        CHECK(said.outcome->finish_reason == "stop");
        CHECK(service.head(0).starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
        CHECK(service.head(0).find("Authorization: Bearer sk-very-secret\r\n") != std::string::npos);
        CHECK(service.head(0).find("Content-Type: application/json\r\n") != std::string::npos);
        CHECK(json::find_string(service.json_body(0), "model") == "m");
        CHECK(json::find_bool(service.json_body(0), "stream_options.include_usage") == true);
    }
}

TEST_CASE("the words are handed on before the answer is complete")
{
    Bench bench;
    CannedService service(bench.context, {sse({text_delta("Hello "), text_delta("you."), stop_event, done_event}, End::keep, milliseconds(60))});
    auto llm = create_llm(settings_of(service), bench.resources);
    REQUIRE(ok(llm));
    const auto began = std::chrono::steady_clock::now();
    std::optional<std::chrono::steady_clock::duration> first;
    ChatSink sink;
    sink.text = [&](std::string_view) { if (!first) first = std::chrono::steady_clock::now() - began; };
    REQUIRE(ok(run(bench.context, (*llm)->chat(hello(), sink, {}))));
    REQUIRE(first);
    CHECK(std::chrono::steady_clock::now() - began - *first > milliseconds(100));
}

TEST_CASE("requests of a conversation share one connection")
{
    Bench bench;
    CannedService service(bench.context, {sse({good})});
    auto llm = create_llm(settings_of(service), bench.resources);
    REQUIRE(ok(llm));
    for (int i = 0; i < 3; ++i) REQUIRE(ok(chat(bench, **llm).outcome));
    CHECK(service.requests().size() == 3);
    CHECK(service.connections() == 1);
}

TEST_CASE("comments, CRLF and a missing blank line at the end are no obstacle")
{
    Bench bench;
    const std::string odd = ": keep-alive\r\n\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\r\n\r\n"
                            ": again\r\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}";
    CannedService service(bench.context, {sse({odd})});
    const Said said = chat(bench, settings_of(service));
    REQUIRE(ok(said.outcome));
    CHECK(said.text == "Hi");
}

TEST_CASE("a server that does not stream is understood as well")
{
    Bench bench;
    CannedService service(bench.context, {whole("200 OK", "application/json",
                                                R"({"object":"chat.completion","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]})")});
    CHECK(chat(bench, settings_of(service)).text == "Hi");
}

TEST_CASE("function calls come whole, behind the text")
{
    Bench bench;
    CannedService service(bench.context, {sse({text_delta("One moment."),
                                               delta(R"("tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}}])"),
                                               delta(R"("tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}])"),
                                               "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n", done_event})});
    const Said said = chat(bench, settings_of(service));
    REQUIRE(ok(said.outcome));
    CHECK(said.text == "One moment.");
    REQUIRE(said.calls.size() == 1);
    CHECK(said.calls[0].arguments == R"({"x":1})");
}

TEST_CASE("a server that refuses stream_options is asked without, from then on")
{
    Bench bench;
    CannedService service(bench.context, {whole("400 Bad Request", "application/json",
                                                R"({"error":{"message":"Unknown parameter: stream_options"}})"), sse({good})});
    auto llm = create_llm(settings_of(service), bench.resources);
    REQUIRE(ok(llm));
    REQUIRE(ok(chat(bench, **llm).outcome));
    REQUIRE(ok(chat(bench, **llm).outcome));
    REQUIRE(service.requests().size() == 3);
    CHECK(service.json_body(0).contains("stream_options"));
    CHECK_FALSE(service.json_body(1).contains("stream_options"));
    CHECK_FALSE(service.json_body(2).contains("stream_options"));
}

TEST_CASE("refusals and broken answers are told with their cause, and never with the key")
{
    const Failure table[] = {
        {"key", whole("401 Unauthorized", "application/json",
                      R"({"error":{"message":"Incorrect API key: sk-very-secret","code":"invalid_api_key"}})"),
         Code::provider_failed, "answered 401: \"Incorrect API key: ***\". Check llm.api_key."},
        {"model", whole("404 Not Found", "application/json", R"({"object":"error","message":"The model `m` does not exist."})"),
         Code::provider_failed,
         "Check llm.url and llm.model."},
        {"quota", whole("429 Too Many Requests", "application/json",
                        R"({"error":{"message":"You exceeded your quota","code":"insufficient_quota"}})"),
         Code::provider_failed, "quota is used up"},
        {"rate", whole("429 Too Many Requests", "text/plain", "slow down", "Retry-After: 99\r\n"), Code::provider_failed,
         "\"slow down\". Check the account's quota"},
        {"500", whole("500 Internal Server Error", "text/html", "<html>oops</html>"), Code::provider_failed, "answered 500. Try again later."},
        {"FastAPI", whole("422 Unprocessable Entity", "application/json", R"({"detail":[{"loc":["body","messages"],"msg":"Field required"}]})"),
         Code::provider_failed,
         "\"Field required: messages\""},
        {"elsewhere", whole("302 Found", "text/plain", "", "Location: http://example.com\r\n"), Code::provider_failed,
         "put the right address into llm.url"},
        {"HTML", whole("200 OK", "text/html", "<!DOCTYPE html><p>Welcome</p>"), Code::provider_failed,
         "sent text/html where a model's answer was expected. Check llm.url."},
        {"nothing", whole("200 OK", "text/event-stream", ""), Code::provider_failed, "ended without an answer"},
        {"broken JSON", sse({text_delta("Hel"), "data: {\"choices\":\n\n"}), Code::provider_failed, "broken answer"},
        {"error amid", sse({text_delta("Hel"), "data: {\"error\":{\"message\":\"overloaded sk-very-secret\"}}\n\n"}), Code::provider_failed,
         "overloaded ***"},
        {"cut amid", sse({text_delta("Hel")}, End::close), Code::closed, "closed the connection"},
        {"ended amid", sse({text_delta("Hel")}), Code::closed, "broke off"},
        {"cut before", Canned({}, End::close), Code::closed, "closed the connection"},
        {"no HTTP", Canned({"SSH-2.0-OpenSSH\r\n\r\n"}, End::close), Code::provider_failed, "malformed"},
        {"too long a line", whole("200 OK", "text/event-stream", "data: " + std::string(2 << 20, 'x')), Code::provider_failed, ""},
    };
    for (const auto& row : table) {
        INFO(row.what);
        Bench bench;
        CannedService service(bench.context, {row.answer});
        const Said said = chat(bench, settings_of(service));
        check_failure(said.outcome, row);
        CHECK(service.requests().size() == 1);
    }
}

TEST_CASE("time limits name their setting")
{
    const struct {
        const char* what;
        Canned answer;
        std::string expected;
    } table[] = {
        {"header", Canned({}, End::hang), "raise llm.first_byte_limit_ms"},
        {"body", sse({text_delta("Hel")}, End::hang), "raise llm.idle_limit_ms"},
        {"alive, but without end", sse(std::vector<std::string>(200, text_delta("x")), End::keep, milliseconds(10)), "raise llm.limit_ms"},
    };
    for (const auto& row : table) {
        INFO(row.what);
        Bench bench;
        CannedService service(bench.context, {row.answer});
        auto settings = settings_of(service);
        settings.section = "llm_2";
        settings.retries = 3;
        settings.times.first_byte = settings.times.idle = milliseconds(100);
        settings.times.total = milliseconds(400);
        const Said said = chat(bench, settings);
        REQUIRE(!said.outcome);
        CHECK(said.outcome.error().code == Code::timeout);
        CHECK_THAT(said.outcome.error().message, Catch::Contains(row.expected));
        CHECK(service.requests().size() == 1);
    }
}

TEST_CASE("what may pass is asked again, once, and what may not is not")
{
    const Canned failed = whole("500 Internal Server Error", "text/plain", "oops");
    const Canned busy = whole("429 Too Many Requests", "text/plain", "slow down", "Retry-After: 0\r\n");
    const Canned quota = whole("429 Too Many Requests", "application/json", R"({"error":{"code":"insufficient_quota"}})", "Retry-After: 0\r\n");
    const struct {
        const char* what;
        std::vector<Canned> answers;
        bool succeeds;
        std::size_t requests;
    } table[] = {
        {"500, then good", {failed, sse({good})}, true, 2},
        {"429, then good", {busy, sse({good})}, true, 2},
        {"cut before the first byte, then good", {Canned({}, End::close), sse({good})}, true, 2},
        {"500 again and again", {failed}, false, 2},
        {"quota", {quota}, false, 1},
        {"400", {whole("400 Bad Request", "text/plain", "no")}, false, 1},
        {"cut amid the answer", {sse({text_delta("Hel")}, End::close), sse({good})}, false, 1},
    };
    for (const auto& row : table) {
        INFO(row.what);
        Bench bench;
        CannedService service(bench.context, row.answers);
        auto settings = settings_of(service);
        settings.retries = 1;
        const Said said = chat(bench, settings);
        CHECK(said.outcome.has_value() == row.succeeds);
        CHECK(service.requests().size() == row.requests);
        CHECK(bench.metrics.llm.retries.value() == row.requests - 1);
    }
}

TEST_CASE("Retry-After is waited for, and a stop ends the wait")
{
    Bench bench;
    CannedService service(bench.context, {whole("429 Too Many Requests", "text/plain", "", "Retry-After: 0.3\r\n"), sse({good})});
    auto settings = settings_of(service);
    settings.retries = 1;
    const auto began = std::chrono::steady_clock::now();
    REQUIRE(ok(chat(bench, settings).outcome));
    CHECK(std::chrono::steady_clock::now() - began >= milliseconds(300));

    CannedService slow(bench.context, {whole("429 Too Many Requests", "text/plain", "", "Retry-After: 60\r\n")});
    auto patient = settings_of(slow);
    patient.retries = 1;
    patient.retry_wait_max = std::chrono::minutes(2);
    LaterStop stop(bench.context, milliseconds(50));
    const Said said = chat(bench, patient, hello(), stop.token());
    REQUIRE(!said.outcome);
    CHECK(said.outcome.error().code == Code::cancelled);
}

TEST_CASE("a stop ends the request at once, and the service sees it")
{
    const struct {
        const char* what;
        Canned answer;
    } table[] = {
        {"before the header", Canned({}, End::hang)},
        {"amid the answer", sse({text_delta("Hel")}, End::hang)},
    };
    for (const auto& row : table) {
        INFO(row.what);
        Bench bench;
        CannedService service(bench.context, {row.answer});
        LaterStop stop(bench.context, milliseconds(50));
        const Said said = chat(bench, settings_of(service), hello(), stop.token());
        REQUIRE(!said.outcome);
        CHECK(said.outcome.error().code == Code::cancelled);
        CHECK(bench.wait_for([&] { return service.left() == 1; }, milliseconds(2'000)));
        CHECK(stop.since() < milliseconds(50));
    }
}

TEST_CASE("a sink that stops is not called again")
{
    Bench bench;
    CannedService service(bench.context, {sse({good})});
    auto llm = create_llm(settings_of(service), bench.resources);
    REQUIRE(ok(llm));
    std::stop_source stop;
    int calls = 0;
    ChatSink sink;
    sink.text = [&](std::string_view) {
        ++calls;
        stop.request_stop();
    };
    const auto outcome = run(bench.context, (*llm)->chat(hello(), sink, stop.get_token()));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Code::cancelled);
}

TEST_CASE("an answer that is complete does not wait for a connection that stays open")
{
    Bench bench;
    CannedService service(bench.context, {sse({text_delta("Hi"), stop_event, done_event}, End::hang), sse({text_delta("Hi"), stop_event},
        End::hang)});
    const auto settings = settings_of(service);
    const auto began = std::chrono::steady_clock::now();
    CHECK(chat(bench, settings).text == "Hi");
    const Said without_done = chat(bench, settings);
    REQUIRE(ok(without_done.outcome));
    CHECK(std::chrono::steady_clock::now() - began < milliseconds(3'000));
}
