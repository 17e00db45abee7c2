#include "repartee/conversation/history.hpp"

#include "history_note.hpp"
#include "history_text.hpp"
#include "repartee/base/quoted.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace repartee::conversation {
namespace {

constexpr std::size_t forgotten_ids_max = 32;
constexpr std::size_t parts_max = 16;
// A shorter reply says too little about how fast the voice speaks.
constexpr std::int64_t rate_audio_ms_min = 2'000;
// Two accounts of the same audio may be rounded differently.
constexpr std::int64_t same_audio_ms = 5;

std::string_view member(const json::object& o, std::string_view key) { return json::find_string(o, key).value_or(std::string_view{}); }

std::string_view image_detail(std::string_view given)
{
    if (given == "low") return "low";
    if (given == "high") return "high";
    return "auto";
}

}  // namespace

// ── from the service ─────────────────────────────────────────────────────────────────────────────────────────────────────────

void History::on_item(const json::object& json, std::optional<std::string_view> previous_item_id)
{
    const std::string_view id = member(json, "id"), type = member(json, "type"), role_name = member(json, "role");
    if (id.empty() || id == note_item_id) return;
    if (previous_item_id && (previous_item_id->empty() || *previous_item_id == id)) previous_item_id.reset();
    Role role = Role::assistant;
    if (type == "function_call") role = Role::call;
    else if (type == "function_call_output") role = Role::output;
    else if (type != "message") return;  // MCP's: a new service lists its tools itself, and takes no calls that it did not make
    else if (role_name == "user") role = Role::user;
    else if (role_name == "system") role = Role::system;
    else if (role_name != "assistant") return;

    auto found = locate(id);
    if (found == items_.end()) {
        // A client may use the id of a deleted item again; of what a service makes, it is the end of something deleted that comes late.
        if ((role == Role::assistant || role == Role::call) && is_forgotten(id)) return;
        found = add(id, role, previous_item_id);
    } else if (previous_item_id && !found->placed) {
        place_again(found, *previous_item_id);
    }
    found->role = role;
    if (role == Role::call || role == Role::output) read_function(*found, json);
    else read_message(*found, json);
    changed(*found);
}

void History::on_committed(std::string_view item_id, std::optional<std::string_view> previous_item_id)
{
    if (item_id.empty() || locate(item_id) != items_.end()) return;
    const auto item = add(item_id, Role::user, previous_item_id);
    item->parts.push_back(Part{.kind = Part::Kind::audio});
    item->line_due = true;  // also when its words never come
    changed(*item);
}

void History::on_item_deleted(std::string_view item_id)
{
    const auto item = locate(item_id);
    forget(item_id);
    if (item == items_.end()) return;
    item->deleted = true;
    if (item->line_due && settings_.gives_lines) {
        lines_due_ = true;
        return;
    }
    bytes_ -= item->bytes;
    items_.erase(item);
}

void History::on_user_transcript(std::string_view item_id, std::string_view transcript)
{
    const auto item = locate_or_add(item_id, Role::user);
    if (item == items_.end() || item->role != Role::user) return;
    auto& parts = item->parts;
    auto spoken = std::find_if(parts.begin(), parts.end(), [](const Part& part) { return part.kind == Part::Kind::audio; });
    if (spoken == parts.end()) spoken = parts.insert(parts.end(), Part{.kind = Part::Kind::audio});
    if (item->transcribed && spoken->text == transcript) return;
    item->transcribed = true;
    set_text(*item, *spoken, transcript);
    item->line_due = true;
    changed(*item);
}

void History::on_user_transcript_failed(std::string_view item_id)
{
    const auto item = locate_or_add(item_id, Role::user);
    if (item == items_.end() || item->role != Role::user || item->transcribed || item->transcript_failed) return;
    if (item->parts.empty()) item->parts.push_back(Part{.kind = Part::Kind::audio});
    item->transcript_failed = true;
    item->line_due = true;
    changed(*item);
}

