#include "repartee/net/url.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace repartee;
using net::parse_url;

TEST_CASE("A URL is split into its parts, with the scheme's port when none is given")
{
    struct Row {
        const char *text, *scheme, *host, *port, *target, *host_header;
    };
    const Row rows[] = {
        {"http://example.com", "http", "example.com", "80", "/", "example.com"},
        {"https://example.com/a/b?c=d", "https", "example.com", "443", "/a/b?c=d", "example.com"},
        {"WSS://API.Example.com/v1/realtime?model=gpt-realtime", "wss", "api.example.com", "443", "/v1/realtime?model=gpt-realtime",
         "api.example.com"},
        {"ws://127.0.0.1:8000", "ws", "127.0.0.1", "8000", "/", "127.0.0.1:8000"},
        {"https://host:443/x", "https", "host", "443", "/x", "host"},
        {"http://host:0080/x", "http", "host", "80", "/x", "host"},
        {"http://host:443/", "http", "host", "443", "/", "host:443"},
        {"http://[::1]:9/x", "http", "::1", "9", "/x", "[::1]:9"},
        {"http://[fe80::1]", "http", "fe80::1", "80", "/", "[fe80::1]"},
        {"http://host?q=1", "http", "host", "80", "/?q=1", "host"},
        {"http://host/x#fragment", "http", "host", "80", "/x", "host"},
        {"http://host#fragment", "http", "host", "80", "/", "host"},
        {"http://host/mail@example", "http", "host", "80", "/mail@example", "host"},
        {"http://a_b.c-d/", "http", "a_b.c-d", "80", "/", "a_b.c-d"},
    };
    for (const auto& row : rows) {
        INFO(row.text);
        const auto url = parse_url(row.text);
        REQUIRE(url.has_value());
        CHECK(url->scheme == row.scheme);
        CHECK(url->host == row.host);
        CHECK(url->port == row.port);
        CHECK(url->target == row.target);
        CHECK(url->host_header() == row.host_header);
        CHECK(url->tls() == (url->scheme == "https" || url->scheme == "wss"));
    }
}

TEST_CASE("What is no URL is refused with the cause and a right example")
{
    struct Row {
        const char *text, *cause;
    };
    const Row rows[] = {
        {"", "no scheme"},
        {"example.com/path", "no scheme"},
        {"ftp://example.com", "scheme must be"},
        {"://example.com", "scheme must be"},
        {"http://", "host name"},
        {"http:///path", "host name"},
        {"http://:80/", "host name"},
        {"http://exa mple.com", "space"},
        {"http://host/a\r\nX: y", "space"},
        {"http://h\xc3\xb6st/", "space"},
        {"http://host:/", "port"},
        {"http://host:0/", "port"},
        {"http://host:65536/", "port"},
        {"http://host:80x/", "port"},
        {"http://host:-1/", "port"},
        {"http://host:80:80/", "port"},
        {"http://[::1/", "host name"},
        {"http://[::1]x/", "host name"},
        {"http://[]/", "host name"},
        {"http://[zz::1]/", "host name"},
        {"http://ho%73t/", "host name"},
        {"http://host\\evil/", "host name"},
        {"http://user:secret@host/", "configuration"},
    };
    for (const auto& row : rows) {
        INFO(row.text);
        const auto url = parse_url(row.text);
        REQUIRE(url.has_error());
        CHECK(url.error().code == Code::invalid_value);
        CHECK_THAT(url.error().message, Catch::Contains(row.cause));
        CHECK_THAT(url.error().message, Catch::Contains("https://host"));
        CHECK_THAT(url.error().message, !Catch::Contains("secret"));
    }
    CHECK(parse_url("http://host/" + std::string(9000, 'a')).has_error());
    CHECK(parse_url("http://" + std::string(300, 'a')).has_error());
}

TEST_CASE("Percent-encoding leaves only unreserved characters as they are")
{
    CHECK(net::percent_encode("AZaz09-._~") == "AZaz09-._~");
    CHECK(net::percent_encode("a b/c?d&e=f+%") == "a%20b%2Fc%3Fd%26e%3Df%2B%25");
    CHECK(net::percent_encode("\xed\x95\x9c") == "%ED%95%9C");
    CHECK(net::percent_encode(std::string_view("\0\x7f", 2)) == "%00%7F");
    CHECK(net::percent_encode("").empty());
}
