#pragma once
#include "repartee/audio/reply_encoder.hpp"
#include "repartee/base/json.hpp"
#include "repartee/base/metrics.hpp"
#include "repartee/characters/character.hpp"
#include "repartee/net/websocket.hpp"
#include "repartee/providers/roles.hpp"
#include "repartee/store/memory_repository.hpp"

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

/// System 2: the server asks, the candidate answers by voice. The wire is in docs/protocol.md.
namespace repartee::voice {

struct InterviewSettings {
    std::vector<std::string> questions;    ///< the list; empty: the model asks, or there are three general questions
    std::string closing_line;              ///< empty: one of the language
    int follow_ups_max = 0;                ///< after each listed question, by the model
    int questions_max = 10;                ///< listed and made ones together
    std::string topic;                     ///< what the model asks about
    std::string language = "ko";
    std::string voice = "nova", model;     ///< of the speech
    double speed = 1.0;
    audio::ReplyFormat format = audio::ReplyFormat::mp3;
    int bitrate_kbps = 64;
    std::size_t chunk_bytes = 1'024;
    std::optional<int> input_hz;           ///< raw PCM16 mono at this rate; nullopt: a recording in a container
    std::size_t answer_bytes_max = 25 << 20;
    std::chrono::milliseconds answer_limit{180'000};  ///< from question_end to answer_done
    std::chrono::milliseconds stage_limit{60'000};    ///< of transcribing an answer, of making a question: all providers together
    std::chrono::milliseconds resume_limit{1'800'000};  ///< a dropped session is kept in memory for so long; in the database longer
};

/// Where an interview stands. What is needed to go on after a lost connection, or a restart.
struct InterviewState {
    struct Exchange {
        std::string question, answer;
        bool made = false;  ///< by the model
    };
    std::vector<Exchange> exchanges;   ///< the last one may be without an answer
    bool answered = false;             ///< of the last one
    bool finished = false;
    std::vector<std::string> questions;  ///< still to be asked, from the list
    int follow_ups = 0;                ///< made since the last listed question
};

/// A session as it is kept: what it was asked to be, and where it stands. Pure.
struct InterviewRecord {
    InterviewSettings settings;
    InterviewState state;
};
std::string to_text(const InterviewRecord& record);
/// Code::invalid_json or Code::invalid_value: not written by to_text().
Result<InterviewRecord> parse_interview_record(std::string_view json_text);
/// [{"question":…,"answer":…}…] of what was asked and answered. Pure.
json::array transcript_of(const InterviewState& state);

/// The interviews under way and the dropped ones, by session id: one a process, thread-safe. Bounded: `sessions_max`, the longest unused leave.
class InterviewBook {
public:
    InterviewBook(store::MemoryRepository& repository, std::size_t sessions_max);
    ~InterviewBook();
    InterviewBook(const InterviewBook&) = delete;
    InterviewBook& operator=(const InterviewBook&) = delete;

    /// A new session that somebody will connect to (POST /api/v1/interviews).
    std::string prepare(InterviewSettings settings);

    /// Takes the session over: whoever holds it is asked to leave and has left (at most 2 s) when this ends. From memory, else from the database.
    /// Code::not_found; Code::busy when the holder does not leave.
    struct Held {
        std::string session_id;
        InterviewSettings settings;
        InterviewState state;
        std::vector<store::StoredRecording> parts;  ///< of the open answer
        std::stop_token leave;                      ///< somebody else takes it over
    };
    Task<Held> take(std::string session_id);
    /// By its holder, whenever an answer is complete: nothing of it is lost from here on, whatever happens to the holder.
    void save(const std::string& session_id, const InterviewState& state);
    /// Gives it back, as it stands; also written behind. A finished one stays readable.
    void put_back(Held held);

    /// For GET /api/v1/interviews/{id}: what was said so far.
    Task<std::optional<InterviewState>> look(std::string session_id);
    /// Whoever holds it is asked to leave first. False: there is none.
    Task<bool> forget(std::string session_id);
    void stop();  ///< as Memory::stop()

private:
    struct State;
    std::shared_ptr<State> state_;
};

struct InterviewContext {
    providers::Roles roles;
    InterviewBook& book;
    Metrics& metrics;
    std::shared_ptr<const characters::Character> interviewer;  ///< may be null
    std::stop_token draining;  ///< the server goes away: end after the exchange under way; the session can be resumed
};

/// Runs one connection of an interview to its end: of the interview, of the connection, or of the server. Never throws away an answer.
awaitable<void> run_interview(net::WebSocket client, std::string session_id, InterviewContext context);

}  // namespace repartee::voice
