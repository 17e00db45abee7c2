#include "worker.hpp"

#include "local_source.hpp"
#include "role_settings.hpp"

#include "repartee/api/routes.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/upstream/fallback_source.hpp"
#include "repartee/upstream/pool.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <thread>

namespace repartee::app {
namespace {

upstream::Endpoint endpoint_of(const Config& config, const Config::RealtimeService& service)
{
    upstream::Endpoint endpoint;
    endpoint.url = net::parse_url(service.url).value();  // checked with the configuration
    endpoint.api_key = service.api_key;
    endpoint.organization = service.organization;
    endpoint.project = service.project;
    endpoint.connect_limit = milliseconds(config.realtime.connect_limit_ms);
    endpoint.limits.message_bytes_max = static_cast<std::size_t>(config.realtime.message_bytes_max);
    endpoint.limits.ping_interval = milliseconds(config.limits.ping_interval_ms);
    endpoint.limits.idle_limit = milliseconds(config.limits.idle_limit_ms);
    endpoint.limits.write_limit = milliseconds(config.limits.write_limit_ms);
    return endpoint;
}

/// Of this worker: the configured number is the process's, and the first workers get one more where it does not divide.
int warm_connections(const Config::Realtime& realtime, int index, int workers)
{
    return static_cast<int>(realtime.warm_connections / workers + (index < realtime.warm_connections % workers ? 1 : 0));
}

upstream::PoolSettings pool_settings(const Config::Realtime& realtime, std::string model, int warm_connections)
{
    upstream::PoolSettings settings;
    settings.model = std::move(model);
    settings.warm_connections = warm_connections;
    settings.warm_age = milliseconds(realtime.warm_age_ms);
    settings.breaker = {milliseconds(realtime.backoff_min_ms), milliseconds(realtime.backoff_max_ms), static_cast<int>(realtime.breaker_failures),
                        milliseconds(realtime.breaker_open_ms)};
    return settings;
}

net::HttpLimits http_limits(const Config& config)
{
    net::HttpLimits limits;
    limits.header_bytes_max = static_cast<std::size_t>(config.server.header_bytes_max);
    limits.body_bytes_max = static_cast<std::size_t>(config.server.body_bytes_max);
    limits.header_limit = milliseconds(config.server.header_limit_ms);
    limits.body_limit = milliseconds(config.server.body_limit_ms);
    limits.keep_alive_limit = milliseconds(config.server.keep_alive_limit_ms);
    limits.write_limit = milliseconds(config.limits.write_limit_ms);
    return limits;
}

struct ConnectionCount {
    explicit ConnectionCount(Metrics& metrics) : active(metrics.connections_active) { active.add(1); }
    ~ConnectionCount() { active.add(-1); }
    ConnectionCount(const ConnectionCount&) = delete;
    ConnectionCount& operator=(const ConnectionCount&) = delete;
    Gauge& active;
};

// Beyond the cap a few more are let in to be told so; the rest is closed unheard.
constexpr std::int64_t refusals_at_once = 64;

constexpr milliseconds stop_limit{2'000};

}  // namespace

Worker::Worker(const WorkerParts& parts)
    : shared_(parts.shared),
      connections_max_(parts.config.server.connections_max),
      coalesce_(parts.config.relay.coalesce_us),
      http_client_(context_.get_executor(), parts.http, parts.shared.metrics),
      decoder_(decode_settings(parts.config))
{
    http_limits_ = http_limits(parts.config);
    http_limits_.body_gate = api::upload_gate(shared_);
    handler_ = [this](net::Request request) { return api::handle(*services_, std::move(request)); };
    refusing_handler_ = [this](net::Request) { return api::refuse_connection(shared_); };
}

Result<std::unique_ptr<Worker>> Worker::create(const WorkerParts& parts, int index)
{
    std::unique_ptr<Worker> worker(new Worker(parts));
    auto roles = providers::create_roles(parts.chains, {worker->http_client_, worker->decoder_, parts.shared.metrics});
    if (!roles) return roles.error();
    worker->roles_ = std::move(*roles);
    if (const auto made = worker->make_source(parts, index); !made) return made.error();
    worker->services_ = std::make_unique<api::Services>(api::Services{parts.shared, *worker->source_, worker->registry_, worker->roles_});
    return worker;
}

Result<void> Worker::make_source(const WorkerParts& parts, int index)
{
    const Config& config = parts.config;
    Metrics& metrics = parts.shared.metrics;
    std::vector<upstream::NamedSource> sources;
    for (Config::RealtimeService& service : config.realtime_services()) {
        auto tls = parts.upstream_tls;
        if (service.ca_file != config.realtime.ca_file) {
            const auto other = parts.client_tls->trusting(service.ca_file);
            if (!other) return other.error();
            tls = *other;
        }
        // Only the first has sessions opened ahead: nobody pays for those behind it while it is well.
        const int warm = sources.empty() ? warm_connections(config.realtime, index, parts.workers) : 0;
        auto pool = std::make_unique<upstream::Pool>(context_.get_executor(), endpoint_of(config, service),
                                                     pool_settings(config.realtime, service.model, warm), std::move(tls), metrics);
        pool->start();
        sources.push_back({std::move(service.section), std::move(pool), service.names_model});
    }
    if (sources.empty() || config.recovery.local_last)
        sources.push_back({"local", local_source(config, context_.get_executor(), roles_, parts.chains, metrics), !sources.empty()});
    upstream::FallbackSettings settings;
    settings.cooldown = milliseconds(config.realtime.breaker_open_ms);
    source_ = std::make_unique<upstream::FallbackSource>(std::move(sources), settings, metrics);
    return {};
}

void Worker::serve(int native_socket, const net::TlsContext* tls)
{
    asio::post(context_, [this, native_socket, tls] { asio::co_spawn(context_, serve_connection(native_socket, tls), asio::detached); });
}

awaitable<void> Worker::serve_connection(int native_socket, const net::TlsContext* tls)
{
    Metrics& metrics = shared_.metrics;
    auto stream = net::ByteStream::adopt_tcp(context_.get_executor(), native_socket);
    const std::int64_t others = metrics.connections_active.value();
    if (others >= connections_max_) {
        metrics.connections_refused.add();
        if (others >= connections_max_ + refusals_at_once) co_return;
    }
    metrics.connections_total.add();
    // With the connection, which may end on another worker than this one.
    stream.keep(std::make_shared<ConnectionCount>(metrics));
    if (tls) {
        const auto secured = co_await stream.tls_handshake_as_server(*tls, http_limits_.header_limit);
        if (!secured) {
            log::debug("tls.refused", {{"peer", stream.remote_address()}, {"message", secured.error().message}});
            co_return;
        }
    }
    const net::Handler& handler = others >= connections_max_ ? refusing_handler_ : handler_;
    co_await net::serve_http(std::move(stream), handler, http_limits_);
}

void Worker::run()
{
    if (coalesce_.count() == 0) {
        context_.run();
        return;
    }
    while (context_.run_one() > 0) {
        std::this_thread::sleep_for(coalesce_);
        context_.poll();
    }
}

void Worker::drain()
{
    asio::post(context_, [this] { registry_.drain(); });
}

void Worker::stop()
{
    asio::post(context_, [this] { asio::co_spawn(context_, finish(), asio::detached); });
}

awaitable<void> Worker::finish()
{
    // An upstream that is being connected to just now is not waited for.
    const net::Deadline limit(context_.get_executor(), stop_limit, [this] { context_.stop(); });
    co_await source_->stop();
    context_.stop();
}

}  // namespace repartee::app
