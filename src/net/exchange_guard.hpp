#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/net/http_client.hpp"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace repartee::net {

/// Watches over one request and its answer: closes their connection when a stage or the whole takes too long, or when the owner wants no more of it.
/// One timer for all stages; a stage that begins costs no timer operation while the timer is armed for an earlier instant.
class ExchangeGuard {
public:
    enum class Stage { none, connect, send, first_byte, idle };

    /// `peer` is for the messages.
    ExchangeGuard(asio::any_io_executor executor, std::string peer, const HttpTimes& times, std::stop_token stop);
    ~ExchangeGuard();
    ExchangeGuard(const ExchangeGuard&) = delete;
    ExchangeGuard& operator=(const ExchangeGuard&) = delete;

    /// The stream stays where it is until release().
    void watch(ByteStream& stream);
    void release();

    void begin(Stage stage);
    /// What is left of the stage `connect`, which may go on under other limits, too.
    milliseconds connect_left() const;
    const std::stop_token& stop() const;

    /// Set when the guard ended it: Code::cancelled or Code::timeout.
    std::optional<Error> verdict() const;

private:
    struct State;
    std::shared_ptr<State> state_;  ///< shared with the timer
};

}  // namespace repartee::net
