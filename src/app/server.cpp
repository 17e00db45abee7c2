#include "repartee/app/server.hpp"

#include "worker.hpp"

#include "repartee/app/character_loader.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/listener.hpp"
#include "repartee/net/signal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <thread>

namespace repartee::app {
namespace {

constexpr milliseconds drain_poll{50};

log::Level level_of(const std::string& word)
{
    if (word == "debug") return log::Level::debug;
    if (word == "warn") return log::Level::warn;
    if (word == "error") return log::Level::error;
    if (word == "off") return log::Level::off;
    return log::Level::info;
}

std::vector<std::string> split(const std::string& list)
{
    std::vector<std::string> parts;
    std::string part;
    for (const char c : list + ",") {
        if (c == ',') {
            if (!part.empty()) parts.push_back(std::move(part));
            part.clear();
        } else if (c != ' ') {
            part += c;
        }
    }
    return parts;
}

conversation::SessionSettings session_defaults(const Config& config)
{
    conversation::SessionSettings session;
    session.transcription_model = config.realtime.transcription_model;
    session.noise_reduction = config.realtime.noise_reduction;
    session.turn_detection = config.turn_detection();
    session.output_tokens_max = config.realtime.output_tokens_max;
    session.input_hz = static_cast<int>(config.conversation.input_rate_hz);
    session.greeting = config.conversation.greeting;
    session.uplink_bytes = audio::bytes_of_ms(config.limits.uplink_buffer_ms, audio::realtime_hz);
    session.uplink_events_max = static_cast<std::size_t>(config.limits.pending_events_max);
    session.downlink.output_hz = static_cast<int>(config.conversation.output_rate_hz);
    session.downlink.capacity_bytes = audio::bytes_of_ms(config.limits.downlink_buffer_ms, audio::realtime_hz);
    session.events_bytes_max = session.downlink.events_bytes_max = static_cast<std::size_t>(config.limits.unsent_bytes_max);
    session.downlink.events_max = static_cast<std::size_t>(config.limits.pending_events_max);
    return session;
}

api::Settings api_settings(const Config& config)
{
    api::Settings settings;
    settings.version = REPARTEE_VERSION;
    settings.model = config.effective_model();
    settings.upstream = config.effective_upstream();
    settings.api_keys = split(config.server.api_keys);
    settings.allowed_origins = split(config.server.allowed_origins);
    settings.default_character = config.conversation.default_character;
    settings.audio_dir = config.server.data_dir + "/audio";
    settings.sessions_max = config.server.sessions_max;
    settings.session_limit = milliseconds(config.realtime.session_limit_ms);
    settings.session = session_defaults(config);
    settings.lead = milliseconds(config.conversation.lead_ms);
    net::WebSocketLimits socket;
    socket.ping_interval = milliseconds(config.limits.ping_interval_ms);
    socket.idle_limit = milliseconds(config.limits.idle_limit_ms);
    socket.write_limit = milliseconds(config.limits.write_limit_ms);
    socket.message_bytes_max = static_cast<std::size_t>(config.limits.client_message_bytes_max);
    settings.conversation_socket = socket;
    socket.message_bytes_max = static_cast<std::size_t>(config.limits.client_event_bytes_max);
    settings.realtime_socket = socket;
    return settings;
}

Result<std::shared_ptr<const net::TlsContext>> server_tls(const Config& config)
{
    std::string certificate = config.server.tls_cert, key = config.server.tls_key;
    if (certificate.empty()) {
        const auto files = net::ensure_self_signed(config.server.data_dir + "/tls");
        if (!files) return files.error();
        certificate = files->certificate_file;
        key = files->key_file;
    }
    auto context = net::TlsContext::server(certificate, key);
    if (!context) return context.error();
    return std::make_shared<const net::TlsContext>(std::move(*context));
}

/// The long-lived parts, in order of construction.
class Server {
public:
    explicit Server(const Config& config) : config_(config) { shared_.settings = api_settings(config); }

    Result<void> start();
    void run();

private:
    awaitable<void> accept(net::Listener& listener, const net::TlsContext* tls);
    awaitable<void> watch_signals();
    awaitable<void> drain();
    awaitable<void> wait_for_force(std::shared_ptr<bool> forced);
    Result<void> listen(const std::string& where, std::shared_ptr<const net::TlsContext> tls);
    void announce() const;

    struct Door {
        net::Listener listener;
        std::shared_ptr<const net::TlsContext> tls;
    };

