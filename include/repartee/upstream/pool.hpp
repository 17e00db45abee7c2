#pragma once
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/upstream/breaker.hpp"
#include "repartee/upstream/websocket_upstream.hpp"

#include <list>

namespace repartee::upstream {

struct PoolSettings {
    std::string model;
    int warm_connections = 1;
    milliseconds warm_age{600'000};  ///< older idle ones are replaced: the service counts their idle time against its session limit
    BreakerSettings breaker;
};

/// Realtime sessions opened ahead of need, one pool a worker thread. start() keeps the warm ones; lease() hands one out without a handshake, or connects.
class Pool final : public Source {
public:
    Pool(asio::any_io_executor executor, Endpoint endpoint, PoolSettings settings, std::shared_ptr<const net::TlsContext> tls, Metrics& metrics);
    ~Pool() override;

    void start();
    Task<Lease> lease(LeaseRequest request) override;
    bool is_ready() const override;
    awaitable<void> stop() override;

private:
    struct Warm {
        explicit Warm(asio::any_io_executor executor) : released(executor) {}
        Opened opened;
        Instant opened_at{};
        bool leased = false;   ///< its keeper is to let go
        net::Signal released;  ///< the keeper has let go
    };

    awaitable<void> refill();
    awaitable<void> open_ahead();
    awaitable<void> keep(std::shared_ptr<Warm> warm);
    Task<Opened> open(std::string query);
    void drop(const std::shared_ptr<Warm>& warm);

    asio::any_io_executor executor_;
    Endpoint endpoint_;
    PoolSettings settings_;
    std::shared_ptr<const net::TlsContext> tls_;
    Metrics& metrics_;
    Breaker breaker_;
    std::list<std::shared_ptr<Warm>> warm_;
    int opening_ = 0;
    Instant refill_at_{};
    bool stopping_ = false;
    net::Signal changed_;
    net::TaskGroup tasks_;
};

}  // namespace repartee::upstream
