#include "repartee/upstream/breaker.hpp"

#include <algorithm>

namespace repartee::upstream {

void Breaker::on_success()
{
    failures_ = 0;
    next_attempt_ = {};
    open_until_ = {};
    failed_at_ = {};
}

void Breaker::on_failure(const Error& error, Instant began, Instant now, double chance)
{
    last_error_ = error;
    if (failures_ > 0 && began < failed_at_ && error.code != Code::upstream_rejected) return;
    ++failures_;
    failed_at_ = now;
    // Full jitter over the upper half: many servers that lost the same upstream do not come back in step.
    const milliseconds ceiling = std::min<milliseconds>(settings_.backoff_max, settings_.backoff_min * (1LL << std::min(failures_ - 1, 20)));
    const milliseconds wait = ceiling / 2 + milliseconds(static_cast<std::int64_t>(static_cast<double>(ceiling.count() / 2) * chance));
    next_attempt_ = now + wait;
    if (error.code == Code::upstream_rejected || failures_ >= settings_.failures_to_open) {
        open_until_ = now + settings_.open_for;
        next_attempt_ = std::max(next_attempt_, open_until_);
    }
}

std::optional<Error> Breaker::refusal(Instant now) const
{
    if (now >= open_until_) return std::nullopt;
    return last_error_;
}

bool Breaker::take_probe(Instant now)
{
    if (last_error_.code == Code::upstream_rejected || now - probed_at_ < settings_.backoff_min) return false;
    probed_at_ = now;
    return true;
}

bool is_fatal(std::string_view error_code, std::uint16_t close_code)
{
    if (close_code == 3000 || (close_code >= 4000 && close_code < 5000)) return true;
    for (const std::string_view code :
         {"invalid_api_key", "missing_model", "invalid_model", "model_not_found", "beta_api_shape_disabled", "insufficient_quota"})
        if (error_code == code) return true;
    return false;
}

}  // namespace repartee::upstream
