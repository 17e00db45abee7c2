#include "listening_answers.hpp"

#include "../engine/realtime/utf8_stream.hpp"
#include "repartee/providers/text.hpp"

#include <algorithm>
#include <cmath>

namespace repartee::voice {
namespace {

constexpr std::size_t sentence_characters_max = 20'000;
constexpr std::size_t message_characters_max = 500;

std::string one_line(std::string_view text) { return providers::one_line(engine::valid_utf8(text), sentence_characters_max); }

std::int64_t ms_of_seconds(double seconds) { return std::isfinite(seconds) ? std::llround(std::clamp(seconds, 0.0, 1e9) * 1000) : 0; }

}  // namespace

std::string sentence_answer(const providers::Transcript& transcript, const Heard& when, bool as_json)
{
    if (!as_json) return one_line(transcript.text);
    json::array segments;
    for (const providers::TranscriptSegment& segment : transcript.segments)
        segments.push_back(json::object{{"start_ms", when.start_ms + ms_of_seconds(segment.start_s)},
                                        {"end_ms", when.start_ms + ms_of_seconds(segment.end_s)},
                                        {"text", one_line(segment.text)}});
    return json::to_text(json::object{{"type", "text"},
                                      {"text", one_line(transcript.text)},
                                      {"start_ms", when.start_ms},
                                      {"end_ms", when.end_ms},
                                      {"duration_ms", when.end_ms - when.start_ms},
                                      {"processing_ms", when.processing_ms},
                                      {"language", engine::valid_utf8(transcript.language)},
                                      {"segments", std::move(segments)}});
}

std::string failure_answer(const Error& error, bool as_json)
{
    const std::string message = providers::one_line(engine::valid_utf8(error.message), message_characters_max);
    if (!as_json) return "[not recognised] " + message;
    return json::to_text(json::object{{"type", "error"}, {"code", name(error.code)}, {"message", message}});
}

bool is_commit(std::string_view text)
{
    text = providers::trim(text);
    if (text == "commit") return true;
    const auto event = json::parse_object(text);
    return event && json::find_string(*event, "type") == "commit";
}

}  // namespace repartee::voice
