#include "repartee/conversation/history.hpp"

#include "history_note.hpp"
#include "history_text.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace repartee::conversation {
namespace {

constexpr std::int64_t tokens_around_an_item = 4;
constexpr std::int64_t image_tokens = 800;
// The output of a call may still come in the turn in which it was made and in the next one.
constexpr std::size_t turns_with_open_calls = 2;
constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

json::value text_value(std::string_view text) { return json::value(boost::json::string_view(text.data(), text.size())); }

json::object text_part(std::string_view type, std::string_view text) { return {{"type", text_value(type)}, {"text", text_value(text)}}; }

json::object message(std::string_view id, std::string_view role, json::array content)
{
    return {{"id", text_value(id)}, {"type", "message"}, {"role", text_value(role)}, {"content", std::move(content)}};
}

}  // namespace

/// An item that a new service could be told of.
struct History::Candidate {
    const Item* item;
    std::size_t position;        ///< in the conversation, from 1
    std::size_t turn;            ///< with which it goes
    std::int64_t tokens = 0;
    std::size_t partner = none;  ///< index: of a call's output, of an output's call
    bool pinned = false, keep = true;
    std::string heard{};         ///< assistant
};

struct History::Selection {
    std::vector<Candidate> all{};
    std::size_t last_turn = 0, audio_position = 0;
    std::int64_t tokens = 0;
    std::size_t items_left_out = 0, turns_left_out = 0;

    void pair_functions();
    void count_tokens();
    void leave_out(std::size_t i);
    void fit(std::int64_t tokens_max);
    bool character_spoke() const;
    bool korean() const;
};

History::Selection History::selection() const
{
    Selection selection{.items_left_out = items_forgotten_, .turns_left_out = turns_forgotten_};
    const Item* const by_audio = needs_audio_of_last_turn() ? last_user() : nullptr;
    std::size_t position = 0;
    bool after_user = false, system_pinned = false;
    for (const Item& item : items_) {
        ++position;
        if (item.deleted) continue;
        if (item.role == Role::user && !std::exchange(after_user, true)) ++selection.last_turn;
        if (&item == by_audio) selection.audio_position = position;

        Candidate candidate{.item = &item, .position = position, .turn = selection.last_turn};
        std::string text = item.role == Role::assistant ? heard_words(item) : words(item);
        const bool function = item.role == Role::call || item.role == Role::output;
        // Arguments whose end is missing are no JSON.
        if (function && (!item.complete || item.call_id.empty() || (item.role == Role::call && (item.name.empty() || item.shortened)))) continue;
        const auto images = std::count_if(item.parts.begin(), item.parts.end(),
                                          [](const Part& part) { return part.kind == Part::Kind::image && !part.text.empty(); });
        if (!function && text.empty() && images == 0) continue;

        if (item.role == Role::assistant || function) after_user = false;
        if (item.role == Role::system) candidate.pinned = !std::exchange(system_pinned, true);
        candidate.tokens = tokens_around_an_item + estimated_tokens(text) + estimated_tokens(item.name) + images * image_tokens;
        if (item.role == Role::assistant) candidate.heard = std::move(text);
        selection.all.push_back(std::move(candidate));
    }
    selection.pair_functions();
    selection.count_tokens();
    return selection;
}

/// A call goes with the turn of its output.
void History::Selection::pair_functions()
{
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (all[i].item->role != Role::output) continue;
        for (std::size_t k = i; k-- > 0;) {
            if (all[k].item->role != Role::call || all[k].partner != none || all[k].item->call_id != all[i].item->call_id) continue;
            all[k].partner = i;
            all[k].turn = all[i].turn;
            all[i].partner = k;
            break;
        }
    }
    for (Candidate& candidate : all) {
        if (candidate.partner != none) continue;
        if (candidate.item->role == Role::output) candidate.keep = false;
        if (candidate.item->role == Role::call) candidate.keep = candidate.turn + turns_with_open_calls > last_turn;
    }
}

void History::Selection::count_tokens()
{
    for (const Candidate& candidate : all) tokens += candidate.keep ? candidate.tokens : 0;
}

