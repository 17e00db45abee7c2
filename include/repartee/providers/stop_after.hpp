#pragma once
#include "repartee/net/deadline.hpp"
#include "repartee/providers/roles.hpp"

#include <chrono>
#include <optional>
#include <string_view>

namespace repartee::providers {

/// A stop that comes when `outer` does, or when the time is over: bounds a whole stage (chain, retries and all) from outside. A local of the
/// coroutine that owns the stage, made before what is given its token.
class StopAfter {
public:
    /// `limit` 0: only with `outer`.
    StopAfter(asio::any_io_executor executor, std::chrono::milliseconds limit, Stop outer);
    StopAfter(const StopAfter&) = delete;
    StopAfter& operator=(const StopAfter&) = delete;

    Stop token() const { return source_.get_token(); }
    void request_stop() { source_.request_stop(); }
    /// The time was over before `outer` stopped: a Code::cancelled of the stage is then a Code::timeout.
    bool expired() const { return expired_; }
    /// `error`, as a timeout that names `what` and the limit when it came from this.
    Error explain(const Error& error, std::string_view what) const;

private:
    std::chrono::milliseconds limit_;
    std::stop_source source_;
    bool expired_ = false;
    std::stop_callback<std::function<void()>> on_outer_;
    std::optional<net::Deadline> deadline_;
};

}  // namespace repartee::providers
