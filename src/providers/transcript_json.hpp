#pragma once
#include "repartee/providers/messages.hpp"

#include <string>
#include <string_view>

/// What transcription services answer. Pure.
namespace repartee::providers {

/// A whole answer, `json` or `verbose_json`. `no_speech_max`: when every segment is surer than this that nobody spoke, nothing was said: models
/// invent words for silence. Code::provider_failed begins its message with `who`.
Result<Transcript> read_transcript(std::string_view document, double no_speech_max, std::string_view who);
/// A whole answer in plain text.
Result<Transcript> read_plain_transcript(std::string_view text, std::string_view who);

/// Puts a transcript together from the events of a streamed answer.
class TranscriptReader {
public:
    explicit TranscriptReader(std::string who) : who_(std::move(who)) {}

    /// The data of one event → the text it adds, fit to be handed on; may be empty.
    Result<std::string> read(std::string_view data);
    bool done() const { return done_; }
    /// The end. Code::closed when it was cut, Code::provider_failed when nothing came.
    Result<Transcript> finish();

private:
    std::string add(std::string_view delta);

    std::string who_, text_;
    Transcript transcript_;
    std::size_t events_ = 0;
    bool done_ = false, untyped_ = false;
};

}  // namespace repartee::providers
