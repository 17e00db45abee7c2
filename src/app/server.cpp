#include "repartee/app/server.hpp"

#include "api_settings.hpp"
#include "casting.hpp"
#include "role_settings.hpp"
#include "worker.hpp"

#include "repartee/app/character_loader.hpp"
#include "repartee/base/log.hpp"
#include "repartee/base/version.hpp"
#include "repartee/net/listener.hpp"
#include "repartee/net/signal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace repartee::app {
namespace {

constexpr milliseconds drain_poll{50};
constexpr std::chrono::hours prune_interval{1};

log::Level level_of(const std::string& word)
{
    if (word == "debug") return log::Level::debug;
    if (word == "warn") return log::Level::warn;
    if (word == "error") return log::Level::error;
    if (word == "off") return log::Level::off;
    return log::Level::info;
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
    explicit Server(const Config& config) : config_(config), unknown_providers_(config) { shared_.settings = api_settings(config); }
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    Result<void> start();
    void run();

private:
    awaitable<void> accept(net::Listener& listener, const net::TlsContext* tls);
    awaitable<void> watch_signals();
    awaitable<void> drain();
    awaitable<void> prune_memory();
    Result<void> start_workers();
    Result<void> check_characters() const;
    void open_memory();
    void open_archive();
    awaitable<void> wait_for_force(std::shared_ptr<bool> forced);
    Result<void> listen(const std::string& where, std::shared_ptr<const net::TlsContext> tls);
    void announce() const;

    struct Door {
        net::Listener listener;
        std::shared_ptr<const net::TlsContext> tls;
    };

    const Config& config_;
    api::Shared shared_;
    UnknownProviders unknown_providers_;
    std::optional<store::Database> database_;
    std::optional<store::MemoryRepository> memory_repository_;
    std::optional<CharacterReloader> reloader_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::unique_ptr<Door>> doors_;
    std::optional<asio::signal_set> signals_;  ///< from before the server says that it listens: who reads that may already send one
    std::size_t next_worker_ = 0;
};

Result<void> Server::start()
{
    const CharacterSources sources{config_.characters.dir};
    auto database = store::Database::open(config_.server.data_dir + "/repartee.db");
    if (!database) return database.error();
    database_.emplace(std::move(*database));
    const std::uint64_t stamp = sources.stamp(*database_);
    if (const auto loaded = load_characters(sources.directory, *database_, shared_.catalogue); !loaded) return loaded;
    if (const auto known = check_characters(); !known) return known;
    unknown_providers_.tell(shared_.catalogue.snapshot()->all());
    open_memory();
    open_archive();
    if (const auto started = start_workers(); !started) return started;

    if (const auto open = listen(config_.server.listen, nullptr); !open) return open;
    if (!config_.server.tls_listen.empty()) {
        auto tls = server_tls(config_);
        if (!tls) return tls.error();
        if (const auto open = listen(config_.server.tls_listen, std::move(*tls)); !open) return open;
    }
    signals_.emplace(workers_.front()->context(), SIGINT, SIGTERM, SIGHUP);
    reloader_.emplace(sources, milliseconds(config_.characters.reload_interval_ms), stamp, *database_, shared_.catalogue,
                      [this] { unknown_providers_.tell(shared_.catalogue.snapshot()->all()); });
    return {};
}

Result<void> Server::check_characters() const
{
    const struct {
        std::string_view setting;
        const std::string& character;
    } named[] = {{"conversation.default_character", config_.conversation.default_character},
                 {"interview.character", config_.interview.character},
                 {"voice_chat.character", config_.voice_chat.character}};
    for (const auto& [setting, character] : named)
        if (!character.empty() && !shared_.catalogue.snapshot()->find(character))
            return Error{Code::not_found, fmt::format("{} names '{}', which is not among the characters.", setting, character)};
    return {};
}

void Server::open_memory()
{
    const Config::Memory& c = config_.memory;
    store::MemoryLimits limits;
    limits.sessions_max = c.sessions_max;
    limits.turns_max = c.turns_max;
    limits.age_days_max = c.age_days_max;
    limits.recording_bytes_max = c.recording_bytes_max;
    memory_repository_.emplace(*database_, limits, &shared_.metrics.memory_writes_dropped_total);
    memory_repository_->prune();
    voice::MemorySettings memory;
    memory.turns_max = static_cast<std::size_t>(c.turns_in_context);
    shared_.memory = std::make_unique<voice::Memory>(*memory_repository_, memory);
    shared_.interviews = std::make_unique<voice::InterviewBook>(*memory_repository_, static_cast<std::size_t>(config_.interview.sessions_max));
    if (config_.listen.debug)
        shared_.debug_recordings =
            std::make_unique<voice::DebugRecordings>(config_.server.data_dir, static_cast<std::size_t>(config_.listen.debug_files_max));
}

void Server::open_archive()
{
    const Config::Transcripts& transcripts = config_.transcripts;
    const Config::Recording& recording = config_.recording;
    if (!transcripts.enabled && !recording.enabled) return;
    relay::ArchiveSettings settings;
    settings.lines = transcripts.enabled;
    settings.transcripts.sessions_max = transcripts.sessions_max;
    settings.transcripts.lines_max = transcripts.lines_max;
    settings.transcripts.age_days_max = transcripts.age_days_max;
    if (recording.enabled) settings.recordings_folder = config_.server.data_dir + "/recordings";
    settings.recordings.file_bytes_max = recording.file_bytes_max;
    settings.recordings.total_bytes_max = recording.total_bytes_max;
    settings.recordings.age_days_max = recording.age_days_max;
    shared_.archive = std::make_unique<relay::Archive>(*database_, std::move(settings), shared_.metrics);
}

Result<void> Server::start_workers()
{
    const auto environment = [](const char* name) -> const char* { return std::getenv(name); };
    WorkerParts parts{config_, shared_, nullptr, {}, http_client_settings(config_, environment)};
    if (shared_.settings.upstream == "openai") {
        auto context = net::TlsContext::client(config_.realtime.ca_file);
        if (!context) return context.error();
        parts.upstream_tls = std::make_shared<const net::TlsContext>(std::move(*context));
    }
    auto chains = role_settings(config_);
    if (!chains) return chains.error();
    parts.chains = std::move(*chains);
    if (const auto& voices = parts.chains.tts.front().voices)
        for (const providers::Voice& voice : voices->all()) shared_.settings.voice_ids.push_back(voice.id);
    const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    parts.workers = config_.server.threads > 0 ? static_cast<int>(config_.server.threads) : std::min(cores, 4);
    for (int i = 0; i < parts.workers; ++i) {
        auto worker = Worker::create(parts, i);
        if (!worker) return worker.error();
        workers_.push_back(std::move(*worker));
    }
    return {};
}

Server::~Server()
{
    // The database's answers go to event loops: none may come when those are gone. And sessions, which the loops hold, use the memory.
    if (shared_.memory) shared_.memory->stop();
    if (shared_.interviews) shared_.interviews->stop();
    if (shared_.archive) shared_.archive->stop();
    reloader_.reset();
    signals_.reset();
    doors_.clear();
    workers_.clear();
    shared_.debug_recordings.reset();
    shared_.archive.reset();
    shared_.interviews.reset();
    shared_.memory.reset();
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
        fmt::print("Repartee {} listens on {}://{}:{}/\n", version, door->tls ? "https" : "http", host, door->listener.port());
    }
    const bool prepared = speaks_prepared_lines(config_), local = shared_.settings.upstream == "local";
    if (!local) fmt::print("Conversations go to {} with model {}.\n", config_.realtime.url, shared_.settings.model);
    if (const std::string successors = successors_text(config_); !successors.empty()) fmt::print("When it cannot be had: {}.\n", successors);
    if (local && prepared && config_.llm.api_key.empty())
        fmt::print("No AI service is configured: characters speak prepared lines. Set OPENAI_API_KEY to let them think.\n");
    else if (prepared && config_.llm.provider == "auto" && config_.llm.model.empty())
        fmt::print("llm.model is not set: {} speak prepared lines. Name a chat model to let them think.\n",
                   local ? "characters" : "voice chat and interviews");
    fmt::print("Hears: {}. Thinks: {}. Speaks: {}.\n", chain_text(config_, "stt"), chain_text(config_, "llm"), chain_text(config_, "tts"));
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

awaitable<void> Server::prune_memory()
{
    auto executor = co_await asio::this_coro::executor;
    net::Signal pause(executor);
    for (;;) {
        const Instant later = std::chrono::steady_clock::now() + prune_interval;
        co_await pause.wait_until(later);
        memory_repository_->prune();
        if (shared_.archive) shared_.archive->prune();
    }
}

void Server::run()
{
    asio::io_context& context = workers_.front()->context();
    for (const auto& door : doors_) asio::co_spawn(context, accept(door->listener, door->tls.get()), asio::detached);
    asio::co_spawn(context, watch_signals(), asio::detached);
    asio::co_spawn(context, prune_memory(), asio::detached);
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
