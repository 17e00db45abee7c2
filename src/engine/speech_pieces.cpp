#include "repartee/engine/speech_pieces.hpp"

#include "code_point.hpp"
#include "sentence_end.hpp"

#include <algorithm>

namespace repartee::engine {
namespace {

using Kind = Boundary::Kind;

constexpr std::size_t no_line = std::string_view::npos;

}  // namespace

SpeechPieces::SpeechPieces() : SpeechPieces(PieceRules{}) {}

SpeechPieces::SpeechPieces(PieceRules rules) : rules_(rules) { rules_.chars_max = std::max<std::size_t>(rules_.chars_max, 1); }

std::optional<SpeechPiece> SpeechPieces::next(bool end_of_reply)
{
    const std::size_t cut = cut_at(end_of_reply);
    if (cut == 0) return std::nullopt;
    SpeechPiece piece{text_.substr(0, cut), spoken_.take(std::string_view(text_).substr(0, cut))};
    text_.erase(0, cut);
    at_line_start_ = piece.text.ends_with('\n');
    first_ = first_ && piece.speech.empty();
    return piece;
}

// Each decision is made in the order of the text and only when what it looks at is there: so it does not matter how much more is there already.
std::size_t SpeechPieces::cut_at(bool end_of_reply) const
{
    std::size_t line = at_line_start_ ? 0 : no_line;
    std::size_t chars = 0, letters = 0;
    std::size_t last_clause = 0, last_space = 0;
    bool began = false;
    for (std::size_t at = 0; at < text_.size();) {
        const CodePoint c = code_point_at(text_, at);
        if (!c.whole && !end_of_reply) return 0;
        if (chars >= rules_.chars_max) {
            if (last_clause != 0) return last_clause;
            return last_space != 0 ? last_space : at;
        }
        if (!began && is_space(c.value)) {
            at += c.bytes;
            ++chars;
            if (c.value == '\n') line = at;
            continue;
        }
        began = true;

        const Boundary boundary = boundary_at(text_, at, line, end_of_reply);
        if (boundary.kind == Kind::unknown) return 0;
        if (boundary.kind == Kind::line) return boundary.end;
        if (boundary.kind == Kind::sentence && letters >= (first_ ? 1 : rules_.chars_min)) return boundary.end;
        if (boundary.kind == Kind::clause) {
            if (first_ && letters > 0 && chars + 1 >= rules_.first_chars_min) return boundary.end;
            // Not when that would be a crumb.
            if (chars * 3 >= rules_.chars_max) last_clause = boundary.end;
        }
        for (; at < boundary.end; ++chars) {
            const CodePoint passed = code_point_at(text_, at);
            at += passed.bytes;
            letters += has_sound(passed.value) ? 1 : 0;
            if (is_space(passed.value)) last_space = at;
        }
    }
    return end_of_reply ? text_.size() : 0;
}

}  // namespace repartee::engine
