#pragma once
#include "repartee/engine/reply.hpp"

#include <functional>
#include <memory>

namespace repartee::engine {

/// The spoken half of a reply: pieces come in as they are written, at most `1 + ahead` of them are with the voice at once, and all goes out in order.
/// A piece's sound waits in memory until the pieces before it are out; the first streams.
class PieceSpeaker {
public:
    struct Events {
        std::function<void()> on_sound{};                ///< something of a piece is there to be handed out
        std::function<void(const Error&)> on_failure{};  ///< the voice failed: no piece is taken any more
    };
    /// `sink` outlives hand_out().
    PieceSpeaker(asio::any_io_executor executor, std::shared_ptr<providers::TextToSpeech> tts, ReplyVoice voice, std::size_t ahead, ReplySink& sink,
                 Events events);

    void add(SpeechPiece piece);
    /// No piece will follow.
    void finish();
    /// Nothing is handed out any more, and all that is with the voice ends.
    void stop();
    /// Ends when everything is out, or after stop(), or with the failure of the voice, in its turn: what was made before it is heard.
    /// No call of the voice runs any more then.
    Task<providers::SpeechUsage> hand_out();

private:
    struct Piece;
    struct State;
    std::shared_ptr<State> state_;  ///< shared with the calls of the voice
};

}  // namespace repartee::engine
