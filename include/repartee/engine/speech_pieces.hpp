#pragma once
#include <string>
#include <string_view>

namespace repartee::engine {

/// Cuts a reply that comes in deltas into pieces that can be spoken on their own: whole sentences, Korean and English. Pure.
class SpeechPieces {
public:
    void push(std::string_view delta) { text_ += delta; }
    /// The next whole sentence, with the space behind it; empty when none is complete. At the end of the reply: what is left.
    std::string next(bool end_of_reply);

private:
    std::string text_;
};

}  // namespace repartee::engine
