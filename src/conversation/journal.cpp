#include "repartee/conversation/journal.hpp"

#include "repartee/base/json.hpp"

#include <algorithm>
#include <utility>

namespace repartee::conversation {
namespace {

bool has_event_id(const std::string& text, std::string_view event_id)
{
    if (text.find(event_id) == std::string::npos) return false;  // nearly always: then nothing has to be parsed
    const auto event = json::parse_object(text);
    return event && json::find_string(*event, "event_id") == event_id;
}

}  // namespace

std::string_view Journal::add(std::string text, Instant sent_at, std::uint64_t item)
{
    bytes_ += text.size();
    entries_.push_back({std::move(text), sent_at, item});
    for (; entries_.size() > 1 && (entries_.size() > entries_max_ || bytes_ > bytes_max_); ++fallen_out_) {
        bytes_ -= entries_.front().text.size();
        entries_.pop_front();
    }
    return entries_.back().text;
}

Journal::Taken Journal::take_behind(std::string_view event_id)
{
    const auto newest = std::find_if(entries_.rbegin(), entries_.rend(), [&](const Entry& entry) { return has_event_id(entry.text, event_id); });
    const bool is_here = newest != entries_.rend();
    Taken taken = take_from(newest.base());
    const std::size_t fallen_out = std::exchange(fallen_out_, 0);
    if (!is_here) taken.fallen_out = fallen_out;
    return taken;
}

Journal::Taken Journal::take_since(Instant since)
{
    fallen_out_ = 0;
    return take_from(std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.sent_at >= since; }));
}

Journal::Taken Journal::take_from(std::list<Entry>::iterator first)
{
    Taken taken;
    taken.entries.splice(taken.entries.end(), entries_, first, entries_.end());
    for (const Entry& entry : taken.entries) bytes_ -= entry.text.size();
    return taken;
}

}  // namespace repartee::conversation
