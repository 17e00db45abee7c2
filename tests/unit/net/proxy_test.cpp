#include "repartee/net/proxy.hpp"

#include "../../support/run_coroutine.hpp"
#include "repartee/net/http_client.hpp"
#include "scripted_server.hpp"

#include <catch2/catch.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <map>

using namespace repartee;
using namespace repartee::net;
using testing::peer_ends;
using testing::read_request;
using testing::run_coroutine;
using testing::ScriptedServer;
using testing::turns;
using Script = ScriptedServer::Script;

namespace {

Result<ProxyRules> rules_of(const std::map<std::string, std::string>& variables)
{
    return ProxyRules::from_environment([&](const char* name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    });
}

/// "host:port authorization", or "direct".
std::string choice_of(const ProxyRules& rules, std::string_view url)
{
    const auto proxy = rules.choose(parse_url(url).value());
    return proxy ? proxy->host + ":" + proxy->port + " " + proxy->authorization : "direct";
}

std::string chosen(const std::map<std::string, std::string>& variables, std::string_view url) { return choice_of(rules_of(variables).value(), url); }

/// Trusts itself, for one name that is not this machine's.
struct NamedTls {
    std::shared_ptr<const TlsContext> server, client;

    explicit NamedTls(const char* alternative_name)
    {
        char folder_name[] = "/tmp/repartee-proxy-XXXXXX";
        const std::string folder = ::mkdtemp(folder_name);
        EVP_PKEY* const key = EVP_EC_gen("P-256");
        X509* const certificate = X509_new();
        X509_set_version(certificate, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
        X509_set_pubkey(certificate, key);
        X509_EXTENSION* const names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, alternative_name);
        X509_add_ext(certificate, names, -1);
        X509_EXTENSION_free(names);
        X509_sign(certificate, key, EVP_sha256());
        const std::string certificate_file = folder + "/cert.pem", key_file = folder + "/key.pem";
        std::FILE* file = std::fopen(certificate_file.c_str(), "w");
        PEM_write_X509(file, certificate);
        std::fclose(file);
        file = std::fopen(key_file.c_str(), "w");
        PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
        std::fclose(file);
        X509_free(certificate);
        EVP_PKEY_free(key);
        server = std::make_shared<TlsContext>(TlsContext::server(certificate_file, key_file).value());
        client = std::make_shared<TlsContext>(TlsContext::client(certificate_file).value());
        std::filesystem::remove_all(folder);
    }
};

struct Outcome {
    Result<std::string> body = std::string();
    int connections = 0;
    std::uint64_t connects = 0;
};

/// Asks twice through a proxy with this script.
Outcome ask_through(Script script, std::string url, std::shared_ptr<const TlsContext> tls = nullptr)
{
    const auto test = [&]() -> awaitable<Outcome> {
        const auto executor = co_await asio::this_coro::executor;
        ScriptedServer proxy(executor, std::vector<Script>(1, script));
        HttpClientSettings settings;
        std::map<std::string, std::string> variables;
        variables["all_proxy"] = "http://user:p%40ss@127.0.0.1:" + proxy.port();
        settings.proxies = rules_of(variables).value();
        Metrics metrics;
        Outcome outcome;
        {
            HttpClient client(executor, settings, metrics);
            HttpTimes times;
            times.connect = std::chrono::milliseconds(400);
            for (int i = 0; i < 2; ++i) {
                HttpRequest request;
                request.url = parse_url(url).value();
                auto answer = co_await client.send(std::move(request), tls, times, std::stop_token());
                if (!answer) {
                    outcome.body = answer.error();
                    break;
                }
                auto body = co_await answer->read_all(1000);
                outcome.body = std::move(body);
            }
        }
        outcome.connections = proxy.accepted();
        outcome.connects = metrics.provider_connects_total.value();
        co_await proxy.end();
        co_return outcome;
    };
    return run_coroutine(test());
}

Script proxy_that_says(std::string answer)
{
    return [answer](ByteStream& stream) -> awaitable<void> {
        const std::string text = answer;
        const std::string request = co_await read_request(stream);
        co_await stream.write(text);
        co_await peer_ends(stream);
    };
}

const std::string auth = "Basic dXNlcjpwQHNz";

}  // namespace

TEST_CASE("The environment's variables are read as curl reads them")
{
    CHECK(chosen({}, "http://a.test/") == "direct");
    CHECK(chosen({{"http_proxy", "http://p:1"}}, "http://a.test/") == "p:1 ");
    CHECK(chosen({{"http_proxy", "http://p:1"}}, "https://a.test/") == "direct");
    CHECK(chosen({{"HTTP_PROXY", "http://p:1"}}, "http://a.test/") == "direct");
    CHECK(chosen({{"HTTPS_PROXY", "http://p:1/"}}, "https://a.test/") == "p:1 ");
    CHECK(chosen({{"https_proxy", "http://q:2"}, {"HTTPS_PROXY", "http://p:1"}}, "https://a.test/") == "q:2 ");
    CHECK(chosen({{"https_proxy", ""}, {"ALL_PROXY", "p:1"}}, "https://a.test/") == "p:1 ");
    CHECK(chosen({{"all_proxy", "p"}}, "http://a.test/") == "p:1080 ");
    CHECK(chosen({{"all_proxy", "HTTP://user:p%40ss@[::2]:8080"}}, "http://a.test/") == "::2:8080 " + auth);
    CHECK(chosen({{"all_proxy", "user:p@ss@p:1"}}, "http://a.test/") == "p:1 " + auth);
}

