#include "repartee/providers/text.hpp"

#include "repartee/base/quoted.hpp"

namespace repartee::providers {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

/// Where a piece that may reach up to `text`'s end had best end: behind a sentence, or a space; 0 when there is neither.
std::size_t best_end(std::string_view text)
{
    std::size_t sentence = 0, space = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != ' ') continue;
        space = i + 1;
        if (i > 0 && (text[i - 1] == '.' || text[i - 1] == '?' || text[i - 1] == '!')) sentence = i + 1;
    }
    return sentence != 0 ? sentence : space;
}

}  // namespace

std::string_view cut(std::string_view text, std::size_t characters_max)
{
    std::size_t characters = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (continues_utf8_character(text[i])) continue;
        if (characters++ == characters_max) return text.substr(0, i);
    }
    return text;
}

std::string lower_case(std::string_view text)
{
    std::string lower(text);
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return lower;
}

std::string_view trim(std::string_view text)
{
    constexpr std::string_view white = " \t\r\n\v\f";
    const std::size_t first = text.find_first_not_of(white);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(white) - first + 1);
}

std::string one_line(std::string_view text, std::size_t characters_max)
{
    std::string line;
    for (std::size_t i = 0; i < text.size(); ++i) {
        // C1 controls are C2 80 … C2 9F.
        const bool is_c1 = text[i] == '\xC2' && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (is_c1) ++i;
        if (!is_c1 && !is_control(text[i]) && text[i] != ' ') {
            line += text[i];
            continue;
        }
        if (!line.empty() && line.back() != ' ') line += ' ';
    }
    std::string_view shown = cut(line, characters_max);
    if (shown.ends_with(' ')) shown.remove_suffix(1);
    return std::string(shown);
}

std::vector<std::string> split_for_speech(std::string_view text, std::size_t characters_max)
{
    std::vector<std::string> pieces;
    while (!text.empty()) {
        std::string_view piece = cut(text, characters_max);
        if (piece.size() < text.size()) {
            const std::size_t end = best_end(piece);
            if (end != 0) piece = piece.substr(0, end);
        }
        text.remove_prefix(piece.size());
        while (piece.ends_with(' ')) piece.remove_suffix(1);
        if (!piece.empty()) pieces.emplace_back(piece);
    }
    return pieces;
}

}  // namespace repartee::providers
