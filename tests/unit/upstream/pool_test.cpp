#include "repartee/upstream/pool.hpp"

#include "../../support/run_coroutine.hpp"
#include "repartee/net/http_server.hpp"
#include "repartee/net/listener.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <catch2/catch.hpp>

#include <map>

using namespace repartee;
using namespace repartee::upstream;
using namespace std::chrono_literals;
using testing::run_coroutine;

namespace {

/// A Realtime service of few words on a loopback port: greets, and keeps the connection until it is told otherwise.
class Service {
public:
    explicit Service(asio::any_io_executor executor) : executor_(executor), listener_(net::Listener::bind(executor, {"127.0.0.1", 0}).value())
    {
        handler_ = [this](net::Request) -> awaitable<net::Reply> {
            net::Upgrade upgrade;
            upgrade.run = [this](net::WebSocket socket) { return serve(std::move(socket)); };
            co_return net::Reply(std::move(upgrade));
        };
        asio::co_spawn(executor_, accept(), asio::detached);
    }

    Endpoint endpoint() const
    {
        Endpoint endpoint;
        endpoint.url = net::parse_url("ws://127.0.0.1:" + std::to_string(listener_.port()) + "/v1/realtime").value();
        return endpoint;
    }
    void close() { listener_.close(); }
    int connections() const { return static_cast<int>(sockets_.size()); }
    net::WebSocket& socket(int number) { return *sockets_.at(number); }

private:
    awaitable<void> accept()
    {
        for (;;) {
            const auto native = co_await listener_.accept();
            if (!native) co_return;
            auto stream = net::ByteStream::adopt_tcp(executor_, *native);
            asio::co_spawn(executor_, net::serve_http(std::move(stream), handler_, net::HttpLimits()), asio::detached);
        }
    }

    awaitable<void> serve(net::WebSocket connected)
    {
        const int number = connections();
        const auto kept = sockets_[number] = std::make_shared<net::WebSocket>(std::move(connected));
        const std::string hello = R"({"type":"session.created","event_id":"e","session":{"id":"sess_)" + std::to_string(number) + R"("}})";
        co_await kept->write_text(hello);
        for (;;) {
            const auto message = co_await kept->read();
            if (!message) co_return;
        }
    }

    asio::any_io_executor executor_;
    net::Listener listener_;
    net::Handler handler_;
    std::map<int, std::shared_ptr<net::WebSocket>> sockets_;
};

awaitable<void> pause(milliseconds time)
{
    auto executor = co_await asio::this_coro::executor;
    net::Signal never(executor);
    const Instant until = std::chrono::steady_clock::now() + time;
    co_await never.wait_until(until);
}

awaitable<void> until_warm(const Metrics& metrics, std::int64_t count)
{
    for (int i = 0; i < 400 && metrics.upstream_warm.value() != count; ++i) co_await pause(5ms);
    CHECK(metrics.upstream_warm.value() == count);
}

PoolSettings settings_of(int warm, milliseconds age)
{
    PoolSettings settings;
    settings.model = "m";
    settings.warm_connections = warm;
    settings.warm_age = age;
    return settings;
}

/// A pool and its service on one event loop. `Scene` gets both, and what is counted.
template <class Scene>
void play(int warm, milliseconds warm_age, Scene scene)
{
    Metrics metrics;
    const auto whole = [&]() -> awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        Service service(executor);
        Pool pool(executor, service.endpoint(), settings_of(warm, warm_age), nullptr, metrics);
        pool.start();
        co_await until_warm(metrics, warm);
        co_await scene(pool, service, metrics);
        co_await pool.stop();
        CHECK(metrics.upstream_warm.value() == 0);
    };
    run_coroutine(whole());
}

}  // namespace

TEST_CASE("a session opened ahead is handed out with its age")
{
    play(1, 60'000ms, [](Pool& pool, Service&, Metrics&) -> awaitable<void> {
        co_await pause(30ms);
        const auto lease = co_await pool.lease(LeaseRequest());
        REQUIRE(lease.has_value());
        CHECK(lease->warm);
        CHECK(lease->age >= 30ms);
        CHECK(lease->age < 10'000ms);
        CHECK_THAT(lease->session_created, Catch::Contains("sess_0"));
        co_await lease->upstream->close();
    });
}