void History::on_reply_text(std::string_view item_id, std::string_view delta, std::size_t content_index)
{
    const auto item = locate_or_add(item_id, Role::assistant);
    if (item == items_.end() || item->role != Role::assistant) return;
    content_index = std::min(content_index, parts_max - 1);
    if (item->parts.size() <= content_index) item->parts.resize(content_index + 1);
    Part& part = item->parts[content_index];
    if (part.is_final || item->shortened) return;
    const std::size_t before = part.text.size();
    part.text += delta;
    const std::size_t fits = utf8_prefix(part.text, settings_.bytes_max / 2).size();
    item->shortened = fits < part.text.size();
    part.text.resize(fits);
    item->line_due = true;
    if (item->heard) lines_due_ = true;
    item->bytes += part.text.size() - before;
    bytes_ += part.text.size() - before;
    keep_within_limits();
}

void History::on_reply_text_done(std::string_view item_id, std::string_view whole, std::size_t content_index)
{
    if (whole.empty()) return;
    const auto item = locate_or_add(item_id, Role::assistant);
    if (item == items_.end() || item->role != Role::assistant) return;
    content_index = std::min(content_index, parts_max - 1);
    if (item->parts.size() <= content_index) item->parts.resize(content_index + 1);
    Part& part = item->parts[content_index];
    if (part.is_final && part.text == whole) return;
    part.is_final = true;
    set_text(*item, part, whole);
    item->line_due = true;
    changed(*item);
}

void History::on_function_arguments_done(std::string_view item_id, std::string_view call_id, std::string_view name, std::string_view arguments)
{
    const auto item = locate_or_add(item_id, Role::call);
    if (item == items_.end() || item->role != Role::call) return;
    if (item->call_id.empty()) item->call_id = call_id;
    if (item->name.empty()) item->name = name;
    if (item->parts.empty()) item->parts.emplace_back();
    if (!item->complete && !arguments.empty()) set_text(*item, item->parts.front(), arguments);
    if (!item->complete) item->line_due = true;
    item->complete = true;
    changed(*item);
}

void History::read_message(Item& item, const json::object& json) const
{
    const std::string_view status = member(json, "status");
    const bool is_final = status == "completed" || status == "incomplete";
    const std::size_t before = words(item).size();
    if (const json::array* content = json::find_array(json, "content"))
        for (std::size_t i = 0; i < std::min(content->size(), parts_max); ++i)
            if (const json::object* part = (*content)[i].if_object()) read_part(item, i, *part, is_final);
    const bool has_words = !words(item).empty();
    if (words(item).size() != before) item.line_due = true;
    if (item.role == Role::assistant && status == "completed" && has_words && !item.complete) {
        item.complete = true;
        item.line_due = item.line_due || !item.line_given;
    }
}

void History::read_part(Item& item, std::size_t index, const json::object& json, bool is_final) const
{
    const std::string_view type = member(json, "type");
    if (item.parts.size() <= index) {
        item.parts.resize(index + 1);
        Part& added = item.parts[index];
        if (type == "input_image") added = Part{.kind = Part::Kind::image, .detail = image_detail(member(json, "detail"))};
        else if (type == "input_audio" || type == "output_audio" || type == "audio") added.kind = Part::Kind::audio;
    }
    Part& part = item.parts[index];
    std::string_view text = member(json, part.kind == Part::Kind::image ? "image_url" : "text");
    if (text.empty()) text = member(json, "transcript");
    if (text.empty()) return;
    if (item.role == Role::user && part.kind == Part::Kind::audio) {
        if (item.transcribed) return;  // by an event of its own, which is the newer word
        item.transcribed = true;
    }
    // What is longer was said: a service forgets the end of what was cut off, and an item that it was told again has only what was heard.
    const bool shorter = text.size() < part.text.size();
    if (shorter && (part.is_final || item.heard)) return;
    if (text != part.text) set_text(item, part, text);
    part.is_final = part.is_final || is_final;
}

void History::read_function(Item& item, const json::object& json) const
{
    const bool call = item.role == Role::call;
    const std::string_view status = member(json, "status"), text = member(json, call ? "arguments" : "output");
    if (item.call_id.empty()) item.call_id = member(json, "call_id");
    if (item.name.empty()) item.name = member(json, "name");
    if (item.parts.empty()) item.parts.emplace_back();
    if (item.complete) return;
    if (!text.empty()) set_text(item, item.parts.front(), text);
    item.complete = !call || status == "completed" || (status.empty() && !text.empty());
    item.line_due = item.line_due || item.complete;
}

