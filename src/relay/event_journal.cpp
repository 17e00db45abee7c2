#include "event_journal.hpp"

#include "repartee/base/json.hpp"

#include <algorithm>
#include <iterator>

namespace repartee::relay {
namespace {

/// What a std::list adds to a text, about.
constexpr std::size_t overhead_bytes = 96;

constexpr std::size_t fallen_ids_max = 64, id_bytes_max = 256;

/// Found without reading the event, since it may be one of many that go: only a count depends on it.
std::string_view likely_id(std::string_view event)
{
    constexpr std::string_view member = "\"event_id\"";
    const auto at = event.find(member);
    if (at == std::string_view::npos) return {};
    event.remove_prefix(at + member.size());
    event.remove_prefix(std::min(event.find('"'), event.size() - 1) + 1);
    return event.substr(0, std::min(event.find('"'), id_bytes_max));
}

bool has_id(const std::string& text, const std::string& event_id)
{
    if (text.find(event_id) == std::string::npos) return false;
    const auto event = json::parse_object(text);
    if (!event) return false;
    const auto id = json::find_string(*event, "event_id");
    return id && *id == event_id;
}

}  // namespace

void EventJournal::add(std::string_view event, bool sent, Instant now)
{
    events_.push_back({std::string(event), now, sent});
    const std::size_t bytes = event.size() + overhead_bytes;
    bytes_ += bytes;
    if (!sent) unsent_bytes_ += bytes;
    while (bytes_ > bytes_max_ && events_.front().sent) let_first_fall();
}

void EventJournal::let_first_fall()
{
    if (fallen_ids_.size() == fallen_ids_max) fallen_ids_.pop_front();
    fallen_ids_.emplace_back(likely_id(events_.front().text));
    ++fallen_;
    drop_first();
}

std::size_t EventJournal::lost_behind(const std::optional<std::string>& last_event_id) const
{
    if (!last_event_id) return fallen_;
    const auto seen = std::find(fallen_ids_.rbegin(), fallen_ids_.rend(), *last_event_id);
    return seen == fallen_ids_.rend() ? fallen_ : static_cast<std::size_t>(std::distance(fallen_ids_.rbegin(), seen));
}

void EventJournal::drop_first()
{
    bytes_ -= events_.front().text.size() + overhead_bytes;
    events_.pop_front();
}

void EventJournal::on_acknowledged_but(std::size_t bytes, Instant now)
{
    std::size_t behind = bytes_ - unsent_bytes_;  // sent bytes from this event on; frames and TLS make more of them, so this errs to keeping
    while (!events_.empty() && events_.front().sent && now - events_.front().at >= kept_for) {
        behind -= events_.front().text.size() + overhead_bytes;
        if (behind < bytes) break;
        drop_first();
    }
    if (bytes > 0) return;
    fallen_ = 0;
    fallen_ids_.clear();
}

EventJournal::Again EventJournal::again(const std::optional<std::string>& last_event_id, Instant lost_at, Instant now)
{
    Again result;
    auto first = events_.begin();
    const auto seen = last_event_id && !last_event_id->empty()
                          ? std::find_if(events_.rbegin(), events_.rend(), [&](const Event& event) { return has_id(event.text, *last_event_id); })
                          : events_.rend();
    if (seen != events_.rend()) {
        first = seen.base();
    } else {
        result.lost = lost_behind(last_event_id);
        if (!last_event_id)
            first = std::ranges::find_if(events_, [&](const Event& event) { return !event.sent || event.at + kept_for >= lost_at; });
    }
    events_.erase(events_.begin(), first);
    bytes_ = 0;
    for (Event& event : events_) {
        bytes_ += event.text.size() + overhead_bytes;
        event.sent = true;
        event.at = now;
        result.events.push_back(event.text);
    }
    unsent_bytes_ = 0;
    fallen_ = 0;
    fallen_ids_.clear();
    return result;
}

}  // namespace repartee::relay
