#pragma once
#include "http_connection.hpp"

#include "repartee/base/clock.hpp"

#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace repartee::net {

/// Connections between two requests. Everything on one executor.
class HttpPool : public std::enable_shared_from_this<HttpPool> {
public:
    HttpPool(asio::any_io_executor executor, std::size_t idle_max, std::size_t idle_total_max, milliseconds idle_limit);

    /// The youngest one of this key that is still open, or null. The peer's end may be on its way unseen: a connection taken here is not a promise.
    std::unique_ptr<HttpConnection> take(const std::string& key);
    void put(std::unique_ptr<HttpConnection> connection);
    asio::any_io_executor executor() { return timer_.get_executor(); }
    std::size_t idle() const { return idle_.size(); }
    /// Closes all of them and keeps none from now on.
    void close();

private:
    struct Idle {
        std::unique_ptr<HttpConnection> connection;
        Instant since;
    };

    void make_room_for(const std::string& key);
    void arm();
    void reap();

    asio::steady_timer timer_;
    std::size_t idle_max_, idle_total_max_;
    milliseconds idle_limit_;
    std::vector<Idle> idle_;  ///< the oldest first
    bool armed_ = false, closed_ = false;
};

}  // namespace repartee::net
