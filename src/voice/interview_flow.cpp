#include "interview_flow.hpp"

#include "lines.hpp"

#include "../engine/realtime/utf8_stream.hpp"
#include "repartee/base/quoted.hpp"
#include "repartee/providers/text.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace repartee::voice {
namespace {

using Stage = InterviewStage;

constexpr std::size_t question_characters_max = 300;
constexpr std::size_t answer_characters_max = 50'000;
constexpr std::size_t message_characters_max = 500;

/// The rate of "pcm16@RATE"; nullopt: a file.
std::optional<int> pcm_rate(std::string_view format)
{
    if (!format.starts_with("pcm16@")) return std::nullopt;
    int hz = 0;
    std::from_chars(format.data() + 6, format.data() + format.size(), hz);
    return hz > 0 ? std::optional(hz) : std::nullopt;
}

audio::Container container_of(const std::string& file)
{
    return audio::detect_container(std::as_bytes(std::span(file)).first(std::min(file.size(), audio::signature_bytes)));
}

void append_samples(const std::string& bytes, std::vector<std::int16_t>& samples)
{
    const std::size_t before = samples.size(), count = bytes.size() / sizeof(std::int16_t);
    samples.resize(before + count);
    if (count > 0) std::memcpy(samples.data() + before, bytes.data(), count * sizeof(std::int16_t));
}

}  // namespace

InterviewFlow::InterviewFlow(std::string session_id, InterviewSettings settings, InterviewState state, std::vector<store::StoredRecording> parts,
                             bool model_can_ask)
    : session_id_(std::move(session_id)),
      settings_(std::move(settings)),
      state_(std::move(state)),
      parts_(std::move(parts)),
      model_can_ask_(model_can_ask),
      resumed_(!state_.exchanges.empty())
{
}

void InterviewFlow::begin()
{
    if (state_.finished) return finish();
    if (state_.exchanges.empty() && state_.questions.empty() && !model_asks_all()) state_.questions = interview_questions(settings_.language);
    if (state_.exchanges.empty() || state_.answered) return ask_next();
    go(Stage::asking);
}

std::vector<std::string> InterviewFlow::take_events() { return std::exchange(events_, {}); }

void InterviewFlow::add_error(Code code, std::string message)
{
    message = providers::one_line(engine::valid_utf8(message), message_characters_max);
    events_.push_back(json::to_text(json::object{{"type", "error"}, {"message", message}, {"code", name(code)}}));
}

void InterviewFlow::go(Stage stage)
{
    stage_ = stage;
    said_not_now_ = false;
}

bool InterviewFlow::model_asks_all() const { return model_can_ask_ && settings_.questions.empty(); }

// --- questions

void InterviewFlow::ask_next()
{
    parts_.clear();
    part_open_ = said_too_large_ = tried_ = false;
    const auto asked = static_cast<int>(state_.exchanges.size());
    if (asked >= settings_.questions_max) return go(Stage::closing);
    const bool may_follow_up = asked > 0 && model_can_ask_ && state_.follow_ups < settings_.follow_ups_max && !state_.exchanges.back().answer.empty();
    if (model_asks_all() ? state_.questions.empty() : may_follow_up) return go(Stage::thinking);
    if (state_.questions.empty()) return go(Stage::closing);
    std::string question = std::move(state_.questions.front());
    state_.questions.erase(state_.questions.begin());
    state_.follow_ups = 0;
    ask(std::move(question), false);
}

void InterviewFlow::ask(std::string question, bool made)
{
    state_.exchanges.push_back({std::move(question), {}, made});
    state_.answered = false;
    go(Stage::asking);
}

void InterviewFlow::on_made_question(std::optional<std::string> question)
{
    if (stage_ != Stage::thinking) return;
    std::string line = providers::one_line(engine::valid_utf8(question.value_or("")), question_characters_max);
    if (!line.empty()) {
        ++state_.follow_ups;
        return ask(std::move(line), true);
    }
    state_.follow_ups = settings_.follow_ups_max;  // not tried again behind the same answer
    if (model_asks_all()) {
        if (!state_.exchanges.empty()) return go(Stage::closing);
        state_.questions = interview_questions(settings_.language);
    }
    ask_next();
}

