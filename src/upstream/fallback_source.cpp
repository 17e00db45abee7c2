#include "repartee/upstream/fallback_source.hpp"

#include "repartee/base/log.hpp"

#include <algorithm>

namespace repartee::upstream {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

bool is_unknown_model(const Error& error) { return error.upstream_code == "model_not_found" || error.upstream_code == "invalid_model"; }

Error none_left(std::size_t services)
{
    const std::string which = services == 1 ? "the only one has" : "all " + std::to_string(services) + " have";
    return {Code::upstream_rejected,
            "No voice service is left to try: " + which + " failed. Try again in a moment; [realtime_2] and [realtime_3] name others."};
}

}  // namespace

FallbackSource::FallbackSource(std::vector<NamedSource> sources, FallbackSettings settings, Metrics& metrics) : settings_(settings), metrics_(metrics)
{
    for (NamedSource& named : sources) entries_.push_back({std::move(named), std::nullopt});
}

std::vector<std::size_t> FallbackSource::order(std::uint32_t without, Instant at) const
{
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < entries_.size(); ++i)
        if ((without >> i & 1U) == 0) order.push_back(i);
    std::stable_partition(order.begin(), order.end(), [&](std::size_t i) { return !entries_[i].last_until || at >= *entries_[i].last_until; });
    return order;
}

Task<Lease> FallbackSource::lease(LeaseRequest request)
{
    const std::vector<std::size_t> ways = order(request.without, now());
    if (ways.empty()) co_return none_left(entries_.size());
    std::optional<Error> told;
    for (std::size_t at = 0; at < ways.size(); ++at) {
        Entry& entry = entries_[ways[at]];
        LeaseRequest asked = request;
        asked.without = 0;
        if (entry.named.names_model) asked.model.clear();
        const Instant began = now();
        auto lease = co_await entry.named.source->lease(std::move(asked));
        if (lease) {
            entry.last_until.reset();
            lease->source = ways[at];
            co_return std::move(lease);
        }
        const Error error = lease.error();
        if (error.code == Code::cancelled) co_return error;
        // What a client asks for by name is the first service's to know.
        if (ways[at] == 0 && !request.model.empty() && is_unknown_model(error)) co_return error;
        if (now() - began >= settings_.slow) entry.last_until = now() + settings_.cooldown;
        if (!told || (told->code == Code::upstream_rejected && error.code != Code::upstream_rejected)) told = error;
        if (at + 1 < ways.size()) tell_fallback(ways[at], ways[at + 1], error);
    }
    co_return *told;
}

void FallbackSource::tell_fallback(std::size_t from, std::size_t to, const Error& error)
{
    metrics_.upstream_fallbacks_total.add();
    log::warn("upstream.fallback", {{"from", entries_[from].named.section},
                                    {"to", entries_[to].named.section},
                                    {"code", name(error.code)},
                                    {"message", error.message}});
}

bool FallbackSource::is_ready() const
{
    return std::ranges::any_of(entries_, [](const Entry& entry) { return entry.named.source->is_ready(); });
}

awaitable<void> FallbackSource::stop()
{
    for (Entry& entry : entries_) co_await entry.named.source->stop();
}

}  // namespace repartee::upstream