void History::Selection::leave_out(std::size_t i)
{
    if (i == none || !all[i].keep) return;
    all[i].keep = false;
    tokens -= all[i].tokens;
    ++items_left_out;
}

void History::Selection::fit(std::int64_t tokens_max)
{
    std::size_t newest = none;
    for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i].keep) newest = i;
    for (std::size_t turn = 0; turn < last_turn && tokens > tokens_max; ++turn) {
        const std::size_t before = items_left_out;
        for (std::size_t i = 0; i < all.size(); ++i)
            if (all[i].turn == turn && !all[i].pinned) leave_out(i);
        if (items_left_out > before) ++turns_left_out;
    }
    for (std::size_t i = 0; i < all.size() && tokens > tokens_max; ++i) {
        if (all[i].pinned || all[i].item->role == Role::user || i == newest || all[i].partner == newest) continue;
        leave_out(all[i].partner);
        leave_out(i);
    }
}

bool History::Selection::character_spoke() const
{
    return std::any_of(all.begin(), all.end(), [](const Candidate& candidate) { return candidate.item->role == Role::assistant; });
}

/// By what the character said last, or the user when it said nothing.
bool History::Selection::korean() const
{
    const Role speaker = character_spoke() ? Role::assistant : Role::user;
    for (auto it = all.rbegin(); it != all.rend(); ++it)
        if (it->item->role == speaker) return has_hangul(speaker == Role::assistant ? it->heard : words(*it->item));
    return false;
}

History::Replay History::replay() const
{
    Selection selected = selection();
    const bool korean = selected.korean();
    selected.fit(settings_.replay_tokens_max - tokens_around_an_item - estimated_tokens(replay_note(items_forgotten_ + settings_.items_max, korean)));

    Replay replay;
    replay.items_left_out = selected.items_left_out;
    replay.tokens = selected.tokens;
    const auto create = [&](json::object item) {
        replay.item_ids.emplace_back(json::find_string(item, "id").value_or(""));
        const json::object event{{"type", "conversation.item.create"},
                                 {"event_id", "repartee_replay_" + std::to_string(replay.events.size() + 1)},
                                 {"item", std::move(item)}};
        replay.events.push_back(json::to_text(event));
    };
    if (selected.character_spoke() || selected.turns_left_out > 0) {
        const std::string note = replay_note(selected.turns_left_out, korean);
        replay.tokens += tokens_around_an_item + estimated_tokens(note);
        create(message(note_item_id, "system", {text_part("input_text", note)}));
    }
    for (const Candidate& candidate : selected.all) {
        if (!candidate.keep) continue;
        if (selected.audio_position > 0 && !replay.audio_at && candidate.position > selected.audio_position) replay.audio_at = replay.events.size();
        create(json_of(candidate));
    }
    if (selected.audio_position > 0 && !replay.audio_at) replay.audio_at = replay.events.size();
    return replay;
}

json::object History::json_of(const Candidate& candidate)
{
    const Item& item = *candidate.item;
    const auto own_text = [&] { return item.parts.empty() ? std::string_view() : std::string_view(item.parts.front().text); };
    switch (item.role) {
    case Role::assistant: return message(item.id, "assistant", {text_part("output_text", candidate.heard)});
    case Role::system: return message(item.id, "system", {text_part("input_text", words(item))});
    case Role::call:
        return {{"id", text_value(item.id)}, {"type", "function_call"}, {"call_id", text_value(item.call_id)}, {"name", text_value(item.name)},
                {"arguments", text_value(own_text().empty() ? "{}" : own_text())}};
    case Role::output:
        return {{"id", text_value(item.id)}, {"type", "function_call_output"}, {"call_id", text_value(item.call_id)},
                {"output", text_value(own_text())}};
    case Role::user: break;
    }
    json::array content;
    for (const Part& part : item.parts) {
        if (part.text.empty()) continue;
        if (part.kind == Part::Kind::image)
            content.push_back(json::object{{"type", "input_image"}, {"image_url", text_value(part.text)}, {"detail", text_value(part.detail)}});
        else
            content.push_back(text_part("input_text", part.text));
    }
    return message(item.id, "user", std::move(content));
}

}  // namespace repartee::conversation
