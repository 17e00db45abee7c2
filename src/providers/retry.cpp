#include "repartee/providers/retry.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace repartee::providers {
namespace {

constexpr milliseconds first_wait{200};
constexpr int doublings_max = 10;

bool is_worth_another(const Attempt& attempt)
{
    if (attempt.status == 0) return attempt.failure == Code::closed || attempt.failure == Code::upstream_unavailable;
    if (attempt.error_code == "insufficient_quota") return false;
    for (const int status : {408, 429, 500, 502, 503, 504})
        if (attempt.status == status) return true;
    return false;
}

/// Seconds; nullopt for a date, which would need the service's clock.
std::optional<milliseconds> told_wait(std::string_view retry_after)
{
    double seconds = 0;
    const char* const end = retry_after.data() + retry_after.size();
    const auto [stopped, failure] = std::from_chars(retry_after.data(), end, seconds, std::chars_format::fixed);
    if (failure != std::errc() || stopped != end || !(seconds >= 0 && seconds < 1e6)) return std::nullopt;
    return milliseconds(std::llround(std::ceil(seconds * 1000)));
}

}  // namespace

std::optional<milliseconds> retry_wait(const Attempt& attempt, int retries, milliseconds wait_max, double chance)
{
    if (attempt.bytes_came || attempt.number > retries || !is_worth_another(attempt)) return std::nullopt;
    if (!attempt.retry_after.empty()) {
        const auto told = told_wait(attempt.retry_after);
        if (!told || *told > wait_max) return std::nullopt;
        return told;
    }
    const auto doubled = first_wait * (1 << std::clamp(attempt.number - 1, 0, doublings_max));
    const auto jittered = milliseconds(std::llround(static_cast<double>(doubled.count()) * (0.75 + 0.5 * chance)));
    return std::min(jittered, wait_max);
}

}  // namespace repartee::providers
