#include "canned_service.hpp"

using namespace repartee;
using namespace repartee::providers;
using namespace repartee::test;
using End = Canned::End;

namespace {

const std::string good = "{\"message\":{\"role\":\"assistant\",\"content\":\"안녕\"},\"done\":false}\n"
                         "{\"message\":{\"role\":\"assistant\",\"content\":\"하세요.\"},\"done\":false}\n"
                         "{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,"
                         "\"done_reason\":\"stop\",\"prompt_eval_count\":26,\"eval_count\":282}\n";

Canned lines(const std::vector<std::string>& pieces, End end = End::keep) { return chunked("application/x-ndjson", pieces, end); }

struct Said {
    Result<ChatResult> outcome{ChatResult()};
    std::string text;
};

Said chat(Bench& bench, const CannedService& service, Stop stop = {})
{
    auto settings = settings_for<LlmSettings>(service, "llm");
    settings.provider = "ollama";
    settings.url = service.url().substr(0, service.url().size() - 3);
    settings.api_key.clear();
    settings.model = "qwen3:4b";
    auto llm = create_llm(settings, bench.resources);
    REQUIRE(ok(llm));
    Said said;
    ChatSink sink;
    sink.text = [&](std::string_view text) { said.text += text; };
    ChatRequest request;
    request.messages = {{"user", "안녕?"}};
    said.outcome = run(bench.context, (*llm)->chat(request, sink, stop));
    return said;
}

}  // namespace

TEST_CASE("Ollama's lines are read wherever they are cut")
{
    for (const std::size_t size : {1u, 9u, 100'000u}) {
        Bench bench;
        CannedService service(bench.context, {lines(in_pieces(good, size))});
        const Said said = chat(bench, service);
        REQUIRE(ok(said.outcome));
        CHECK(said.text == "안녕하세요.");
        CHECK(said.outcome->usage.input_tokens == 26);
        CHECK(said.outcome->usage.output_tokens == 282);
        CHECK(service.head(0).starts_with("POST /api/chat HTTP/1.1\r\n"));
        CHECK(service.head(0).find("Authorization") == std::string::npos);
        const auto body = service.json_body(0);
        CHECK(json::find_string(body, "model") == "qwen3:4b");
        CHECK(json::find_int(body, "options.num_ctx") == 8192);
        CHECK(json::find_string(body, "keep_alive") == "5m");
        CHECK(json::find_bool(body, "stream") == true);
    }
}

TEST_CASE("what goes wrong with Ollama")
{
    const Failure table[] = {
        {"model", whole("404 Not Found", "application/json", R"({"error":"model 'qwen3:4b' not found"})"), Code::provider_failed,
         "ollama pull qwen3:4b"},
        {"tools", whole("400 Bad Request", "application/json", R"({"error":"qwen3:4b does not support tools"})"), Code::provider_failed,
         "does not support tools"},
        {"amid", lines({"{\"message\":{\"content\":\"Hel\"},\"done\":false}\n{\"error\":\"runner died\"}\n"}), Code::provider_failed, "runner died"},
        {"cut", lines({"{\"message\":{\"content\":\"Hel\"},\"done\":false}\n"}, End::close), Code::closed, "closed the connection"},
        {"ended amid", lines({"{\"message\":{\"content\":\"Hel\"},\"done\":false}\n"}), Code::closed, "broke off"},
        {"HTML", whole("200 OK", "text/html", "<html></html>"), Code::provider_failed, "sent text/html"},
        {"not Ollama", whole("404 Not Found", "text/plain", "no such page"), Code::provider_failed, "answered 404: \"no such page\""},
    };
    for (const auto& row : table) {
        INFO(row.what);
        Bench bench;
        CannedService service(bench.context, {row.answer});
        const Said said = chat(bench, service);
        check_failure(said.outcome, row);
    }
}