/// Within what one item may have of the memory. What is no text as soon as its end is missing goes whole.
void History::set_text(Item& item, Part& part, std::string_view text) const
{
    std::size_t others = 0;
    for (const Part& each : item.parts)
        if (&each != &part) others += each.text.size();
    const std::size_t room = settings_.bytes_max / 2 - std::min(others, settings_.bytes_max / 2);
    std::string_view fits = utf8_prefix(text, room);
    if (fits.size() < text.size()) item.shortened = true;
    if (fits.size() < text.size() && part.kind == Part::Kind::image) fits = {};
    part.text.assign(fits);
}

// ── from the conversation ────────────────────────────────────────────────────────────────────────────────────────────────────

void History::on_heard(std::string_view item_id, std::int64_t heard_ms, std::int64_t audio_ms, bool cut)
{
    const auto item = locate(item_id);
    if (item == items_.end() || item->role != Role::assistant) return;
    if (audio_ms <= 0 && item->heard) audio_ms = item->heard->audio_ms;
    audio_ms = std::max<std::int64_t>(audio_ms, 0);
    heard_ms = std::max<std::int64_t>(heard_ms, 0);
    if (audio_ms > 0) heard_ms = std::min(heard_ms, audio_ms);
    // Broken off and then played to the end of what had come of it: that is no end of its text.
    const bool broken_off = item->heard && item->heard->cut && item->heard->ms == item->heard->audio_ms && !item->complete;
    if (broken_off && audio_ms <= item->heard->audio_ms + same_audio_ms) cut = true;
    if (item->heard && item->heard->ms == heard_ms && item->heard->audio_ms == audio_ms && item->heard->cut == cut) return;
    item->heard = Report{heard_ms, audio_ms, cut, item->complete};
    item->line_due = lines_due_ = true;
    learn_rate(*item);
}

void History::learn_rate(const Item& item)
{
    if (!item.complete || item.heard->cut || item.heard->ms < item.heard->audio_ms || item.heard->audio_ms < rate_audio_ms_min) return;
    const std::int64_t weight = speech_weight(words(item));
    if (weight == 0) return;
    const double measured = static_cast<double>(item.heard->audio_ms) / static_cast<double>(weight);
    const double sensible = std::clamp(measured, fastest_ms_per_weight, slowest_ms_per_weight);
    ms_per_weight_ = ms_per_weight_ == 0 ? sensible : (ms_per_weight_ + sensible) / 2;
}

// ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

History::Items::iterator History::locate(std::string_view item_id)
{
    // From the end: it is nearly always a recent one that is spoken of.
    const auto found = std::find_if(items_.rbegin(), items_.rend(), [&](const Item& item) { return item.id == item_id && !item.deleted; });
    return found == items_.rend() ? items_.end() : std::prev(found.base());
}

const History::Item* History::find(std::string_view item_id) const
{
    const auto found = std::find_if(items_.rbegin(), items_.rend(), [&](const Item& item) { return item.id == item_id && !item.deleted; });
    return found == items_.rend() ? nullptr : &*found;
}

History::Items::iterator History::locate_or_add(std::string_view item_id, Role role)
{
    const auto found = locate(item_id);
    if (found != items_.end() || item_id.empty() || item_id == note_item_id || is_forgotten(item_id)) return found;
    return add(item_id, role, std::nullopt);
}

History::Items::iterator History::add(std::string_view item_id, Role role, std::optional<std::string_view> previous_item_id)
{
    std::string waits_for;
    const auto place = previous_item_id ? place_behind(item_id, *previous_item_id, waits_for) : first_that_waits_for(item_id);
    const auto added = items_.insert(place, Item{.id = std::string(item_id), .role = role, .waits_for = std::move(waits_for)});
    added->placed = previous_item_id.has_value();
    seat_waiting(added);
    return added;
}

/// Before which item. Behind one that is not known (yet): at the end, and it is remembered.
History::Items::iterator History::place_behind(std::string_view item_id, std::string_view previous_item_id, std::string& waits_for)
{
    if (previous_item_id == "root") return items_.begin();
    const auto previous = locate(previous_item_id);
    if (previous != items_.end()) return std::next(previous);
    if (!is_forgotten(previous_item_id)) waits_for = previous_item_id;
    return first_that_waits_for(item_id);
}

History::Items::iterator History::first_that_waits_for(std::string_view item_id)
{
    return std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.waits_for == item_id; });
}

