#include "repartee/audio/pacer.hpp"

#include <algorithm>
#include <limits>

namespace repartee::audio {
namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t ns_per_second = 1'000'000'000;

// Whole seconds and the rest are converted apart: nanoseconds times rate would overflow 64 bits within days.

/// Samples that are over after `elapsed`.
std::uint64_t samples_in(nanoseconds elapsed, std::uint64_t hz)
{
    if (elapsed.count() <= 0) return 0;
    const auto ns = static_cast<std::uint64_t>(elapsed.count());
    return ns / ns_per_second * hz + ns % ns_per_second * hz / ns_per_second;
}

/// The shortest time after which `samples` are over.
nanoseconds duration_of(std::uint64_t samples, std::uint64_t hz)
{
    const std::uint64_t rest_ns = (samples % hz * ns_per_second + hz - 1) / hz;
    return nanoseconds(static_cast<std::int64_t>(samples / hz * ns_per_second + rest_ns));
}

}  // namespace

Pacer::Pacer(int hz, std::optional<std::chrono::milliseconds> lead) : hz_(hz), lead_(lead) {}

std::uint64_t Pacer::lead_samples() const { return samples_in(*lead_, static_cast<std::uint64_t>(hz_)); }

std::uint64_t Pacer::played(Instant now) const
{
    return std::min(sent_, anchor_sample_ + samples_in(now - anchor_time_, static_cast<std::uint64_t>(hz_)));
}

std::uint64_t Pacer::allowance(Instant now) const
{
    if (!lead_) return std::numeric_limits<std::uint64_t>::max();
    const std::uint64_t limit = played(now) + lead_samples();
    return limit > sent_ ? limit - sent_ : 0;
}

Pacer::Instant Pacer::when_allowed(std::uint64_t samples, Instant now) const
{
    if (!lead_) return now;
    const std::uint64_t lead = lead_samples();
    const std::uint64_t target = sent_ + std::min(samples, lead);  // what the loudspeaker must have reached, and the lead
    if (target <= played(now) + lead) return now;
    return anchor_time_ + duration_of(target - lead - anchor_sample_, static_cast<std::uint64_t>(hz_));
}

void Pacer::on_sent(std::uint64_t samples, Instant now)
{
    if (samples == 0) return;
    if (played(now) == sent_) {
        anchor_sample_ = sent_;
        anchor_time_ = now;
    }
    sent_ += samples;
}

void Pacer::on_cleared_at(std::uint64_t position, Instant now)
{
    sent_ = position;
    anchor_sample_ = position;
    anchor_time_ = now;
}

Pacer::Instant Pacer::time_of(std::uint64_t position) const
{
    if (position <= anchor_sample_) return anchor_time_;
    return anchor_time_ + duration_of(position - anchor_sample_, static_cast<std::uint64_t>(hz_));
}

}  // namespace repartee::audio
