#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/base/error.hpp"

#include <optional>
#include <string_view>

namespace repartee::providers {

/// What a provider answered, or why it did not.
struct Attempt {
    int status = 0;                    ///< 0: no answer
    Code failure = Code::ok;           ///< when there was no answer
    std::string_view error_code{};     ///< the service's own: "insufficient_quota"
    std::string_view retry_after{};    ///< the header: seconds, or a date (then not waited for)
    bool bytes_came = false;           ///< something of the answer was already used
    int number = 1;                    ///< of this attempt
};

/// How long to wait before asking the same provider again; nullopt: do not.
/// Again: no connection or a connection lost before the first byte, 408, 429, 500, 502, 503, 504. Waits Retry-After when it says so (at most
/// `wait_max`, else not again), else 200 ms · 2^(number−1) with jitter (`chance` in [0,1): ±25 %). Never: after a byte was used, after a time limit,
/// 4xx otherwise, insufficient_quota, Code::tls, Code::cancelled, and never more than `retries` times. Pure.
std::optional<milliseconds> retry_wait(const Attempt& attempt, int retries, milliseconds wait_max, double chance);

}  // namespace repartee::providers