std::string InterviewFlow::question_start_event()
{
    const std::size_t listed = state_.exchanges.size() + state_.questions.size();
    const auto most = static_cast<std::size_t>(std::max(settings_.questions_max, 1));
    const std::size_t total = model_asks_all() && state_.questions.empty() ? most : std::min(listed, most);
    return json::to_text(json::object{{"type", "question_start"},
                                      {"text", question()},
                                      {"session_id", session_id_},
                                      {"index", state_.exchanges.size()},
                                      {"total", std::max(total, state_.exchanges.size())},
                                      {"resumed", std::exchange(resumed_, false)}});
}

void InterviewFlow::on_question_spoken()
{
    if (stage_ != Stage::asking) return;
    go(Stage::answering);
    if (std::exchange(done_early_, false)) on_answer_done();
}

// --- the answer

std::size_t InterviewFlow::answer_bytes() const
{
    std::size_t bytes = 0;
    for (const store::StoredRecording& part : parts_) bytes += part.bytes.size();
    return bytes;
}

void InterviewFlow::on_binary(std::span<const std::byte> bytes)
{
    if (stage_ != Stage::asking && stage_ != Stage::answering) {
        if (std::exchange(said_not_now_, true)) return;
        return add_error(Code::invalid_event, "Sound is taken from a question's start until answer_done; this was dropped.");
    }
    if (bytes.empty() || done_early_) return;
    const std::size_t room = settings_.answer_bytes_max - std::min(settings_.answer_bytes_max, answer_bytes());
    if (said_too_large_ || bytes.size() > room) {
        if (!std::exchange(said_too_large_, true))
            add_error(Code::too_large, "The answer is over its limit of " + std::to_string(settings_.answer_bytes_max) +
                                           " bytes (interview.answer_bytes_max). What came until now is kept; send answer_done.");
        return;
    }
    if (!part_open_) {
        store::StoredRecording part;
        part.session_id = session_id_;
        part.question = static_cast<std::int64_t>(state_.exchanges.size());
        part.part = parts_.empty() ? 1 : parts_.back().part + 1;
        if (settings_.input_hz) part.format = "pcm16@" + std::to_string(*settings_.input_hz);
        parts_.push_back(std::move(part));
        part_open_ = true;
    }
    tried_ = false;
    parts_.back().bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void InterviewFlow::on_text(std::string_view text)
{
    const auto event = json::parse_object(text);
    if (!event) return add_error(Code::invalid_json, event.error().message);
    const std::string_view type = json::find_string(*event, "type").value_or("");
    if (type == "answer_done") return on_answer_done();
    if (type == "answer_cancel") return on_answer_cancel();
    add_error(Code::invalid_event, "An event of type " + quoted(utf8_prefix(type, 64)) + " is not understood; use answer_done or answer_cancel.");
}

void InterviewFlow::on_answer_cancel()
{
    if (stage_ != Stage::asking && stage_ != Stage::answering)
        return add_error(Code::invalid_event, "There is no recording under way that could be cancelled.");
    parts_.clear();
    part_open_ = said_too_large_ = done_early_ = false;
}

// Of a kind that nobody can read; true when there was one.
bool InterviewFlow::drop_unknown_part()
{
    const auto unknown = [](const store::StoredRecording& part) {
        return !pcm_rate(part.format) && container_of(part.bytes) == audio::Container::unknown;
    };
    return std::erase_if(parts_, unknown) > 0;
}

void InterviewFlow::on_answer_done()
{
    if (stage_ == Stage::asking) {
        done_early_ = true;
        return;
    }
    if (stage_ != Stage::answering) return add_error(Code::invalid_event, "answer_done belongs behind a question and its answer.");
    if (answer_bytes() == 0) return add_error(Code::commit_empty, "There is no answer yet: send the recording in binary frames, then answer_done.");
    part_open_ = false;
    if (drop_unknown_part())
        return add_error(Code::invalid_audio, "The recording is of no known kind and was dropped: send WebM, Ogg, MP3, WAV or M4A from its "
                                              "beginning, or connect with ?input=pcm16 for samples.");
    events_.push_back(R"({"type":"transcribing_start"})");
    go(Stage::transcribing);
}

void InterviewFlow::on_answer_too_late()
{
    if (stage_ != Stage::answering) return;
    drop_unknown_part();
    const bool counts = answer_bytes() > 0 && !tried_;
    add_error(Code::timeout, "The time for an answer (interview.answer_limit_ms) is over." +
                                 std::string(counts ? " What was said until now counts." : " Connect again with the session id to go on."));
    if (!counts) return end(1008, "answer_timeout");
    part_open_ = false;
    events_.push_back(R"({"type":"transcribing_start"})");
    go(Stage::transcribing);
}

std::vector<providers::AudioClip> InterviewFlow::clips() const
{
    std::vector<providers::AudioClip> clips;
    for (const store::StoredRecording& part : parts_) {
        const std::optional<int> hz = pcm_rate(part.format);
        if (hz && !clips.empty() && !clips.back().is_file() && clips.back().hz == *hz) {
            append_samples(part.bytes, clips.back().samples);
            continue;
        }
        providers::AudioClip clip;
        if (hz) {
            clip.hz = *hz;
            append_samples(part.bytes, clip.samples);
        } else {
            clip.file = part.bytes;
            clip.container = container_of(part.bytes);
        }
        clips.push_back(std::move(clip));
    }
    return clips;
}

void InterviewFlow::on_transcript(std::string text)
{
    if (stage_ != Stage::transcribing) return;
    InterviewState::Exchange& exchange = state_.exchanges.back();
    exchange.answer = providers::one_line(engine::valid_utf8(text), answer_characters_max);
    state_.answered = true;
    events_.push_back(json::to_text(json::object{{"type", "answer_text"}, {"text", exchange.answer}}));
    ask_next();
    // All was said: a connection that breaks now has nothing to ask again.
    if (stage_ == Stage::closing) state_.finished = true;
}

void InterviewFlow::on_not_transcribed(const Error& error)
{
    if (stage_ != Stage::transcribing) return;
    const bool unusable = error.code == Code::invalid_audio || error.code == Code::too_large;
    if (unusable) {
        // Kept, it would stand before every later try.
        parts_.clear();
        add_error(error.code, error.message + " The recording was dropped: answer again.");
    } else {
        tried_ = true;
        add_error(error.code, error.message + " The recording is kept: send answer_done to try again.");
    }
    go(Stage::answering);
}

// --- the end

std::string InterviewFlow::closing_line() const
{
    return settings_.closing_line.empty() ? std::string(interview_closing_line(settings_.language)) : settings_.closing_line;
}

std::string InterviewFlow::closing_event() const { return json::to_text(json::object{{"type", "closing"}, {"text", closing_line()}}); }

void InterviewFlow::on_closing_spoken()
{
    if (stage_ == Stage::closing) finish();
}

void InterviewFlow::finish()
{
    state_.finished = true;
    events_.push_back(json::to_text(json::object{{"type", "interview_end"}, {"session_id", session_id_}, {"transcript", transcript_of(state_)}}));
    end(1000, "interview_over");
}

void InterviewFlow::end(std::uint16_t close_code, std::string reason)
{
    close_code_ = close_code;
    close_reason_ = std::move(reason);
    go(Stage::over);
}

std::vector<store::StoredRecording> InterviewFlow::take_parts()
{
    for (store::StoredRecording& part : parts_)
        if (part.format.empty()) part.format = audio::file_extension(container_of(part.bytes));
    return std::exchange(parts_, {});
}

}  // namespace repartee::voice
