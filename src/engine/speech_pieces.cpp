#include "repartee/engine/speech_pieces.hpp"

namespace repartee::engine {
namespace {

// A piece this long is cut at a space even without an end mark: the listener should not wait for it.
constexpr std::size_t piece_bytes_max = 400;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes of the sentence end mark at `i`, 0 when there is none.
std::size_t end_mark(std::string_view text, std::size_t i)
{
    if (text[i] == '.' && i > 0 && is_digit(text[i - 1]) && i + 1 < text.size() && is_digit(text[i + 1])) return 0;  // 3.5
    if (text[i] == '.' || text[i] == '!' || text[i] == '?' || text[i] == '\n') return 1;
    for (const std::string_view wide : {"。", "！", "？", "…"})
        if (text.substr(i).starts_with(wide)) return wide.size();
    return 0;
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t'; }

}  // namespace

std::string SpeechPieces::next(bool end_of_reply)
{
    std::size_t cut = 0;
    for (std::size_t i = 0; i < text_.size() && cut == 0; ++i) {
        std::size_t mark = end_mark(text_, i);
        if (mark == 0) {
            if (i >= piece_bytes_max && is_space(text_[i])) cut = i + 1;
            continue;
        }
        std::size_t end = i + mark;
        while (end < text_.size() && (end_mark(text_, end) != 0 || text_[end] == '"' || text_[end] == '\'' || text_[end] == ')')) ++end;
        // The mark may go on in the next delta ("3." + "5"), so a sentence is whole when something follows it.
        if (end == text_.size()) break;
        if (!is_space(text_[end]) && text_[i] == '.') continue;  // "example.com"
        while (end < text_.size() && is_space(text_[end])) ++end;
        cut = end;
    }
    if (cut == 0) {
        if (!end_of_reply) return {};
        cut = text_.size();
    }
    std::string piece = text_.substr(0, cut);
    text_.erase(0, cut);
    return piece;
}

}  // namespace repartee::engine
