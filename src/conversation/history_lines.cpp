#include "repartee/conversation/history.hpp"

#include <utility>

namespace repartee::conversation {

Line History::line_of(const Item& item) const
{
    Line line{.number = item.number, .item_id = item.id, .role = "tool", .text = words(item), .changed_again = item.line_given};
    if (item.role == Role::call) line.text = item.name + "(" + line.text + ")";
    if (item.role == Role::user) line.role = "user";
    if (item.role == Role::system) line.role = "system";
    line.heard = line.text;
    if (item.role != Role::assistant) return line;

    line.role = "assistant";
    if (!item.heard) return line;
    line.heard = heard_words(item);
    line.cut = item.heard->cut;
    line.heard_ms = item.heard->ms;
    line.audio_ms = item.heard->audio_ms;
    return line;
}

std::vector<Line> History::take_changed_lines(bool all)
{
    const auto is_settled = [](const Item& item) {
        switch (item.role) {
        case Role::user: return item.transcribed || item.transcript_failed || !is_spoken(item);
        case Role::system: return true;
        case Role::call:
        case Role::output: return item.complete;
        case Role::assistant: break;
        }
        bool text_final = !item.parts.empty();
        for (const Part& part : item.parts) text_final = text_final && (part.is_final || part.text.empty());
        return item.complete || item.heard.has_value() || text_final;
    };
    std::vector<Line> lines;
    if (!all && !std::exchange(lines_due_, false)) return lines;
    for (auto it = items_.begin(); it != items_.end();) {
        const auto item = it++;
        // Also of what is not said yet, so that what the user said stands before the answer however late it becomes known.
        if (item->number == 0) item->number = ++lines_;
        if (item->line_due && (all || item->deleted || is_settled(*item))) {
            item->line_due = false;
            // Deleted, it is most likely said again.
            const bool unknown_words = item->role == Role::user && is_spoken(*item) && !item->transcribed && !item->deleted;
            if (unknown_words || !words(*item).empty() || item->role == Role::call || item->role == Role::output) {
                lines.push_back(line_of(*item));
                item->line_given = true;
            }
        }
        if (!item->deleted) continue;
        bytes_ -= item->bytes;
        items_.erase(item);
    }
    return lines;
}

}  // namespace repartee::conversation
