#pragma once
#include "repartee/engine/local_upstream.hpp"
#include "repartee/engine/reply.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

namespace repartee::engine {

inline Instant clock_now() { return std::chrono::steady_clock::now(); }

/// A reply from its request to its end.
struct LocalTurn {
    LocalTurn(asio::any_io_executor executor, ReplyRequest given) : request(std::move(given)), changed(std::move(executor)) {}

    void end()
    {
        stop.request_stop();
        changed.notify();
    }

    ReplyRequest request;  ///< its context gets the transcripts that come
    std::stop_source stop;
    net::Signal changed;  ///< a transcript came, there is room for events, or it is to stop
};

/// A session: the server, its queue, and the work that it asks for. Its functions are in three files: local_upstream.cpp (events and time),
/// local_turns.cpp (replies) and local_transcripts.cpp (what was said).
struct LocalUpstream::State : std::enable_shared_from_this<State> {
    State(asio::any_io_executor given_executor, std::string voice, std::string instructions, LocalRoles given_roles, const LocalSettings& given);

    // local_upstream.cpp
    /// Takes what the server has to say and starts the work it asks for.
    void drain();
    void end();
    awaitable<void> clock();
    std::string_view next_event();
    bool has_room() const { return events.size() <= settings.pending_events_max; }

    // local_turns.cpp
    awaitable<void> reply(std::shared_ptr<LocalTurn> turn);
    Task<ReplyEnd> answer(std::shared_ptr<LocalTurn> turn);
    ReplyPlan plan_of(const LocalTurn& turn, Instant deadline) const;

    // local_transcripts.cpp
    bool reads_words() const { return roles.services.llm && roles.services.llm->reads_words(); }
    void queue_transcription(TranscriptionRequest request);
    void start_transcriptions();
    awaitable<void> transcribe(TranscriptionRequest request);
    void on_transcribed(const std::string& item_id, const Result<providers::Transcript>& transcript);
    /// Waits until all that was said in the turn's context is known.
    Task<> hear(std::shared_ptr<LocalTurn> turn, Instant deadline);
    /// Whether there is something to answer to; the reason when it could not be found out.
    Result<bool> was_understood(const LocalTurn& turn) const;

    /// A turn of the user that has no words.
    struct Wordless {
        std::string item_id;
        std::optional<Error> failure;  ///< of the recogniser; none: nothing was understood
    };

    asio::any_io_executor executor;
    LocalSettings settings;
    LocalRoles roles;
    RealtimeServer server;
    std::deque<std::string> events;
    std::size_t events_bytes = 0;
    std::string current;  ///< what receive() handed out
    std::string append_event;
    std::map<std::string, std::shared_ptr<LocalTurn>, std::less<>> turns;  ///< by response id
    std::set<std::string, std::less<>> awaited;                            ///< item ids of transcripts to come
    std::deque<TranscriptionRequest> waiting;                              ///< for a recogniser
    std::size_t waiting_samples = 0, transcribing = 0;
    std::deque<Wordless> wordless;  ///< the newest ones
    std::stop_source closing;       ///< of transcripts: what a person said is wanted also when its answer is not
    bool closed = false, receive_cancelled = false;
    net::Signal event_waiting, clock_changed, room;
    net::TaskGroup tasks;
};

}  // namespace repartee::engine