TEST_CASE("no_proxy and this machine are reached directly")
{
    struct Row {
        const char *no_proxy, *url;
        bool direct;
    };
    const Row rows[] = {
        {"", "http://localhost:11434/", true},
        {"", "http://127.8.8.8/", true},
        {"", "http://[::1]:9880/", true},
        {"", "http://127.evil.test/", false},
        {"", "http://a.test/", false},
        {"a.test", "http://a.test/", true},
        {"a.test", "http://x.a.test/", true},
        {".a.test", "http://a.test/", true},
        {"*.a.test", "http://x.a.test/", true},
        {"a.test", "http://ba.test/", false},
        {"A.Test", "http://a.test/", true},
        {"x, b.test  a.test", "http://a.test/", true},
        {"a.test:8080", "http://a.test:8080/", true},
        {"a.test:8080", "http://a.test/", false},
        {"10.0.0.1", "http://10.0.0.1/", true},
        {"[fd00::1]:80", "http://[fd00::1]/", true},
        {"fd00::1", "http://[fd00::1]/", true},
        {"*", "http://a.test/", true},
        {"., ,,", "http://a.test/", false},
        {"[", "http://a.test/", false},
    };
    for (const auto& row : rows) {
        CAPTURE(row.no_proxy, row.url);
        CHECK((chosen({{"all_proxy", "p:1"}, {"no_proxy", row.no_proxy}}, row.url) == "direct") == row.direct);
    }
    CHECK(chosen({{"all_proxy", "p:1"}, {"NO_PROXY", "a.test"}}, "http://a.test/") == "direct");
}

TEST_CASE("Proxies that are not understood are refused, without their password")
{
    for (const char* value : {"socks5://u:secret@p:1", "https://u:secret@p:1", "http://u:secret@", "http://u:secret@p:0", "http://u:secret@p x:1"}) {
        CAPTURE(value);
        const auto rules = rules_of({{"https_proxy", value}});
        REQUIRE(rules.has_error());
        CHECK(rules.error().code == Code::invalid_value);
        CHECK_THAT(rules.error().message, Catch::Contains("https_proxy") && !Catch::Contains("secret"));
    }
}

TEST_CASE("http goes to the proxy with the whole address, and the connection is kept")
{
    std::string seen;
    const Script script = [&](ByteStream& stream) -> awaitable<void> {
        for (int i = 0; i < 2; ++i) {
            seen = co_await read_request(stream);
            co_await stream.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
        co_await peer_ends(stream);
    };
    const auto outcome = ask_through(script, "http://voice.test:81/a?b");
    REQUIRE(outcome.body.has_value());
    CHECK(*outcome.body == "ok");
    CHECK(outcome.connections == 1);
    CHECK(seen == "GET http://voice.test:81/a?b HTTP/1.1\r\nHost: voice.test:81\r\nProxy-Authorization: " + auth + "\r\n\r\n");
}

TEST_CASE("https goes through a tunnel, and verifies the server behind it")
{
    const NamedTls right("DNS:voice.test"), wrong("DNS:other.test");
    const bool matches = GENERATE(true, false);
    const auto& tls = matches ? right : wrong;
    std::string connect, seen;
    const Script script = [&](ByteStream& stream) -> awaitable<void> {
        connect = co_await read_request(stream);
        co_await stream.write("HTTP/1.0 200 Connection established\r\n\r\n");
        const auto secured = co_await stream.tls_handshake_as_server(*tls.server, std::chrono::seconds(10));
        if (!secured) co_return;
        for (int i = 0; i < 2; ++i) {
            seen = co_await read_request(stream);
            if (seen.empty()) co_return;
            co_await stream.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
        co_await peer_ends(stream);
    };
    const auto outcome = ask_through(script, "https://voice.test/a", tls.client);
    CHECK(connect == "CONNECT voice.test:443 HTTP/1.1\r\nHost: voice.test:443\r\nProxy-Authorization: " + auth + "\r\n\r\n");
    if (matches) {
        REQUIRE(outcome.body.has_value());
        CHECK(*outcome.body == "ok");
        CHECK(outcome.connections == 1);
        CHECK(outcome.connects == 1);
        CHECK(seen == "GET /a HTTP/1.1\r\nHost: voice.test\r\n\r\n");
    } else {
        REQUIRE(outcome.body.has_error());
        CHECK(outcome.body.error().code == Code::tls);
    }
}

TEST_CASE("A proxy that refuses, babbles or is silent is named")
{
    struct Row {
        const char* answer;
        Code code;
        const char* message;
    };
    const Row rows[] = {
        {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno", Code::upstream_rejected, "https_proxy"},
        {"HTTP/1.1 503 Busy\r\n\r\n", Code::closed, "status 503"},
        {"HTTP/1.1 200 OK\r\n\r\nwelcome", Code::protocol, "bytes of its own"},
        {"220 smtp ready\r\n", Code::protocol, "malformed"},
        {"", Code::timeout, "400 ms"},
    };
    const NamedTls tls("DNS:voice.test");
    for (const auto& row : rows) {
        CAPTURE(row.answer);
        const auto outcome = ask_through(proxy_that_says(row.answer), "https://voice.test/a", tls.client);
        REQUIRE(outcome.body.has_error());
        CHECK(outcome.body.error().code == row.code);
        CHECK_THAT(outcome.body.error().message, Catch::Contains(row.message) && !Catch::Contains("dXNl") && !Catch::Contains("p@ss"));
    }
    const auto ended = ask_through([](ByteStream& stream) -> awaitable<void> { co_await read_request(stream); }, "https://voice.test/a", tls.client);
    CHECK(ended.body.error().code == Code::closed);
}