void History::place_again(Items::iterator item, std::string_view previous_item_id)
{
    item->placed = true;
    const bool known = previous_item_id == "root" || locate(previous_item_id) != items_.end();
    std::string waits_for;
    const auto place = place_behind(item->id, previous_item_id, waits_for);
    item->waits_for = std::move(waits_for);
    if (known && place != item) items_.splice(place, items_, item);
}

/// Those that came before the item behind which they stand.
void History::seat_waiting(Items::iterator placed)
{
    const auto behind = std::next(placed);
    bool before = true;
    for (auto it = items_.begin(); it != items_.end();) {
        const auto item = it++;
        if (item == placed) before = false;
        if (item->waits_for != placed->id) continue;
        item->waits_for.clear();
        if (before) items_.splice(behind, items_, item);
    }
}

// ── memory ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

bool History::is_forgotten(std::string_view item_id) const { return std::find(forgotten_.begin(), forgotten_.end(), item_id) != forgotten_.end(); }

void History::forget(std::string_view item_id)
{
    if (item_id.empty() || is_forgotten(item_id)) return;
    forgotten_.emplace_back(item_id);
    if (forgotten_.size() > forgotten_ids_max) forgotten_.pop_front();
}

void History::changed(Item& item)
{
    bytes_ -= item.bytes;
    item.bytes = sizeof(Item) + item.id.size() + item.call_id.size() + item.name.size();
    for (const Part& part : item.parts) item.bytes += sizeof(Part) + part.text.size();
    bytes_ += item.bytes;
    if (item.line_due) lines_due_ = true;
    keep_within_limits();
}

void History::keep_within_limits()
{
    bool system_passed = false;
    for (auto it = items_.begin(); std::next(it) != items_.end() && (items_.size() > settings_.items_max || bytes_ > settings_.bytes_max);) {
        if (it->role == Role::system && !it->deleted && !std::exchange(system_passed, true)) {
            ++it;
            continue;
        }
        const auto next = std::next(it);
        if (!it->deleted) {
            ++items_forgotten_;
            if (it->role == Role::user && next->role != Role::user) ++turns_forgotten_;
            forget(it->id);
        }
        bytes_ -= it->bytes;
        it = items_.erase(it);
    }
}

// ── what is known ────────────────────────────────────────────────────────────────────────────────────────────────────────────

std::string History::words(const Item& item)
{
    std::string all;
    for (const Part& part : item.parts) {
        if (part.text.empty() || part.kind == Part::Kind::image) continue;
        if (!all.empty()) all += '\n';
        all += part.text;
    }
    return all;
}

bool History::is_spoken(const Item& item)
{
    return std::any_of(item.parts.begin(), item.parts.end(), [](const Part& part) { return part.kind == Part::Kind::audio; });
}

std::string History::heard_words(const Item& item) const
{
    std::string text = words(item);
    if (!item.heard || item.role != Role::assistant) return text;
    const Report& heard = *item.heard;
    if (!heard.cut && heard.ms >= heard.audio_ms) return text;
    // The text runs ahead of its sound: while that had not come to its end, the text says more than came of the sound.
    auto audio_ms = static_cast<double>(heard.audio_ms);
    if (!heard.audio_whole || heard.audio_ms == 0) {
        const double ms_per_weight = ms_per_weight_ > 0 ? ms_per_weight_ : typical_ms_per_weight;
        audio_ms = std::max(audio_ms, static_cast<double>(speech_weight(text)) * ms_per_weight);
    }
    if (audio_ms <= 0) return {};
    return std::string(leading_words(text, static_cast<double>(heard.ms) / audio_ms));
}

std::string History::heard_text(std::string_view item_id) const
{
    const Item* item = find(item_id);
    return item ? heard_words(*item) : std::string();
}

const History::Item* History::last_user() const
{
    const auto found = std::find_if(items_.rbegin(), items_.rend(), [](const Item& item) { return item.role == Role::user && !item.deleted; });
    return found == items_.rend() ? nullptr : &*found;
}

bool History::needs_audio_of_last_turn() const
{
    const Item* user = last_user();
    return user && is_spoken(*user) && !user->transcribed && words(*user).empty();
}

std::string_view History::last_user_item() const
{
    const Item* user = last_user();
    return user ? std::string_view(user->id) : std::string_view();
}

}  // namespace repartee::conversation
