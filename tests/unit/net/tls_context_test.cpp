#include "repartee/net/tls_context.hpp"

#include "../../support/run_coroutine.hpp"
#include "repartee/net/listener.hpp"
#include "repartee/net/task_group.hpp"

#include <boost/asio/this_coro.hpp>
#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace repartee;
using namespace std::chrono_literals;
using net::ByteStream;
using net::Listener;
using net::TaskGroup;
using net::TlsContext;
using repartee::testing::run_coroutine;

namespace {

constexpr auto ample = 10s;

class Folder {
public:
    Folder()
    {
        char name[] = "/tmp/repartee-tls-XXXXXX";
        path_ = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

std::string content_of(const std::string& file)
{
    std::ifstream in(file);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

void overwrite(const std::string& file, const std::string& content) { std::ofstream(file, std::ios::trunc) << content; }

struct Outcome {
    std::optional<Error> error;  ///< the client's
    bool resumed = false;
};

struct Pair {
    ByteStream client, server;
    Pair(ByteStream c, ByteStream s) : client(std::move(c)), server(std::move(s)) {}
};

awaitable<Pair> tcp_pair(Listener& listener)
{
    auto client = co_await ByteStream::connect("127.0.0.1", std::to_string(listener.port()), ample);
    const auto accepted = co_await listener.accept();
    const auto executor = co_await asio::this_coro::executor;
    auto server = ByteStream::adopt_tcp(executor, accepted.value());
    co_return Pair(std::move(client.value()), std::move(server));
}

Listener free_listener(const asio::any_io_executor& executor)
{
    net::HostPort where;
    where.host = "127.0.0.1";
    return std::move(Listener::bind(executor, where).value());
}

/// A server that greets with one byte, after which the client has its session tickets.
awaitable<void> greet(ByteStream stream, const TlsContext& context)
{
    const auto secured = co_await stream.tls_handshake_as_server(context, ample);
    if (!secured) co_return;
    const auto written = co_await stream.write("!");
    if (!written) co_return;
    std::vector<std::byte> buffer(1);
    const auto end = co_await stream.read_some(buffer);
    static_cast<void>(end);
}

awaitable<void> handshake_and_be_greeted(ByteStream& client, const TlsContext& context, std::string host, Outcome& outcome)
{
    const auto secured = co_await client.tls_handshake_as_client(context, host, ample);
    if (!secured) {
        outcome.error = secured.error();
        co_return;
    }
    outcome.resumed = client.tls_resumed();
    std::vector<std::byte> buffer(1);
    const auto greeted = co_await client.read_some(buffer);
    if (!greeted) outcome.error = greeted.error();
}

/// One connection after another to the same server.
awaitable<std::vector<Outcome>> visit(const TlsContext& server, const TlsContext& client, std::vector<std::string> hosts)
{
    const auto executor = co_await asio::this_coro::executor;
    auto listener = free_listener(executor);
    std::vector<Outcome> outcomes;
    for (const auto& host : hosts) {
        auto pair = co_await tcp_pair(listener);
        TaskGroup group(executor, "server");
        group.spawn(greet(std::move(pair.server), server));
        Outcome outcome;
        co_await handshake_and_be_greeted(pair.client, client, host, outcome);
        pair.client.close();
        co_await group.wait_all();
        outcomes.push_back(outcome);
    }
    co_return outcomes;
}

struct Certified {
    Folder folder;
    net::SelfSignedFiles files = net::ensure_self_signed(folder.path()).value();
    TlsContext server = TlsContext::server(files.certificate_file, files.key_file).value();
};

}  // namespace

TEST_CASE("A certificate that the CA file vouches for is accepted for each of its names and addresses")
{
    const Certified ours;
    const auto client = TlsContext::client(ours.files.certificate_file).value();
    for (const auto& outcome : run_coroutine(visit(ours.server, client, {"localhost", "127.0.0.1", "::1"}))) {
        INFO((outcome.error ? outcome.error->message : ""));
        CHECK_FALSE(outcome.error);
        CHECK_FALSE(outcome.resumed);
    }
}

TEST_CASE("A certificate for another host is refused")
{
    const Certified ours;
    const auto client = TlsContext::client(ours.files.certificate_file).value();
    const auto outcomes = run_coroutine(visit(ours.server, client, {"example.com", "127.0.0.2", "localhost.example.com"}));
    const char* causes[] = {"hostname mismatch", "IP address mismatch", "hostname mismatch"};
    for (std::size_t i = 0; i < 3; ++i) {
        REQUIRE(outcomes[i].error);
        CHECK(outcomes[i].error->code == Code::tls);
        CHECK_THAT(outcomes[i].error->message, Catch::Contains(causes[i]));
    }
}

TEST_CASE("A certificate of an unknown CA is refused, with the mend")
{
    const Certified ours, another;
    for (const std::string& ca_file : {std::string(), another.files.certificate_file}) {
        const auto client = TlsContext::client(ca_file).value();
        const auto outcomes = run_coroutine(visit(ours.server, client, {"localhost"}));
        REQUIRE(outcomes[0].error);
        CHECK(outcomes[0].error->code == Code::tls);
        CHECK_THAT(outcomes[0].error->message, Catch::Contains("self-signed certificate") && Catch::Contains("ca_file"));
    }
}

TEST_CASE("Sessions are reused, for the same host only, also after a connection that ended abruptly")
{
    const Certified ours;
    const auto client = TlsContext::client(ours.files.certificate_file).value();
    const auto outcomes = run_coroutine(visit(ours.server, client, {"localhost", "localhost", "localhost", "127.0.0.1", "127.0.0.1"}));
    std::vector<bool> resumed;
    for (const auto& outcome : outcomes) {
        CHECK_FALSE(outcome.error);
        resumed.push_back(outcome.resumed);
    }
    CHECK(resumed == std::vector<bool>{false, true, true, false, true});
}

TEST_CASE("A session of one context is unknown to another")
{
    const Certified ours;
    for (int i = 0; i < 2; ++i) {
        const auto client = TlsContext::client(ours.files.certificate_file).value();
        const auto outcomes = run_coroutine(visit(ours.server, client, {"localhost"}));
        CHECK_FALSE(outcomes[0].error);
        CHECK_FALSE(outcomes[0].resumed);
    }
}

TEST_CASE("Workers on several threads share a client's and a server's context")
{
    const Certified ours;
    const auto client = TlsContext::client(ours.files.certificate_file).value();
    // One visit ahead: OpenSSL then looks into the CA certificate, and hands the result to other threads in a way that TSan cannot see.
    CHECK_FALSE(run_coroutine(visit(ours.server, client, {"localhost"})).front().error);
    const std::vector<std::string> hosts{"127.0.0.1", "localhost", "::1", "localhost", "127.0.0.1", "::1", "localhost", "127.0.0.1"};
    std::vector<std::vector<Outcome>> outcomes(4);
    std::vector<std::thread> workers;
    for (auto& mine : outcomes)
        workers.emplace_back([&] { mine = run_coroutine(visit(ours.server, client, hosts)); });
    for (auto& worker : workers) worker.join();
    for (const auto& mine : outcomes) {
        REQUIRE(mine.size() == hosts.size());
        for (const auto& outcome : mine) CHECK_FALSE(outcome.error);
        CHECK(mine.back().resumed);
    }
}

TEST_CASE("Streams outlive the context they were made with")
{
    const Certified ours;
    const auto body = [&]() -> awaitable<std::string> {
        const auto executor = co_await asio::this_coro::executor;
        auto listener = free_listener(executor);
        auto pair = co_await tcp_pair(listener);
        TaskGroup group(executor, "server");
        group.spawn(greet(std::move(pair.server), ours.server));
        std::optional<TlsContext> client(TlsContext::client(ours.files.certificate_file).value());
        const auto secured = co_await pair.client.tls_handshake_as_client(*client, "localhost", ample);
        CHECK(secured.has_value());
        client.reset();
        // With this read come the session tickets, for a cache whose context is gone.
        std::vector<std::byte> buffer(1);
        const auto greeted = co_await pair.client.read_some(buffer);
        pair.client.close();
        co_await group.wait_all();
        co_return std::string(reinterpret_cast<const char*>(buffer.data()), greeted.value());
    };
    CHECK(run_coroutine(body()) == "!");
}

namespace {

Task<> handshake(ByteStream& stream, const TlsContext& context, bool as_client, std::chrono::milliseconds limit)
{
    if (as_client) return stream.tls_handshake_as_client(context, "localhost", limit);
    return stream.tls_handshake_as_server(context, limit);
}

awaitable<Error> handshake_with(const TlsContext& context, bool as_client, std::string says, std::chrono::milliseconds limit)
{
    const auto executor = co_await asio::this_coro::executor;
    auto listener = free_listener(executor);
    auto pair = co_await tcp_pair(listener);
    if (!says.empty()) {
        const auto said = co_await pair.server.write(says);
        CHECK(said.has_value());
    }
    const auto secured = co_await handshake(pair.client, context, as_client, limit);
    CHECK_FALSE(pair.client.is_open());
    CHECK_FALSE(pair.client.is_tls());
    co_return secured.error();
}

}  // namespace

TEST_CASE("A handshake with a silent peer ends at its limit")
{
    const Certified ours;
    const auto client = TlsContext::client({}).value();
    const auto as_client = run_coroutine(handshake_with(client, true, "", 30ms));
    CHECK(as_client.code == Code::timeout);
    CHECK_THAT(as_client.message, Catch::Contains("localhost") && Catch::Contains("30 ms"));
    CHECK(run_coroutine(handshake_with(ours.server, false, "", 30ms)).code == Code::timeout);
}

TEST_CASE("A peer that does not speak TLS is told apart from a broken connection")
{
    const Certified ours;
    const auto client = TlsContext::client({}).value();
    CHECK(run_coroutine(handshake_with(client, true, "HTTP/1.1 400 Bad Request\r\n\r\n", ample)).code == Code::tls);
    CHECK(run_coroutine(handshake_with(ours.server, false, "GET / HTTP/1.1\r\n\r\n", ample)).code == Code::tls);
}

TEST_CASE("Unusable files are named with the cause")
{
    const Certified ours, another;
    const auto missing = ours.folder.path() + "/missing.pem";
    const auto client = TlsContext::client(missing);
    REQUIRE(client.has_error());
    CHECK(client.error().code == Code::tls);
    CHECK_THAT(client.error().message, Catch::Contains(missing));
    CHECK(TlsContext::server(missing, ours.files.key_file).has_error());
    CHECK(TlsContext::server(ours.files.certificate_file, missing).has_error());
    const auto mixed = TlsContext::server(ours.files.certificate_file, another.files.key_file);
    REQUIRE(mixed.has_error());
    CHECK_THAT(mixed.error().message, Catch::Contains(another.files.key_file) && Catch::Contains("mismatch"));
}

TEST_CASE("The self-signed pair is kept while it is good, and made anew when it is not")
{
    const Folder folder;
    const auto nested = folder.path() + "/data/tls";
    const auto files = net::ensure_self_signed(nested).value();
    CHECK(files.certificate_file == nested + "/cert.pem");
    CHECK(files.key_file == nested + "/key.pem");
    struct stat key_status {};
    REQUIRE(::stat(files.key_file.c_str(), &key_status) == 0);
    CHECK((key_status.st_mode & 0777) == 0600);

    const auto first = content_of(files.certificate_file);
    CHECK(net::ensure_self_signed(nested).has_value());
    CHECK(content_of(files.certificate_file) == first);

    const Certified another;
    overwrite(files.key_file, content_of(another.files.key_file));
    CHECK(net::ensure_self_signed(nested).has_value());
    const auto second = content_of(files.certificate_file);
    CHECK(second != first);

    for (const auto& broken : {files.certificate_file, files.key_file}) {
        overwrite(broken, "not PEM");
        CHECK(net::ensure_self_signed(nested).has_value());
        CHECK(TlsContext::server(files.certificate_file, files.key_file).has_value());
    }
    CHECK(std::distance(std::filesystem::directory_iterator(nested), {}) == 2);
}

TEST_CASE("A folder that cannot be written is named with the cause")
{
    const Folder folder;
    overwrite(folder.path() + "/file", "in the way");
    const auto files = net::ensure_self_signed(folder.path() + "/file");
    REQUIRE(files.has_error());
    CHECK(files.error().code == Code::storage);
    CHECK_THAT(files.error().message, Catch::Contains(folder.path() + "/file"));
}
