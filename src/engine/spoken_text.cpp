#include "repartee/engine/spoken_text.hpp"

#include "code_point.hpp"
#include "inline_text.hpp"

#include <algorithm>

namespace repartee::engine {
namespace {

constexpr std::size_t fence_marks_min = 3;
constexpr std::size_t list_digits_max = 3;

std::string_view trimmed(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// The character of a fence's line, else 0.
char fence_of(std::string_view line)
{
    const std::string_view text = trimmed(line);
    for (const char mark : {'`', '~'}) {
        const std::size_t marks = std::min(text.find_first_not_of(mark), text.size());
        // ```code``` on one line is inline code.
        if (marks >= fence_marks_min && text.substr(marks).find(mark) == std::string_view::npos) return mark;
    }
    return 0;
}

/// --- *** ___ === and the like.
bool is_rule(std::string_view line)
{
    const std::string_view text = trimmed(line);
    if (text.empty() || std::string_view("-*_=").find(text.front()) == std::string_view::npos) return false;
    const auto marks = std::ranges::count(text, text.front());
    return marks >= 3 && std::ranges::all_of(text, [&](char c) { return c == text.front() || c == ' '; });
}

bool is_blank(std::string_view text, std::size_t at) { return at < text.size() && (text[at] == ' ' || text[at] == '\t'); }

/// Bytes of one mark at the start of a line: quote, heading, bullet, check box, number of a list.
std::size_t mark_bytes(std::string_view text)
{
    if (text.starts_with('>')) return 1;
    const std::size_t hashes = std::min(text.find_first_not_of('#'), text.size());
    if (hashes > 0 && hashes <= 6 && (is_blank(text, hashes) || hashes == text.size())) return hashes;
    for (const std::string_view bullet : {"-", "*", "+", "•", "◦", "▪", "‣", "·", "○", "●", "[ ]", "[x]", "[X]"})
        if (text.starts_with(bullet) && is_blank(text, bullet.size())) return bullet.size();
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const bool numbered = digits > 0 && digits <= list_digits_max && digits < text.size() && (text[digits] == '.' || text[digits] == ')');
    if (!numbered || !is_blank(text, digits + 1)) return 0;
    // "3." alone is an answer, "11. 21." a date.
    const std::string_view behind = trimmed(text.substr(digits + 1));
    return behind.empty() || is_digit(static_cast<unsigned char>(behind.front())) ? 0 : digits + 1;
}

std::string_view without_line_marks(std::string_view line)
{
    for (;;) {
        line = trimmed(line);
        const std::size_t bytes = mark_bytes(line);
        if (bytes == 0) return line;
        line.remove_prefix(bytes);
    }
}

/// | a | b | → "a, b"; a line of dashes between → "".
std::string table_row(std::string_view line)
{
    if (line.find_first_not_of("|-: ") == std::string_view::npos) return {};
    std::string cells;
    while (!line.empty()) {
        const std::size_t end = std::min(line.find('|'), line.size());
        const std::string_view cell = trimmed(line.substr(0, end));
        if (!cell.empty()) cells.append(cells.empty() ? "" : ", ").append(cell);
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    return cells;
}

/// Runs of spaces as one, no brackets without content, no space before a comma: what taken out words leave behind.
std::string tidy(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool after_space = out.empty() || out.back() == ' ';
        if (c == ' ' && after_space) continue;
        if (c == ')' || c == ']') {
            const std::string_view before = trimmed(out);
            if (before.ends_with(c == ')' ? '(' : '[')) {
                out.resize(before.size() - 1);
                continue;
            }
        }
        const bool ends_clause = std::string_view(".,!?;:").find(c) != std::string_view::npos;
        if (ends_clause && after_space && !out.empty() && (i + 1 == text.size() || text[i + 1] == ' ')) out.pop_back();
        out += c;
    }
    return std::string(trimmed(out));
}

bool has_any_sound(std::string_view text)
{
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint c = code_point_at(text, at);
        if (has_sound(c.value)) return true;
        at += c.bytes;
    }
    return false;
}

}  // namespace

std::string SpokenText::take(std::string_view piece)
{
    std::string speech;
    while (!piece.empty()) {
        const std::size_t end = piece.find('\n');
        const bool line_ends = end != std::string_view::npos;
        const std::string line = take_line(piece.substr(0, end));
        if (!line.empty()) speech.append(speech.empty() ? "" : " ").append(line);
        in_address_ = in_address_ && !line_ends;
        at_line_start_ = line_ends || (at_line_start_ && trimmed(piece).empty());
        piece.remove_prefix(line_ends ? end + 1 : piece.size());
    }
    speech = tidy(speech);
    return has_any_sound(speech) ? speech : std::string();
}

std::string SpokenText::take_line(std::string_view line)
{
    if (at_line_start_) {
        const char fence = fence_of(line);
        if (fence != 0 && (fence_ == 0 || fence == fence_)) {
            fence_ = fence_ == 0 ? fence : static_cast<char>(0);
            return {};
        }
    }
    if (fence_ != 0) return {};
    if (!at_line_start_) return spoken_inline(line, in_address_);
    if (is_rule(line)) return {};
    line = without_line_marks(line);
    if (line.starts_with('|')) return spoken_inline(table_row(line), in_address_);
    return spoken_inline(line, in_address_);
}

}  // namespace repartee::engine
