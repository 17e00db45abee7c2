#pragma once
#include "repartee/base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

namespace repartee::conversation {

/// Text events that have left, the newest of them: a client that comes back gets those that it missed. Bounded by count and by bytes of text (the
/// newest stays, however large it is); costs nothing while it is empty.
class Journal {
public:
    struct Entry {
        std::string text;
        Instant sent_at;
        std::uint64_t item;  ///< the spoken item whose beginning or end it tells, or 0
    };

    /// `entries_max` 0: nothing is kept.
    Journal(std::size_t entries_max, std::size_t bytes_max) : entries_max_(entries_max), bytes_max_(bytes_max) {}

    bool is_kept() const { return entries_max_ > 0; }
    /// Returns the text as it lies here; valid until the next call. Only when is_kept().
    std::string_view add(std::string text, Instant sent_at, std::uint64_t item);

    struct Taken {
        std::list<Entry> entries{};   ///< oldest first
        std::size_t fallen_out = 0;   ///< older ones that were wanted too, and are not here any more
    };
    /// Takes out what left behind the event with this id. Everything when that one is not here.
    Taken take_behind(std::string_view event_id);
    /// Takes out what left at `since` or later.
    Taken take_since(Instant since);

    std::size_t size() const { return entries_.size(); }
    std::size_t bytes() const { return bytes_; }

private:
    Taken take_from(std::list<Entry>::iterator first);

    std::list<Entry> entries_;
    std::size_t entries_max_, bytes_max_, bytes_ = 0;
    std::size_t fallen_out_ = 0;  ///< since the last time that something was taken
};

}  // namespace repartee::conversation
