// The first byte says how the rest is cut into deltas. Pieces do not depend on that, are bounded, and are together what was written.
#include "repartee/engine/speech_pieces.hpp"

#include <cstdint>
#include <cstdlib>
#include <vector>

using repartee::engine::SpeechPiece;
using repartee::engine::SpeechPieces;

namespace {

std::vector<SpeechPiece> cut(std::string_view text, std::size_t delta_bytes)
{
    SpeechPieces pieces;
    std::vector<SpeechPiece> out;
    for (std::size_t at = 0; at < text.size(); at += delta_bytes) {
        pieces.push(text.substr(at, delta_bytes));
        while (auto piece = pieces.next(false)) out.push_back(*piece);
    }
    while (auto piece = pieces.next(true)) out.push_back(*piece);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
    const auto whole = cut(text, size);
    std::string joined;
    for (const SpeechPiece& piece : whole) {
        if (piece.text.empty() || piece.text.size() > 4 * 250) std::abort();
        if (piece.speech.find('\n') != std::string::npos || piece.speech.starts_with(' ')) std::abort();
        joined += piece.text;
    }
    if (joined != text) std::abort();
    if (cut(text, data[0] % 7 + 1) != whole) std::abort();
    return 0;
}
