#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/base/error.hpp"

#include <cstdint>
#include <optional>

namespace repartee::upstream {

struct BreakerSettings {
    milliseconds backoff_min{500}, backoff_max{30'000};
    int failures_to_open = 5;
    milliseconds open_for{15'000};
};

/// Decides when connecting is worth a try. Pure: time and chance come in as parameters.
/// After a failure the pool waits (doubling, with jitter); after several in a row, and after a fatal one (bad key, unknown model), the breaker opens:
/// leases fail at once with the last error until the time is over, then one try decides. Conversations that have lost their session cannot wait so
/// long: while it is open for anything but a fatal reason, they may probe, all together no more often than the first wait.
class Breaker {
public:
    explicit Breaker(BreakerSettings settings) : settings_(settings) {}

    void on_success();
    /// `began`: the try that failed. Tries that ran side by side fail in one outage, and count once. `chance` is uniform in [0, 1). A fatal error
    /// opens the breaker at once.
    void on_failure(const Error& error, Instant began, Instant now, double chance);

    /// The error to answer with while open; nullopt: go on.
    std::optional<Error> refusal(Instant now) const;
    /// Whether a conversation that has lost its session may try although there is a refusal; true only now and then.
    bool take_probe(Instant now);
    /// When the pool may open the next connection ahead of need.
    Instant next_attempt() const { return next_attempt_; }
    int failures() const { return failures_; }

private:
    BreakerSettings settings_;
    int failures_ = 0;
    Instant next_attempt_{};
    Instant open_until_{};
    Instant failed_at_{};   ///< the last failure that counted
    Instant probed_at_{};
    Error last_error_{};
};

/// A repetition cannot help: bad key, no quota, unknown model, refused protocol. By the error code and the close code of the service.
bool is_fatal(std::string_view error_code, std::uint16_t close_code);

}  // namespace repartee::upstream
