#pragma once
#include "client_tls.hpp"

#include "repartee/api/services.hpp"
#include "repartee/app/config.hpp"
#include "repartee/net/byte_stream.hpp"
#include "repartee/net/http_client.hpp"
#include "repartee/net/http_server.hpp"
#include "repartee/net/tls_context.hpp"
#include "repartee/providers/create.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>

namespace repartee::app {

/// What all workers are made from. `config` and `shared` outlive them.
struct WorkerParts {
    const Config& config;
    api::Shared& shared;
    std::shared_ptr<const net::TlsContext> upstream_tls;  ///< for realtime.ca_file; null: the engine built in
    providers::RoleSettings chains;
    net::HttpClientSettings http;
    int workers = 1;
    std::shared_ptr<ClientTls> client_tls = std::make_shared<ClientTls>();
};

/// One thread's world: an event loop, its upstream source, its providers, the sessions that live on it. A connection stays on its worker for ever, so
/// nothing of a session is locked.
class Worker {
public:
    /// The error names the setting that cannot be used.
    static Result<std::unique_ptr<Worker>> create(const WorkerParts& parts, int index);

    asio::io_context& context() { return context_; }
    /// Serves an accepted socket; may be called from any thread. `tls` null: plain.
    void serve(int native_socket, const net::TlsContext* tls);
    /// From any thread: ask all sessions to end when their replies are over.
    void drain();
    /// From any thread: close what is left, so that run() returns.
    void stop();
    void run();

private:
    explicit Worker(const WorkerParts& parts);
    Result<void> make_source(const WorkerParts& parts, int index);
    awaitable<void> serve_connection(int native_socket, const net::TlsContext* tls);
    awaitable<void> finish();

    api::Shared& shared_;
    net::HttpLimits http_limits_;
    std::int64_t connections_max_;
    std::chrono::microseconds coalesce_;
    relay::Registry registry_;  // before the context: what the context destroys with it may still sign out here
    asio::io_context context_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};  // its sockets and timers are this thread's alone; anybody may post
    // They go before the context, which destroys the coroutines that wait in them: those touch nothing of these any more.
    net::HttpClient http_client_;
    providers::AudioDecoder decoder_;
    providers::Roles roles_;
    std::unique_ptr<upstream::Source> source_;
    std::unique_ptr<api::Services> services_;
    net::Handler handler_, refusing_handler_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
};

}  // namespace repartee::app
