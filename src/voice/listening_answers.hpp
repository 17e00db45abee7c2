#pragma once
#include "repartee/providers/messages.hpp"

#include <string>

/// What a client of GET /ws/audio reads. Pure.
namespace repartee::voice {

/// When it was said, from the stream's first sample.
struct Heard {
    std::int64_t start_ms = 0, end_ms = 0;
    std::int64_t processing_ms = 0;
};

/// The sentence itself, or the JSON with its timing.
std::string sentence_answer(const providers::Transcript& transcript, const Heard& when, bool as_json);
/// "[not recognised] …", or an error as JSON.
std::string failure_answer(const Error& error, bool as_json);

/// Whether a client's text asks for what was said so far: `commit` or {"type":"commit"}.
bool is_commit(std::string_view text);

}  // namespace repartee::voice
