#pragma once
#include <string>
#include <string_view>

namespace repartee::engine {

/// Takes out of written text what a voice cannot or should not say: Markdown (emphasis, headings, bullets, quotes, rules, tables, links → their
/// words, inline code → its words, fenced code → nothing), HTML tags, web and mail addresses, emoji (with modifiers, joiners, flags, keycaps), runs
/// of ㅋ ㅎ ㅠ ㅜ, control characters. Numbers, units and punctuation stay: voices read those. Keeps the state of a fence from one piece to the next.
/// Pure.
class SpokenText {
public:
    /// One line; empty when nothing that has a sound is left (letters, digits or signs that are read: % ℃ $ €).
    std::string take(std::string_view piece);

private:
    std::string take_line(std::string_view line);

    bool at_line_start_ = true;
    bool in_address_ = false;
    char fence_ = 0;  ///< the character of the fence that is open
};

}  // namespace repartee::engine
