#include "sentence_end.hpp"

#include "code_point.hpp"
#include "emoji.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace repartee::engine {
namespace {

using Kind = Boundary::Kind;

// So that a row of marks without end is not waited for.
constexpr std::size_t run_characters_max = 32;
constexpr std::size_t list_digits_max = 3;

constexpr char32_t ellipsis = 0x2026;

bool is_wide_mark(char32_t c) { return c == 0x3002 || c == 0xFF01 || c == 0xFF1F; }  // 。！？
bool is_end_mark(char32_t c) { return c == '.' || c == '!' || c == '?' || c == ellipsis || is_wide_mark(c); }
bool is_wide_clause_mark(char32_t c) { return c == 0xFF0C || c == 0x3001 || c == 0xFF1B || c == 0xFF1A || c == 0x2014; }  // ，、；：—
bool is_clause_mark(char32_t c) { return c == ',' || c == ';' || c == ':' || c == '~' || is_wide_clause_mark(c); }

/// Quotes and brackets that belong to what they close, Markdown that does the same, and pictures behind a sentence.
bool is_closer(char32_t c)
{
    constexpr std::u32string_view closers = U"\"')]}*_~`\u201D\u2019\u300D\u300F\u00BB\u300B\u3009\uFF09";
    return closers.find(c) != closers.npos || is_emoji(c);
}

/// A row of end marks and what closes behind it.
struct Run {
    std::size_t end = 0;
    std::size_t dots = 0;
    bool loud = false;   ///< ! or ?
    bool wide = false;
    bool trails_off = false;  ///< … or more than one dot
    bool whole = true;   ///< false: it may go on
};

Run run_at(std::string_view text, std::size_t at, bool whole)
{
    Run run;
    std::size_t i = at;
    for (std::size_t n = 0; n < run_characters_max; ++n) {
        if (i == text.size()) {
            run.whole = whole;
            break;
        }
        const CodePoint c = code_point_at(text, i);
        if (!c.whole && !whole) {
            run.whole = false;
            break;
        }
        if (!is_end_mark(c.value) && !is_closer(c.value)) break;
        run.dots += c.value == '.' ? 1 : 0;
        run.loud |= c.value == '!' || c.value == '?';
        run.wide |= is_wide_mark(c.value);
        run.trails_off |= c.value == ellipsis || run.dots > 1;
        i += c.bytes;
    }
    run.end = i;
    return run;
}

std::size_t digits_before(std::string_view text, std::size_t at)
{
    std::size_t n = 0;
    while (n < at && is_digit(static_cast<unsigned char>(text[at - n - 1]))) ++n;
    return n;
}

/// 2026.11.21 or 2026. 11. 21 before `at`.
bool is_date_before(std::string_view text, std::size_t at)
{
    for (int part = 0; part < 2; ++part) {
        const std::size_t digits = digits_before(text, at);
        if (digits == 0 || digits > 2) return false;
        at -= digits;
        if (at > 0 && text[at - 1] == ' ') --at;
        if (at == 0 || text[at - 1] != '.') return false;
        --at;
    }
    const std::size_t digits = digits_before(text, at);
    return digits == 2 || digits == 4;
}

/// "3" and nothing but list and emphasis marks between the line's start and `at`.
bool is_list_number_before(std::string_view text, std::size_t line, std::size_t at)
{
    const std::size_t digits = digits_before(text, at);
    if (digits == 0 || digits > list_digits_max || line > at - digits) return false;
    return text.substr(line, at - digits - line).find_first_not_of(" \t>#*_-+") == std::string_view::npos;
}

std::string_view word_before(std::string_view text, std::size_t at)
{
    std::size_t begin = at;
    while (begin > 0 && (text[begin - 1] == '.' || is_letter(static_cast<unsigned char>(text[begin - 1])))) --begin;
    return text.substr(begin, at - begin);
}

bool equals_any_case(std::string_view a, std::string_view b)
{
    return std::ranges::equal(a, b, [](char x, char y) { return (is_upper(static_cast<unsigned char>(x)) ? x - 'A' + 'a' : x) == y; });
}

/// Whether a dot behind `word` is a part of it. `next`: what follows the space.
bool is_abbreviation(std::string_view word, char32_t next)
{
    constexpr std::array<std::string_view, 17> always = {"mr", "mrs", "ms", "dr", "prof", "st", "vs", "e.g", "i.e", "fig", "approx",
                                                         "u.s", "u.k", "inc", "ltd", "jr", "sr"};
    if (word.size() == 1) return is_upper(static_cast<unsigned char>(word.front()));  // J. Kim
    if (equals_any_case(word, "no")) return is_digit(next);                            // No. 7
    if (equals_any_case(word, "a.m") || equals_any_case(word, "p.m")) return is_digit(next);
    return std::ranges::any_of(always, [word](std::string_view known) { return equals_any_case(word, known); });
}

bool is_hangul_before(std::string_view text, std::size_t at) { return at >= 3 && is_hangul(code_point_at(text, at - 3).value); }

/// Whether the single dot at `at`, with white space behind its run, belongs to what is before it. nullopt: what follows the space decides.
std::optional<bool> dot_is_inside(std::string_view text, std::size_t at, std::size_t line, std::size_t after, bool whole)
{
    if (is_list_number_before(text, line, at)) return true;
    if (is_hangul_before(text, at)) return false;
    if (after == text.size()) return whole ? std::optional(false) : std::nullopt;
    const CodePoint next = code_point_at(text, after);
    if (!next.whole && !whole) return std::nullopt;
    if (is_lower(next.value)) return true;
    if (digits_before(text, at) > 0) return is_digit(next.value) || (is_date_before(text, at) && !is_space(next.value));
    const std::string_view word = word_before(text, at);
    return !word.empty() && !is_space(next.value) && is_abbreviation(word, next.value);
}

Boundary at_end_mark(std::string_view text, std::size_t at, std::size_t line, bool whole)
{
    const Run run = run_at(text, at, whole);
    if (!run.whole) return {Kind::unknown, run.end};
    if (run.end == text.size()) return {whole ? Kind::sentence : Kind::unknown, run.end};  // a row cut at its greatest length

    const CodePoint next = code_point_at(text, run.end);
    if (!next.whole && !whole) return {Kind::unknown, run.end};
    if (!is_space(next.value)) {
        const bool ends = run.wide || (run.trails_off && !run.loud && run.dots == 0 && !is_lower(next.value) && !is_hangul(next.value));
        return {ends ? Kind::sentence : Kind::none, run.end};
    }
    const std::size_t after = run.end + next.bytes;
    if (next.value == '\n') return {Kind::line, after};
    if (run.loud || run.wide) return {Kind::sentence, after};

    if (run.trails_off) {
        if (is_hangul_before(text, at)) return {Kind::sentence, after};
        if (after == text.size()) return {whole ? Kind::sentence : Kind::unknown, after};
        const CodePoint word = code_point_at(text, after);
        if (!word.whole && !whole) return {Kind::unknown, after};
        return {is_lower(word.value) ? Kind::none : Kind::sentence, is_lower(word.value) ? run.end : after};
    }
    const auto inside = dot_is_inside(text, at, line, after, whole);
    if (!inside) return {Kind::unknown, after};
    if (*inside) return {Kind::none, run.end};
    return {Kind::sentence, after};
}

Boundary at_clause_mark(std::string_view text, std::size_t at, CodePoint mark, bool whole)
{
    const std::size_t behind = at + mark.bytes;
    std::size_t i = behind;
    for (std::size_t n = 0; n < run_characters_max; ++n) {
        if (i == text.size()) return {whole ? Kind::none : Kind::unknown, behind};
        const CodePoint c = code_point_at(text, i);
        if (!c.whole && !whole) return {Kind::unknown, behind};
        if (is_space(c.value)) return {c.value == '\n' ? Kind::line : Kind::clause, i + c.bytes};
        if (!is_closer(c.value)) return is_wide_clause_mark(mark.value) ? Boundary{Kind::clause, i} : Boundary{Kind::none, behind};
        i += c.bytes;
    }
    return {Kind::none, behind};
}

/// …지만 …는데 …니까 with a space behind: where Korean speakers breathe.
bool is_connective_before(std::string_view text, std::size_t at)
{
    const std::string_view before = text.substr(0, at);
    for (const std::string_view ending : {"지만", "는데", "니까"})
        if (before.ends_with(ending) && is_hangul_before(text, at - ending.size())) return true;
    return false;
}

}  // namespace

Boundary boundary_at(std::string_view text, std::size_t at, std::size_t line, bool whole)
{
    const CodePoint c = code_point_at(text, at);
    if (!c.whole && !whole) return {Kind::unknown, at};
    if (c.value == '\n') return {Kind::line, at + 1};
    if (is_end_mark(c.value)) return at_end_mark(text, at, line, whole);
    if (is_clause_mark(c.value)) return at_clause_mark(text, at, c, whole);
    if (c.value == ' ' && is_connective_before(text, at)) return {Kind::clause, at + 1};
    return {Kind::none, at + c.bytes};
}

}  // namespace repartee::engine
