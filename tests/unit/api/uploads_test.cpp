#include "repartee/api/routes.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::api;

namespace {

net::Request post(std::string path)
{
    net::Request head;
    head.method = "POST";
    head.path = std::move(path);
    head.headers = {{"host", "localhost:8000"}};
    return head;
}

int status(const std::variant<net::BodyPermit, net::Response>& answer)
{
    const auto* const response = std::get_if<net::Response>(&answer);
    return response ? response->status : 0;
}

}  // namespace

TEST_CASE("a recording may be large, other bodies may not")
{
    Shared shared;
    const net::BodyGate gate = upload_gate(shared);
    const auto other = gate(post("/api/v1/interviews"), 10);
    REQUIRE(std::get<net::BodyPermit>(other).bytes_max == shared.settings.body_bytes_max);
    const auto upload = gate(post("/voice-chat"), 10'000'000);
    REQUIRE(std::get<net::BodyPermit>(upload).bytes_max >= shared.settings.voice_chat.upload_bytes_max);
    REQUIRE(status(gate(post("/voice-chat"), 27'000'000)) == 413);
}

TEST_CASE("who may not ask may not upload")
{
    Shared shared;
    shared.settings.api_keys = {"secret-key"};
    const net::BodyGate gate = upload_gate(shared);
    REQUIRE(status(gate(post("/voice-chat"), 10)) == 401);
    net::Request with_key = post("/voice-chat");
    with_key.headers.emplace_back("authorization", "Bearer secret-key");
    REQUIRE(status(gate(with_key, 10)) == 0);
    with_key.headers.emplace_back("origin", "https://elsewhere.example");
    REQUIRE(status(gate(with_key, 10)) == 403);
    shared.draining = true;
    with_key.headers.pop_back();
    REQUIRE(status(gate(with_key, 10)) == 503);
}

TEST_CASE("all uploads together have a limit, and give their place back")
{
    Shared shared;
    shared.settings.uploads_bytes_max = 30'000'000;
    const net::BodyGate gate = upload_gate(shared);
    {
        const auto first = gate(post("/voice-chat"), 20'000'000);
        REQUIRE(status(first) == 0);
        REQUIRE(shared.upload_bytes == 20'000'000);
        REQUIRE(status(gate(post("/voice-chat"), 20'000'000)) == 503);
        REQUIRE(status(gate(post("/voice-chat"), 5'000'000)) == 0);
    }
    REQUIRE(shared.upload_bytes == 0);
    const auto unknown_length = gate(post("/voice-chat"), std::nullopt);
    REQUIRE(status(unknown_length) == 0);
    REQUIRE(shared.upload_bytes > shared.settings.voice_chat.upload_bytes_max);
    shared.settings.sessions_max = 0;
    REQUIRE(status(gate(post("/voice-chat"), 1)) == 503);
}
