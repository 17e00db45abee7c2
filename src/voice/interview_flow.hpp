#pragma once
#include "repartee/voice/interview.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::voice {

/// What an interview does now.
enum class InterviewStage { asking, answering, transcribing, thinking, closing, over };

/// The course of one connection of an interview: told what happened, says what to do next (stage()) and what to tell the client (take_events()).
/// Knows no socket, no provider and no clock. Pure.
class InterviewFlow {
public:
    /// `parts`: of the answer that was under way when the last connection ended. `model_can_ask`: there is a model that can make questions.
    InterviewFlow(std::string session_id, InterviewSettings settings, InterviewState state, std::vector<store::StoredRecording> parts,
                  bool model_can_ask);

    /// Goes on where the last connection stopped.
    void begin();

    InterviewStage stage() const { return stage_; }
    const InterviewState& state() const { return state_; }
    const InterviewSettings& settings() const { return settings_; }
    /// A failure that the client should know of, whatever comes next.
    void tell(const Error& error) { add_error(error.code, error.message); }
    /// JSON for the client, in order; then forgotten.
    std::vector<std::string> take_events();

    void on_binary(std::span<const std::byte> bytes);
    void on_text(std::string_view text);

    /// asking: the event before the question's sound, and the question.
    std::string question_start_event();
    const std::string& question() const { return state_.exchanges.back().question; }
    void on_question_spoken();

    /// transcribing: what to transcribe, in order. PCM of one rate is one clip.
    std::vector<providers::AudioClip> clips() const;
    void on_transcript(std::string text);
    /// The recording stays: the client may try again, or say more.
    void on_not_transcribed(const Error& error);

    /// thinking: what the model asks; nullopt: it did not.
    void on_made_question(std::optional<std::string> question);

    /// closing: its event, and its words.
    std::string closing_event() const;
    std::string closing_line() const;
    void on_closing_spoken();

    /// answering took too long.
    void on_answer_too_late();

    /// over: how the connection is closed.
    std::uint16_t close_code() const { return close_code_; }
    const std::string& close_reason() const { return close_reason_; }

    /// Of the answer under way.
    std::vector<store::StoredRecording> take_parts();

private:
    void add_error(Code code, std::string message);
    void go(InterviewStage stage);
    void ask_next();
    void ask(std::string question, bool made);
    void finish();
    bool model_asks_all() const;
    std::size_t answer_bytes() const;
    void on_answer_done();
    void on_answer_cancel();
    bool drop_unknown_part();
    void end(std::uint16_t close_code, std::string reason);

    std::string session_id_;
    InterviewSettings settings_;
    InterviewState state_;
    std::vector<store::StoredRecording> parts_;
    bool model_can_ask_;
    InterviewStage stage_ = InterviewStage::asking;
    std::vector<std::string> events_;
    bool resumed_ = false;       ///< said with the first question
    bool part_open_ = false;     ///< bytes go on with the last part
    bool tried_ = false;         ///< this very recording could not be transcribed: the answer's time does not try it again by itself
    bool done_early_ = false;    ///< answer_done came while the question was being spoken
    bool said_too_large_ = false, said_not_now_ = false;
    std::uint16_t close_code_ = 1000;
    std::string close_reason_;
};

}  // namespace repartee::voice
