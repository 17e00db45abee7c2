#include "transcript_json.hpp"

#include "repartee/base/quoted.hpp"
#include "repartee/providers/text.hpp"
#include "service_words.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace repartee::providers {
namespace {

constexpr std::size_t text_bytes_max = 1 << 20;
// Whisper's own measure: below it, it guesses.
constexpr double sure_logprob = -1;

std::string fit(std::string_view text) { return one_line(text, text.size()); }

void read_usage(const json::object& document, Transcript& transcript)
{
    const auto* usage = json::find_object(document, "usage");
    if (!usage) return;
    transcript.input_tokens = std::max<std::int64_t>(0, json::find_int(*usage, "input_tokens").value_or(0));
    transcript.output_tokens = std::max<std::int64_t>(0, json::find_int(*usage, "output_tokens").value_or(0));
    if (const auto seconds = json::find_number(*usage, "seconds"); seconds && !transcript.duration_s) transcript.duration_s = *seconds;
}

std::string language_of(const json::object& document)
{
    if (const auto language = json::find_string(document, "language")) return one_line(*language, 40);
    const auto* several = json::find_array(document, "languages");
    if (!several || several->empty() || !several->front().is_string()) return {};
    return one_line(several->front().get_string(), 40);
}

/// Whether every segment says that nobody spoke; false when none says anything.
bool is_silence(const json::array& segments, double no_speech_max)
{
    const auto silent = [&](const json::value& segment) {
        const auto* members = segment.if_object();
        if (!members) return false;
        const auto nobody = json::find_number(*members, "no_speech_prob");
        const auto sureness = json::find_number(*members, "avg_logprob");
        return nobody && *nobody > no_speech_max && (!sureness || *sureness < sure_logprob);
    };
    return !segments.empty() && std::ranges::all_of(segments, silent);
}

TranscriptSegment read_segment(const json::object& segment)
{
    TranscriptSegment out;
    out.start_s = json::find_number(segment, "start").value_or(0);
    out.end_s = json::find_number(segment, "end").value_or(0);
    out.text = fit(json::find_string(segment, "text").value_or(""));
    return out;
}

Error broken(std::string_view who, const Error& error)
{
    return Error{Code::provider_failed, fmt::format("{} sent a broken answer: {}", who, error.message)};
}

}  // namespace

Result<Transcript> read_transcript(std::string_view document_text, double no_speech_max, std::string_view who)
{
    const auto document = json::parse_object(document_text);
    if (!document) return broken(who, document.error());
    if (auto failure = service_failure(*document, who)) return std::move(*failure);
    const auto text = json::find_string(*document, "text");
    if (!text) return Error{Code::provider_failed, fmt::format("{} sent JSON without a \"text\". Check the section's url.", who)};
    Transcript transcript;
    transcript.text = fit(*text);
    transcript.language = language_of(*document);
    transcript.duration_s = json::find_number(*document, "duration");
    read_usage(*document, transcript);
    const auto* segments = json::find_array(*document, "segments");
    if (!segments) return transcript;
    if (is_silence(*segments, no_speech_max)) {
        transcript.text.clear();
        return transcript;
    }
    for (const auto& segment : *segments)
        if (const auto* members = segment.if_object()) transcript.segments.push_back(read_segment(*members));
    return transcript;
}

Result<Transcript> read_plain_transcript(std::string_view text, std::string_view who)
{
    if (!is_utf8(text)) return Error{Code::provider_failed, fmt::format("{} sent text that is not UTF-8. Check the section's url.", who)};
    Transcript transcript;
    transcript.text = fit(text);
    return transcript;
}

std::string TranscriptReader::add(std::string_view delta)
{
    // Its own spaces stand between the pieces; none before the first.
    if (text_.empty()) delta = delta.substr(std::min(delta.find_first_not_of(" \t\r\n"), delta.size()));
    std::string shown(delta);
    for (char& c : shown)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
    text_ += shown;
    return shown;
}

Result<std::string> TranscriptReader::read(std::string_view data)
{
    if (trim(data).empty()) return std::string();
    if (trim(data) == "[DONE]") {
        done_ = done_ || events_ > 0;
        return std::string();
    }
    const auto document = json::parse_object(data);
    if (!document) return broken(who_, document.error());
    if (auto failure = service_failure(*document, who_)) return std::move(*failure);
    ++events_;
    if (text_.size() + data.size() > text_bytes_max)
        return Error{Code::too_large, fmt::format("{} sent more than {} bytes of text.", who_, text_bytes_max)};

    const std::string_view type = json::find_string(*document, "type").value_or("");
    if (type == "transcript.text.delta") return add(json::find_string(*document, "delta").value_or(""));
    if (type == "transcript.text.segment") {
        transcript_.segments.push_back(read_segment(*document));
        return std::string();
    }
    if (type == "transcript.text.done") {
        done_ = true;
        transcript_.language = language_of(*document);
        read_usage(*document, transcript_);
        if (const auto text = json::find_string(*document, "text")) transcript_.text = fit(*text);
        else transcript_.text = fit(text_);
        // Whoever listens to the pieces has had none.
        return text_.empty() ? transcript_.text : std::string();
    }
    // Some services stream one bare {"text":…} a segment, and end without a word.
    const auto text = type.empty() ? json::find_string(*document, "text") : std::nullopt;
    if (!text) return std::string();
    untyped_ = true;
    const bool needs_space = !text_.empty() && !text_.ends_with(' ') && !text->empty() && text->front() != ' ';
    return add(needs_space ? " " + std::string(*text) : std::string(*text));
}

Result<Transcript> TranscriptReader::finish()
{
    if (done_ && !transcript_.text.empty()) return transcript_;
    if (done_ || untyped_) {
        transcript_.text = fit(text_);
        return transcript_;
    }
    if (events_ == 0) return Error{Code::provider_failed, fmt::format("{} ended without an answer. Check the model's name.", who_)};
    return Error{Code::closed, fmt::format("{} broke off amid its answer. Try again.", who_)};
}

}  // namespace repartee::providers
