#pragma once
#include "tls_context.hpp"
#include "upstream_session.hpp"

#include <memory>
#include <string>
#include <unordered_map>

namespace repartee::bench {

/// Listens and keeps the sessions.
class UpstreamServer final : private Watcher {
public:
    /// `tls` null: plain. `port` 0: any that is free. Throws when it cannot listen.
    UpstreamServer(EventLoop& loop, const std::string& address, int port, SSL_CTX* tls, const UpstreamConfig& config, UpstreamCounts& counts);
    ~UpstreamServer();

    int port() const { return port_; }
    void close_all();
    bool empty() const { return sessions_.empty(); }

private:
    void on_ready(std::uint32_t events) override;

    EventLoop& loop_;
    SSL_CTX* tls_;
    const UpstreamConfig& config_;
    UpstreamCounts& counts_;
    int fd_ = -1, port_ = 0;
    std::unordered_map<const UpstreamSession*, std::unique_ptr<UpstreamSession>> sessions_;
};

}  // namespace repartee::bench
