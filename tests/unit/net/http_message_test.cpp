#include "repartee/net/http_message.hpp"

#include <catch2/catch.hpp>

using namespace repartee::net;

namespace {

Request upgrade_request(std::string connection, std::string upgrade)
{
    Request request;
    request.method = "GET";
    request.headers = {{"connection", std::move(connection)}, {"upgrade", std::move(upgrade)}};
    return request;
}

}  // namespace

TEST_CASE("A request target is split and decoded")
{
    Request request;
    REQUIRE(parse_target("/ws/conversations/park_jihoon?input_rate=16000&name=%EB%B0%95+x&flag&empty=&=v", request));
    CHECK(request.path == "/ws/conversations/park_jihoon");
    CHECK(request.target == "/ws/conversations/park_jihoon?input_rate=16000&name=%EB%B0%95+x&flag&empty=&=v");
    CHECK(request.query_value("input_rate") == "16000");
    CHECK(request.query_value("name") == "박 x");
    CHECK(request.query_value("flag") == "");
    CHECK(request.query_value("empty") == "");
    CHECK(request.query_value("") == "v");
    CHECK(request.query_value("absent") == std::nullopt);
    CHECK(request.query.size() == 5);
}

TEST_CASE("Of a repeated query parameter the first is given")
{
    Request request;
    REQUIRE(parse_target("/?a=2&a=1&&b=3", request));
    CHECK(request.query_value("a") == "2");
    CHECK(request.query.count("a") == 2);
    CHECK(request.query_value("b") == "3");
}

TEST_CASE("Parsing a second target forgets the first")
{
    Request request;
    REQUIRE(parse_target("/a?x=1", request));
    REQUIRE(parse_target("/b", request));
    CHECK(request.path == "/b");
    CHECK(request.query.empty());
}

TEST_CASE("Paths keep plus signs and decode the rest")
{
    Request request;
    REQUIRE(parse_target("/a+b%2Fc%20d?q=a%3Db%26c", request));
    CHECK(request.path == "/a+b/c d");
    CHECK(request.query_value("q") == "a=b&c");
}

TEST_CASE("A whole URL as target is taken for its path")
{
    Request request;
    REQUIRE(parse_target("http://localhost:8000/health?x=1", request));
    CHECK(request.path == "/health");
    CHECK(request.query_value("x") == "1");
    REQUIRE(parse_target("HTTPS://localhost", request));
    CHECK(request.path == "/");
    REQUIRE(parse_target("http://localhost?x=2", request));
    CHECK(request.path == "/");
    CHECK(request.query_value("x") == "2");
    REQUIRE(parse_target("*", request));
    CHECK(request.path == "*");
}

TEST_CASE("Malformed targets are refused")
{
    for (const char* target : {"/%", "/%4", "/%zz", "/%4g", "/a?x=%", "/a?%f=1", "/a%00b", "health", "ftp://x/y", "*x"}) {
        INFO(target);
        Request request;
        CHECK_FALSE(parse_target(target, request));
    }
}

TEST_CASE("The first of several equal headers is given, an absent one is empty")
{
    Request request;
    request.headers = {{"accept", "a"}, {"x", "1"}, {"x", "2"}};
    CHECK(request.header("x") == "1");
    CHECK(request.header("accept") == "a");
    CHECK(request.header("host").empty());
}

TEST_CASE("A WebSocket upgrade is recognised by its tokens")
{
    CHECK(upgrade_request("Upgrade", "websocket").wants_upgrade());
    CHECK(upgrade_request("keep-alive, uPgRaDe", "WebSocket").wants_upgrade());
    CHECK(upgrade_request("upgrade ,x", "h2c,\twebsocket ").wants_upgrade());
    CHECK_FALSE(upgrade_request("keep-alive", "websocket").wants_upgrade());
    CHECK_FALSE(upgrade_request("upgraded", "websocket").wants_upgrade());
    CHECK_FALSE(upgrade_request("upgrade", "h2c").wants_upgrade());
    CHECK_FALSE(upgrade_request("", "").wants_upgrade());
    Request post = upgrade_request("upgrade", "websocket");
    post.method = "POST";
    CHECK_FALSE(post.wants_upgrade());
}

TEST_CASE("Statuses have their registered text")
{
    CHECK(status_text(200) == "OK");
    CHECK(status_text(206) == "Partial Content");
    CHECK(status_text(404) == "Not Found");
    CHECK(status_text(426) == "Upgrade Required");
    CHECK(status_text(799) == "Unknown");
}
