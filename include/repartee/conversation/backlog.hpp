#pragma once
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace repartee::conversation {

/// Events in order, bounded by count and by bytes of text; a single one larger than all the bytes still passes. Costs nothing while it is empty.
class Backlog {
public:
    struct Event {
        std::string text;
        std::string key{};                        ///< what its owner will ask for it by
        std::optional<std::uint64_t> position{};  ///< the place in a stream that it is pinned to
    };

    Backlog(std::size_t events_max, std::size_t bytes_max) : events_max_(events_max), bytes_max_(bytes_max) {}

    /// Behind all others. False: no room, nothing taken.
    bool push(Event event);
    bool push(std::string text) { return push(Event{std::move(text)}); }
    /// Before all others, whatever waits.
    void push_first(Event event);
    void push_first(std::string text) { push_first(Event{std::move(text)}); }
    /// Behind all others; the oldest go to make room. Returns how many.
    std::size_t push_newest(Event event);

    /// The oldest; there must be one.
    const Event& front() const { return events_.front(); }
    Event take();
    /// The oldest of `from`, moved behind all others without a copy: what was seen of its text stays valid. The oldest here go to make room.
    const Event& take_from(Backlog& from);
    /// All of `older`, moved before all others; the oldest go when that is too much.
    void put_before(Backlog& older);
    /// Those without a position go before those with one; each kind keeps its order.
    void put_unpinned_first();

    /// Removes the oldest with this key, or the one behind so many `older` ones, and returns it.
    std::optional<Event> take(std::string_view key, std::size_t older = 0);
    std::optional<std::uint64_t> position_of(std::string_view key, std::size_t older = 0) const;
    bool contains(std::string_view key) const;
    /// Drops the text of all with this key; they still wait for being asked for by it.
    void empty_texts(std::string_view key);
    void drop_emptied();
    /// Returns how many.
    template <class Is>
    std::size_t drop_if(Is is)
    {
        return events_.remove_if([&](const Event& event) {
            const bool drop = is(event);
            if (drop) bytes_ -= event.text.size();
            return drop;
        });
    }
    void clear();

    bool empty() const { return events_.empty(); }
    std::size_t size() const { return events_.size(); }
    std::size_t bytes() const { return bytes_; }
    const std::list<Event>& events() const { return events_; }

private:
    using Events = std::list<Event>;

    Events::const_iterator find(std::string_view key, std::size_t older) const;
    std::size_t let_go_for_bounds();

    Events events_;
    std::size_t events_max_, bytes_max_, bytes_ = 0;
};

}  // namespace repartee::conversation
