#include "repartee/conversation/backlog.hpp"

#include <algorithm>

namespace repartee::conversation {

bool Backlog::push(Event event)
{
    const bool too_much = !events_.empty() && bytes_ + event.text.size() > bytes_max_;
    if (events_.size() >= events_max_ || too_much) return false;
    bytes_ += event.text.size();
    events_.push_back(std::move(event));
    return true;
}

void Backlog::push_first(Event event)
{
    bytes_ += event.text.size();
    events_.push_front(std::move(event));
}

std::size_t Backlog::push_newest(Event event)
{
    bytes_ += event.text.size();
    events_.push_back(std::move(event));
    return let_go_for_bounds();
}

Backlog::Event Backlog::take()
{
    Event event = std::move(events_.front());
    events_.pop_front();
    bytes_ -= event.text.size();
    return event;
}

const Backlog::Event& Backlog::take_from(Backlog& from)
{
    const std::size_t bytes = from.events_.front().text.size();
    events_.splice(events_.end(), from.events_, from.events_.begin());
    from.bytes_ -= bytes;
    bytes_ += bytes;
    let_go_for_bounds();
    return events_.back();
}

void Backlog::put_before(Backlog& older)
{
    events_.splice(events_.begin(), older.events_);
    bytes_ += std::exchange(older.bytes_, 0);
    let_go_for_bounds();
}

void Backlog::put_unpinned_first()
{
    const auto first_pinned = std::find_if(events_.begin(), events_.end(), [](const Event& event) { return event.position.has_value(); });
    for (auto event = first_pinned; event != events_.end();) {
        const auto next = std::next(event);
        if (!event->position) events_.splice(first_pinned, events_, event);
        event = next;
    }
}

Backlog::Events::const_iterator Backlog::find(std::string_view key, std::size_t older) const
{
    return std::find_if(events_.begin(), events_.end(), [&](const Event& event) { return event.key == key && older-- == 0; });
}

std::optional<std::uint64_t> Backlog::position_of(std::string_view key, std::size_t older) const
{
    const auto found = find(key, older);
    return found == events_.end() ? std::nullopt : found->position;
}

std::optional<Backlog::Event> Backlog::take(std::string_view key, std::size_t older)
{
    const auto found = find(key, older);
    if (found == events_.end()) return std::nullopt;
    Event event = *found;
    events_.erase(found);
    bytes_ -= event.text.size();
    return event;
}

bool Backlog::contains(std::string_view key) const
{
    return std::any_of(events_.begin(), events_.end(), [&](const Event& event) { return event.key == key; });
}

void Backlog::empty_texts(std::string_view key)
{
    for (Event& event : events_) {
        if (event.key != key) continue;
        bytes_ -= event.text.size();
        std::string().swap(event.text);
    }
}

void Backlog::drop_emptied()
{
    events_.remove_if([](const Event& event) { return event.text.empty(); });
}

void Backlog::clear()
{
    events_.clear();
    bytes_ = 0;
}

/// The newest stays, however large it is.
std::size_t Backlog::let_go_for_bounds()
{
    std::size_t gone = 0;
    for (; events_.size() > 1 && (events_.size() > events_max_ || bytes_ > bytes_max_); ++gone) take();
    return gone;
}

}  // namespace repartee::conversation