    const Config& config_;
    api::Shared shared_;
    std::optional<store::Database> database_;
    std::optional<CharacterReloader> reloader_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::unique_ptr<Door>> doors_;
    std::optional<asio::signal_set> signals_;  ///< from before the server says that it listens: who reads that may already send one
    std::size_t next_worker_ = 0;
};

Result<void> Server::start()
{
    const CharacterSources sources{config_.characters.dir, config_.server.data_dir + "/repartee.db"};
    auto database = store::Database::open(sources.database_file);
    if (!database) return database.error();
    database_.emplace(std::move(*database));
    const std::uint64_t stamp = sources.stamp();
    if (const auto loaded = load_characters(sources.directory, *database_, shared_.catalogue); !loaded) return loaded;
    const std::string& character = config_.conversation.default_character;
    if (!character.empty() && !shared_.catalogue.snapshot()->find(character))
        return Error{Code::not_found, "conversation.default_character names '" + character + "', which is not among the characters."};

    std::shared_ptr<const net::TlsContext> upstream_tls;
    if (shared_.settings.upstream == "openai") {
        auto context = net::TlsContext::client(config_.realtime.ca_file);
        if (!context) return context.error();
        upstream_tls = std::make_shared<const net::TlsContext>(std::move(*context));
    }
    const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    const int count = config_.server.threads > 0 ? static_cast<int>(config_.server.threads) : std::min(cores, 4);
    for (int i = 0; i < count; ++i) workers_.push_back(std::make_unique<Worker>(config_, i, count, shared_, upstream_tls));

    if (const auto open = listen(config_.server.listen, nullptr); !open) return open;
    if (!config_.server.tls_listen.empty()) {
        auto tls = server_tls(config_);
        if (!tls) return tls.error();
        if (const auto open = listen(config_.server.tls_listen, std::move(*tls)); !open) return open;
    }
    signals_.emplace(workers_.front()->context(), SIGINT, SIGTERM, SIGHUP);
    reloader_.emplace(sources, milliseconds(config_.characters.reload_interval_ms), stamp, *database_, shared_.catalogue);
    return {};
}

Result<void> Server::listen(const std::string& where, std::shared_ptr<const net::TlsContext> tls)
{
    const auto address = net::parse_host_port(where);
    if (!address) return address.error();
    auto listener = net::Listener::bind(workers_.front()->context().get_executor(), *address);
    if (!listener) return listener.error();
    doors_.push_back(std::make_unique<Door>(Door{std::move(*listener), std::move(tls)}));
    return {};
}

void Server::announce() const
{
    for (const auto& door : doors_) {
        const std::string& configured = door->tls ? config_.server.tls_listen : config_.server.listen;
        std::string host = configured.substr(0, configured.rfind(':'));
        if (host == "0.0.0.0" || host == "[::]") host = "localhost";
        fmt::print("Repartee {} listens on {}://{}:{}/\n", REPARTEE_VERSION, door->tls ? "https" : "http", host, door->listener.port());
    }
    if (shared_.settings.upstream == "local")
        fmt::print("No AI service is configured: characters speak prepared lines. Set OPENAI_API_KEY to let them think.\n");
    else
        fmt::print("Conversations go to {} with model {}.\n", config_.realtime.url, shared_.settings.model);
    std::fflush(stdout);
}

awaitable<void> Server::accept(net::Listener& listener, const net::TlsContext* tls)
{
    for (;;) {
        const auto socket = co_await listener.accept();
        if (!socket) co_return;
        workers_[next_worker_++ % workers_.size()]->serve(*socket, tls);
    }
}

awaitable<void> Server::watch_signals()
{
    for (;;) {
        const int number = co_await signals_->async_wait(asio::use_awaitable);
        if (number != SIGHUP) break;
        log::info("characters.reload_asked");
        reloader_->reload_now();
    }
    co_await drain();
    for (const auto& door : doors_) door->listener.close();
    for (const auto& worker : workers_) worker->stop();
}

awaitable<void> Server::wait_for_force(std::shared_ptr<bool> forced)
{
    for (;;) {
        const auto [error, number] = co_await signals_->async_wait(asio::as_tuple(asio::use_awaitable));
        if (error) co_return;
        if (number == SIGHUP) continue;
        *forced = true;
        co_return;
    }
}

awaitable<void> Server::drain()
{
    auto executor = co_await asio::this_coro::executor;
    log::info("server.draining", {{"sessions", shared_.sessions.load()}});
    shared_.draining = true;
    for (const auto& worker : workers_) worker->drain();
    const auto forced = std::make_shared<bool>(false);
    asio::co_spawn(executor, wait_for_force(forced), asio::detached);
    net::Signal pause(executor);
    const Instant limit = std::chrono::steady_clock::now() + milliseconds(config_.server.drain_limit_ms);
    while (shared_.sessions > 0 && !*forced && std::chrono::steady_clock::now() < limit) {
        const Instant later = std::chrono::steady_clock::now() + drain_poll;
        co_await pause.wait_until(later);
    }
    log::info("server.stopped", {{"sessions_cut", shared_.sessions.load()}, {"forced", *forced ? "yes" : "no"}});
}

void Server::run()
{
    asio::io_context& context = workers_.front()->context();
    for (const auto& door : doors_) asio::co_spawn(context, accept(door->listener, door->tls.get()), asio::detached);
    asio::co_spawn(context, watch_signals(), asio::detached);
    announce();
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < workers_.size(); ++i) threads.emplace_back([worker = workers_[i].get()] { worker->run(); });
    workers_.front()->run();
    for (std::thread& thread : threads) thread.join();
}

}  // namespace

int run_server(const Config& config)
{
    std::signal(SIGPIPE, SIG_IGN);
    log::configure(level_of(config.log.level), config.log.format == "json");
    Server server(config);
    if (const auto started = server.start(); !started) {
        fmt::print(stderr, "repartee: {}\n", started.error().message);
        return 1;
    }
    server.run();
    return 0;
}

}  // namespace repartee::app
