#include "conversation_items.hpp"

#include "audio_codec.hpp"
#include "repartee/base/quoted.hpp"

#include <algorithm>

namespace repartee::engine {
namespace {

std::string_view member(const json::object& o, std::string_view key)
{
    return json::find_string(o, key).value_or(std::string_view{});
}

/// The first `share` of the text, never within a word (or, in a text without spaces, within a character).
std::string_view leading_share(std::string_view text, double share)
{
    if (share >= 1) return text;
    auto end = static_cast<std::size_t>(static_cast<double>(text.size()) * std::max(share, 0.0));
    while (end > 0 && continues_utf8_character(text[end])) --end;
    if (text[end] == ' ') return text.substr(0, end);
    const std::size_t space = text.substr(0, end).rfind(' ');
    if (space != std::string_view::npos) end = space;
    else if (text.find(' ') != std::string_view::npos) end = 0;
    return text.substr(0, end);
}

std::size_t text_bytes(const json::value& v)
{
    constexpr std::size_t node = sizeof(json::value);
    if (const auto* s = v.if_string()) return node + s->size();
    std::size_t sum = node;
    if (const auto* a = v.if_array())
        for (const auto& element : *a) sum += text_bytes(element);
    if (const auto* o = v.if_object())
        for (const auto& entry : *o) sum += entry.key().size() + text_bytes(entry.value());
    return sum;
}

}  // namespace

std::int64_t Recording::total_ms() const { return samples_total / samples_per_ms; }

void Recording::append(std::span<const std::int16_t> more, std::size_t samples_max)
{
    const bool complete = static_cast<std::int64_t>(samples.size()) == samples_total;
    samples_total += static_cast<std::int64_t>(more.size());
    if (!complete || samples.size() >= samples_max) return;
    more = more.first(std::min(more.size(), samples_max - samples.size()));
    samples.insert(samples.end(), more.begin(), more.end());
}

std::string_view Item::type() const { return member(body, "type"); }
std::string_view Item::role() const { return member(body, "role"); }

void Item::set_status(std::string_view status) { body["status"] = json::value(boost::json::string_view(status.data(), status.size())); }

const json::object* Item::part(std::size_t index) const
{
    const json::array* content = json::find_array(body, "content");
    if (!content || index >= content->size()) return nullptr;
    return (*content)[index].if_object();
}

json::object* Item::part(std::size_t index) { return const_cast<json::object*>(std::as_const(*this).part(index)); }

std::size_t Item::bytes() const
{
    std::size_t sum = sizeof(Item) + said.size() + marks.size() * sizeof(TextMark);
    sum += recording ? recording->samples.size() * sizeof(std::int16_t) : 0;
    for (const auto& entry : body) sum += entry.key().size() + text_bytes(entry.value());
    return sum;
}

std::int64_t Item::audio_ms() const
{
    if (!recording) return 0;
    return std::min(heard_ms.value_or(recording->total_ms()), recording->total_ms());
}

void Item::say(std::string_view text)
{
    const std::int64_t sample = recording && !marks.empty() ? recording->samples_total : 0;
    if (marks.empty() || marks.back().sample < sample) marks.push_back({said.size(), sample});
    said += text;
}

void Item::forget_soundless_end()
{
    if (marks.empty() || !recording || marks.back().sample < recording->samples_total) return;
    said.resize(marks.back().text_byte);
}

std::string Item::heard_text() const
{
    if (!heard_ms || !recording || recording->samples_total == 0) return said;
    const std::int64_t heard = audio_ms() * samples_per_ms;
    if (heard >= recording->total_ms() * samples_per_ms) return said;
    std::string text;
    for (std::size_t i = 0; i < marks.size() && marks[i].sample < heard; ++i) {
        const bool last = i + 1 == marks.size();
        const std::int64_t end = last ? recording->samples_total : marks[i + 1].sample;
        const std::size_t end_byte = last ? said.size() : marks[i + 1].text_byte;
        const std::string_view stretch = std::string_view(said).substr(marks[i].text_byte, end_byte - marks[i].text_byte);
        text += leading_share(stretch, static_cast<double>(heard - marks[i].sample) / static_cast<double>(end - marks[i].sample));
    }
    while (text.ends_with(' ')) text.pop_back();
    return text;
}

Result<void> ConversationItems::add(ItemPtr item, std::optional<std::string_view> after)
{
    if (find(item->id))
        return Error{Code::invalid_value,
                     "Error adding item: an item with id '" + item->id + "' already exists. Choose another id, or leave it out.", "item.id"};
    auto place = items_.end();
    if (after == "root") {
        place = items_.begin();
    } else if (after) {
        place = std::find_if(items_.begin(), items_.end(), [&](const ItemPtr& i) { return i->id == *after; });
        if (place == items_.end())
            return Error{Code::item_not_found,
                         "Error adding item: the previous item with id '" + std::string(*after) + "' does not exist. Name one of the "
                         "conversation, \"root\" for the front, or leave previous_item_id out to append.",
                         "previous_item_id"};
        ++place;
    }
    items_.insert(place, std::move(item));
    return {};
}

ItemPtr ConversationItems::find(std::string_view id) const
{
    // From the end: it is nearly always a recent one that is spoken of.
    const auto found = std::find_if(items_.rbegin(), items_.rend(), [&](const ItemPtr& i) { return i->id == id; });
    return found == items_.rend() ? nullptr : *found;
}

bool ConversationItems::erase(std::string_view id)
{
    return std::erase_if(items_, [&](const ItemPtr& i) { return i->id == id; }) > 0;
}

json::value ConversationItems::previous_id(std::string_view id) const
{
    for (std::size_t i = 1; i < items_.size(); ++i)
        if (items_[i]->id == id) return json::value(items_[i - 1]->id);
    return nullptr;
}

json::value ConversationItems::last_id() const
{
    if (items_.empty()) return nullptr;
    return json::value(items_.back()->id);
}

void ConversationItems::keep_within_limits()
{
    std::size_t bytes = 0;
    for (const ItemPtr& item : items_) bytes += item->bytes();

    for (const ItemPtr& item : items_) {
        if (bytes <= bytes_max_) break;
        if (!item->recording || item->generating) continue;
        bytes -= item->recording->samples.size() * sizeof(std::int16_t);
        std::vector<std::int16_t>().swap(item->recording->samples);
    }
    for (auto it = items_.begin(); it != items_.end() && (bytes > bytes_max_ || items_.size() > items_max_);) {
        if ((*it)->generating) {
            ++it;
            continue;
        }
        bytes -= std::min(bytes, (*it)->bytes());
        it = items_.erase(it);
    }
}

}  // namespace repartee::engine