TEST_CASE("a session whose end has come, but that nobody has read yet, is not handed out")
{
    enum class End { reset, close_frame, error_event };
    for (const End end : {End::reset, End::close_frame, End::error_event}) {
        CAPTURE(static_cast<int>(end));
        play(1, 60'000ms, [end](Pool& pool, Service& service, Metrics& metrics) -> awaitable<void> {
            net::WebSocket& far = service.socket(0);
            // No turn of the event loop between this and the lease: the bytes are in the socket, the pool has not seen them.
            if (end == End::reset) far.abort();
            auto executor = co_await asio::this_coro::executor;
            if (end == End::close_frame) asio::co_spawn(executor, far.close(1001, "maintenance"), asio::detached);
            if (end == End::error_event) (void)far.send_text(R"({"type":"error","error":{"code":"session_expired"}})");
            const auto lease = co_await pool.lease(LeaseRequest());
            REQUIRE(lease.has_value());
            CHECK_FALSE(lease->warm);
            CHECK(lease->age == 0ms);
            CHECK_THAT(lease->session_created, Catch::Contains("sess_1"));
            CHECK(metrics.upstream_lease_warm.value() == 0);
            co_await lease->upstream->close();
        });
    }
}

TEST_CASE("of several the dead ones are passed over, and an event that means nothing kills none")
{
    play(3, 60'000ms, [](Pool& pool, Service& service, Metrics&) -> awaitable<void> {
        service.socket(0).abort();
        service.socket(1).abort();
        (void)service.socket(2).send_text(R"({"type":"rate_limits.updated","rate_limits":[]})");
        const auto lease = co_await pool.lease(LeaseRequest());
        REQUIRE(lease.has_value());
        CHECK(lease->warm);
        CHECK_THAT(lease->session_created, Catch::Contains("sess_2"));
        co_await lease->upstream->close();
    });
}

TEST_CASE("one that is too old is replaced ahead of need, and never handed out")
{
    play(1, 1'000ms, [](Pool& pool, Service& service, Metrics&) -> awaitable<void> {
        for (int i = 0; i < 400 && service.connections() < 2; ++i) co_await pause(5ms);
        co_await pause(50ms);
        const auto lease = co_await pool.lease(LeaseRequest());
        REQUIRE(lease.has_value());
        CHECK(lease->age < 1'000ms);
        CHECK_THAT(lease->session_created, !Catch::Contains("sess_0"));
        co_await lease->upstream->close();
    });
}

TEST_CASE("who wants a young session is not given an old one")
{
    play(1, 60'000ms, [](Pool& pool, Service&, Metrics&) -> awaitable<void> {
        co_await pause(30ms);
        LeaseRequest young;
        young.age_max = 20ms;
        const auto lease = co_await pool.lease(young);
        REQUIRE(lease.has_value());
        CHECK_FALSE(lease->warm);
        CHECK_THAT(lease->session_created, !Catch::Contains("sess_0"));
        co_await lease->upstream->close();
    });
}

TEST_CASE("while a service is known to be down only those who have lost their session knock, and not all of them")
{
    Metrics metrics;
    const auto whole = [&]() -> awaitable<void> {
        auto executor = co_await asio::this_coro::executor;
        Endpoint nowhere;
        {
            Service service(executor);
            nowhere = service.endpoint();
            service.close();
            co_await pause(20ms);
        }
        PoolSettings settings = settings_of(0, 60'000ms);
        settings.breaker = {200ms, 1'000ms, 1, 60'000ms};
        Pool pool(executor, nowhere, settings, nullptr, metrics);
        LeaseRequest recovering;
        recovering.recovers = true;
        for (int i = 0; i < 5; ++i) {
            const auto lease = co_await pool.lease(LeaseRequest());
            CHECK(lease.has_error());
        }
        CHECK(metrics.upstream_connects_total.value() == 1);  // then the breaker was open
        for (int i = 0; i < 5; ++i) {
            const auto lease = co_await pool.lease(recovering);
            CHECK(lease.has_error());
        }
        CHECK(metrics.upstream_connects_total.value() == 2);
        co_await pause(210ms);
        const auto lease = co_await pool.lease(recovering);
        CHECK(lease.error().code == Code::upstream_unavailable);
        CHECK(metrics.upstream_connects_total.value() == 3);
        co_await pool.stop();
    };
    run_coroutine(whole());
}
