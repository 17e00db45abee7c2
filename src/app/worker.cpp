#include "worker.hpp"

#include "repartee/api/routes.hpp"
#include "repartee/base/log.hpp"
#include "repartee/engine/local_upstream.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/providers/create.hpp"
#include "repartee/upstream/pool.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <thread>

namespace repartee::app {
namespace {

upstream::Endpoint endpoint_of(const Config& config)
{
    upstream::Endpoint endpoint;
    endpoint.url = net::parse_url(config.realtime.url).value();  // checked with the configuration
    endpoint.api_key = config.realtime.api_key;
    endpoint.organization = config.realtime.organization;
    endpoint.project = config.realtime.project;
    endpoint.connect_limit = milliseconds(config.realtime.connect_limit_ms);
    endpoint.limits.message_bytes_max = static_cast<std::size_t>(config.realtime.message_bytes_max);
    endpoint.limits.ping_interval = milliseconds(config.limits.ping_interval_ms);
    endpoint.limits.idle_limit = milliseconds(config.limits.idle_limit_ms);
    endpoint.limits.write_limit = milliseconds(config.limits.write_limit_ms);
    return endpoint;
}

upstream::PoolSettings pool_settings(const Config& config, int index, int workers)
{
    const Config::Realtime& realtime = config.realtime;
    upstream::PoolSettings settings;
    settings.model = realtime.model;
    // The configured number is the process's: the first workers get one more where it does not divide.
    settings.warm_connections = static_cast<int>(realtime.warm_connections / workers + (index < realtime.warm_connections % workers ? 1 : 0));
    settings.warm_age = milliseconds(realtime.warm_age_ms);
    settings.breaker = {milliseconds(realtime.backoff_min_ms), milliseconds(realtime.backoff_max_ms), static_cast<int>(realtime.breaker_failures),
                        milliseconds(realtime.breaker_open_ms)};
    return settings;
}

std::unique_ptr<upstream::Source> local_source(const Config& config, asio::any_io_executor executor)
{
    engine::LocalSettings settings;
    settings.model = config.local.model;
    settings.reply_chars_max = static_cast<std::size_t>(config.local.reply_chars_max);
    settings.limits.items_max = static_cast<std::size_t>(config.local.items_max);
    settings.limits.input_buffer_ms_max = static_cast<std::size_t>(config.local.input_buffer_ms);

    providers::TtsSettings tts_settings;
    tts_settings.espeak_program = config.local.espeak_program;
    tts_settings.limit = milliseconds(config.local.speech_limit_ms);
    const std::shared_ptr<providers::TextToSpeech> tts = providers::create_tts(tts_settings).value();
    const std::shared_ptr<providers::SpeechToText> stt = providers::create_stt({}).value();
    auto make_roles = [tts, stt](const characters::Character* character) {
        providers::LlmSettings llm;
        engine::LocalRoles roles;
        if (character) {
            llm.script = {character->offline_lines, character->closing_line, character->language};
            roles.language = character->language;
            roles.pitch = character->embedded_voice.pitch;
            roles.speed = character->embedded_voice.speed;
        } else {
            llm.script.language = "en";
            roles.language = "en";
        }
        roles.stt = stt;
        roles.tts = tts;
        roles.llm = providers::create_llm(llm).value();
        return roles;
    };
    return std::make_unique<engine::LocalSource>(std::move(executor), settings, std::move(make_roles));
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

Worker::Worker(const Config& config, int index, int workers, api::Shared& shared, std::shared_ptr<const net::TlsContext> upstream_tls)
    : shared_(shared), connections_max_(config.server.connections_max), coalesce_(config.relay.coalesce_us)
{
    if (upstream_tls) {
        auto pool = std::make_unique<upstream::Pool>(context_.get_executor(), endpoint_of(config), pool_settings(config, index, workers),
                                                     std::move(upstream_tls), shared.metrics);
        pool->start();
        source_ = std::move(pool);
    } else {
        source_ = local_source(config, context_.get_executor());
    }
    services_ = std::make_unique<api::Services>(api::Services{shared, *source_, registry_});
    http_limits_.header_bytes_max = static_cast<std::size_t>(config.server.header_bytes_max);
    http_limits_.body_bytes_max = static_cast<std::size_t>(config.server.body_bytes_max);
    http_limits_.header_limit = milliseconds(config.server.header_limit_ms);
    http_limits_.body_limit = milliseconds(config.server.body_limit_ms);
    http_limits_.keep_alive_limit = milliseconds(config.server.keep_alive_limit_ms);
    http_limits_.write_limit = milliseconds(config.limits.write_limit_ms);
    handler_ = [this](net::Request request) { return api::handle(*services_, std::move(request)); };
    refusing_handler_ = [this](net::Request) { return api::refuse_connection(shared_); };
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
    const ConnectionCount counted(metrics);
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
