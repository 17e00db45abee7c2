#pragma once
#include "repartee/base/clock.hpp"

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::relay {

/// The events of a Realtime session that its client may not have got: what the network has not acknowledged, what is younger than `kept_for`, and
/// what came while nobody was there. Pure.
class EventJournal {
public:
    /// A client that had the bytes may have left before it looked at them.
    static constexpr milliseconds kept_for{2'000};

    explicit EventJournal(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    /// Events that were sent go, oldest first, when there are more bytes than may be kept; unsent ones never do: see is_full().
    void add(std::string_view event, bool sent, Instant now);
    /// So much waits for a client that no more should be asked of the service.
    bool is_full() const { return unsent_bytes_ >= bytes_max_; }
    bool empty() const { return events_.empty(); }

    /// All but the newest `bytes` that were sent have arrived at the client's side.
    void on_acknowledged_but(std::size_t bytes, Instant now);

    struct Again {
        std::vector<std::string_view> events;  ///< valid until the next call
        std::size_t lost = 0;                  ///< are missing before them; at most, when the client's last event is unknown
    };
    /// For a client that came back: what lies behind the event it saw last; when that is unknown, what was sent in the last moments before `lost_at`
    /// and everything since. All of it counts as sent at `now`.
    Again again(const std::optional<std::string>& last_event_id, Instant lost_at, Instant now);

private:
    struct Event {
        std::string text;
        Instant at;
        bool sent;
    };
    void drop_first();
    void let_first_fall();
    std::size_t lost_behind(const std::optional<std::string>& last_event_id) const;

    std::size_t bytes_max_;
    std::size_t bytes_ = 0, unsent_bytes_ = 0;
    // Of what had to go before it had surely arrived.
    std::size_t fallen_ = 0;
    std::list<std::string> fallen_ids_;  ///< the newest
    std::list<Event> events_;
};

}  // namespace repartee::relay
