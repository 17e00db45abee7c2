#pragma once
#include "repartee/net/awaitable.hpp"

#include <chrono>
#include <functional>
#include <memory>

namespace repartee::net {

/// Runs `on_expiry` once when the limit is over, unless destroyed before. RAII: no time limit outlives its operation.
class Deadline {
public:
    Deadline(asio::any_io_executor executor, std::chrono::milliseconds limit, std::function<void()> on_expiry);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    bool expired() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace repartee::net
