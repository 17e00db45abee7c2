#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/base/metrics.hpp"
#include "repartee/upstream/upstream.hpp"

#include <optional>
#include <string>
#include <vector>

namespace repartee::upstream {

/// One of several services in a fallback order.
struct NamedSource {
    std::string section;       ///< of the configuration: "realtime_2"
    std::unique_ptr<Source> source;
    bool names_model = false;  ///< it has a model of its own: the name that a client asks for means nothing there
};

struct FallbackSettings {
    /// A refused connection or key is known within a round trip or two; what takes longer is a service that does not answer.
    milliseconds slow{1'000};
    milliseconds cooldown{15'000};
};

/// Several services in an order. lease() asks the next when one fails, whatever the reason but Code::cancelled and a model that the client itself
/// chose and that the first one does not know; the log says `upstream.fallback` (from, to, code, message), /metrics counts it. A service that kept a
/// lease waiting before it failed (`slow`) is asked last for a while (`cooldown`), so that not every conversation waits for it; one that fails at
/// once costs nothing and keeps its place.
class FallbackSource final : public Source {
public:
    /// At least one.
    FallbackSource(std::vector<NamedSource> sources, FallbackSettings settings, Metrics& metrics);

    /// Lease::source is the place in the configured order. When all fail: the first error that a repetition may cure, else the first of all.
    /// When none may be asked: Code::upstream_rejected.
    Task<Lease> lease(LeaseRequest request) override;
    /// Whether any is.
    bool is_ready() const override;
    awaitable<void> stop() override;

private:
    struct Entry {
        NamedSource named;
        std::optional<Instant> last_until;  ///< asked last until then
    };
    std::vector<std::size_t> order(std::uint32_t without, Instant now) const;
    void tell_fallback(std::size_t from, std::size_t to, const Error& error);

    std::vector<Entry> entries_;
    FallbackSettings settings_;
    Metrics& metrics_;
};

}  // namespace repartee::upstream
