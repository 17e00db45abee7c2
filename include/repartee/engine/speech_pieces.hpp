#pragma once
#include "repartee/engine/spoken_text.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace repartee::engine {

/// A part of a reply that can be spoken on its own. All `text` together is the reply as the model wrote it.
struct SpeechPiece {
    std::string text;    ///< for the transcript and the history; with the space behind it
    std::string speech;  ///< for the voice: without mark-up, emoji, addresses; empty when nothing of it can be said

    bool operator==(const SpeechPiece&) const = default;
};

struct PieceRules {
    std::size_t first_chars_min = 12;  ///< the first piece may end at a clause (comma, Korean connective ending) from here on: it is heard sooner
    std::size_t chars_min = 2;         ///< sentences of fewer letters ("네.") go together with the next, but for the first
    std::size_t chars_max = 200;       ///< cut at a clause, else a space, else anywhere; the marks behind the last sentence may reach beyond
};

/// Cuts a reply that comes in deltas into pieces that can be spoken on their own: sentences, Korean and English. Does not depend on how the deltas
/// are cut. No end of a sentence: 3.5 · 1,000 · 2026.11.21. · 14:30 · v1.2 · Dr. · e.g. · U.S. · No. 7 · 3. at a line's start (a list) ·
/// example.com · a dot or … before a lower-case word. A closing quote or bracket belongs to its sentence. A line break always ends a piece. Pure.
class SpeechPieces {
public:
    SpeechPieces();
    explicit SpeechPieces(PieceRules rules);

    void push(std::string_view delta) { text_ += delta; }
    /// nullopt: no whole piece is there. At the end of the reply: what is left, and then nullopt.
    std::optional<SpeechPiece> next(bool end_of_reply);

private:
    std::size_t cut_at(bool end_of_reply) const;

    PieceRules rules_;
    std::string text_;
    SpokenText spoken_;
    bool first_ = true;          ///< nothing to say was given out yet
    bool at_line_start_ = true;  ///< of text_
};

}  // namespace repartee::engine
