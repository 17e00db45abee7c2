#pragma once
#include "repartee/base/metrics.hpp"
#include "repartee/conversation/downlink.hpp"
#include "repartee/conversation/history.hpp"
#include "repartee/conversation/persona.hpp"
#include "repartee/conversation/record.hpp"
#include "repartee/conversation/reply_owner.hpp"
#include "repartee/conversation/turn_taking.hpp"
#include "repartee/conversation/uplink.hpp"
#include "repartee/conversation/user_turns.hpp"
#include "repartee/realtime/client_event.hpp"
#include "repartee/realtime/session_config.hpp"

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace repartee::conversation {

/// How a conversation goes on without its upstream.
struct RecoverySettings {
    bool enabled = false;
    milliseconds rotate_age{0};        ///< of an upstream's session: replaced at the next quiet moment; 0: never
    milliseconds rotate_force_age{0};  ///< replaced at once; 0: never
    std::size_t speech_bytes_max = audio::bytes_of_ms(30'000, audio::realtime_hz);  ///< of the user's turn, kept until it is known to be understood
    HistorySettings history;
};

struct SessionSettings {
    std::string id;            ///< "sess_…", ours
    std::string user;          ///< whom transcripts are kept for; may be empty
    std::string character_id;
    Persona::Write instructions;  ///< the character's
    std::string voice;
    std::string language;      ///< ISO-639-1 hint for the transcription; may be empty
    std::string transcription_model;  ///< empty: none
    std::string noise_reduction;      ///< empty, near_field, far_field
    realtime::TurnDetection turn_detection;
    std::int64_t output_tokens_max = 0;  ///< 0: no limit
    int input_hz = 16'000;
    bool greeting = false;     ///< the character speaks first
    std::size_t uplink_bytes = 1 << 20, uplink_events_max = 1024, events_bytes_max = 4 << 20;
    milliseconds limit{0}, warning{60'000};  ///< longest conversation (0: none), and how long before its end the client is told
    DownlinkSettings downlink;
    RecoverySettings recovery;
    TurnTakingSettings turn_taking;
    std::shared_ptr<Record> record;  ///< null: nothing is kept
};

/// How a conversation ends when we end it: what the client's socket is closed with, once everything that waits has been sent.
struct Ending {
    std::uint16_t close_code = 1000;
    std::string reason;
};

/// A conversation between one client and one character: its state, its two directions, how much of each reply was heard. It outlives both of its
/// connections. Knows no socket and does no I/O: it is fed bytes and events and says what to send next to either side. One thread at a time.
class Session {
public:
    Session(SessionSettings settings, Metrics& metrics, Instant now);
    /// Once, before anything that is to be recorded; apart, since the client's first event need not wait for it.
    void begin_record(Instant now);

    // From the client.
    void on_client_audio(std::span<const std::byte> pcm, Instant now);
    void on_client_event(std::string_view json, Instant now);
    // From the upstream; the first is its session.created.
    void on_upstream_event(std::string_view json, Instant now);
    /// Ends the conversation with a typed error event to the client.
    void fail(const Error& error, std::uint16_t close_code);
    /// The server goes away: end at the next quiet moment.
    void drain() { draining_ = true; }
    /// Nothing comes after it.
    void close(Instant now);

    // The upstream's life. Another one begins with its session.created.
    /// It is gone: wants_upstream() then, or the conversation ends.
    void on_upstream_lost(const Error& error, Instant now);
    bool wants_upstream() const { return state_ == State::waiting && !ending_; }
    /// What the last one said when it would not take over.
    const std::optional<Error>& refusal() const { return refusal_; }
    /// For the client's information; the conversation goes on waiting.
    void on_attempt_failed(const Error& error, int attempt);
    /// How old the present upstream's session was when it came, and which model speaks.
    void on_upstream_age(milliseconds age, Instant now) { upstream_began_at_ = now - age; }
    /// How old it may become; 0: any age.
    milliseconds rotate_age() const { return settings_.recovery.rotate_age; }
    /// When another one is due; nullopt: never.
    std::optional<Instant> rotate_at() const;
    /// Whether this is the moment: it is quiet and all that was said is understood, or it cannot be put off any longer.
    bool may_rotate(Instant now) const;
    bool must_rotate(Instant now) const;
    /// Nobody speaks, nothing is asked for, generated or played.
    bool is_quiet(Instant now) const;
    /// Sends it no audio and no event of the client's for the time being; they are kept.
    void hold_upstream(bool held) { uplink_.hold(held || state_ != State::live); }
    /// Leaves the present upstream for the next one, whose session.created follows at once.
    void rotate(Instant now);

    // The client's connection.
    /// What the client may come back with; told in the next session.created or session.resumed.
    void offer_resume(std::string token, milliseconds window);
    void on_client_lost(Instant now);
    void on_client_back(const Downlink::ClientPosition& position, Instant now);

    /// A line of the server's own, 24 kHz PCM: the last words before the end.
    void say(std::string_view text, std::span<const std::byte> pcm, Instant now);

    /// What time brings about; to be called at wake_at().
    void on_tick(Instant now);
    std::optional<Instant> wake_at(Instant now);
    /// The same as of the last event, for the path of every frame.
    const std::optional<Instant>& next_tick() const { return next_tick_; }

    /// The next event or audio for the upstream.
    Uplink::Next next_for_upstream(Instant now);
    /// The next text or frame for the client.
    Downlink::Next next_for_client(Instant now);
    /// How much of a client's audio to hand over at once, and whether there is room for it: while not, the client is not read.
    std::size_t client_piece_bytes() const;
    bool can_take_client_audio() const { return uplink_.has_room(); }
    /// The same for a client's event, which may hold audio.
    bool can_take_client_event(std::string_view json) const;
    /// While false the upstream must not be read: reply audio fills the buffer.
    bool can_take_upstream() const { return downlink_.has_room(); }

    bool is_live() const { return state_ == State::live; }
    const std::optional<Ending>& ending() const { return ending_; }
    const std::string& id() const { return settings_.id; }

private:
    /// Events of our own making carry this prefix: an error that quotes it is ours to deal with, not the client's.
    static constexpr std::string_view own_event_prefix = "repartee_";
    /// The client's, which it gave no id.
    static constexpr std::string_view unnamed_event_prefix = "repartee_client_";

    enum class State {
        waiting,   ///< for an upstream's session.created
        offered,   ///< the session.update that starts its side is due
        starting,  ///< it is on its way
        live,
    };

    // session.cpp: the client's side, and what goes out
    void handle_client_event(realtime::ClientEvent event, Instant now);
    void update_session(const realtime::ClientEvent& event);
    void on_update_agreed();
    void on_refused(std::string_view event_id);
    void create_item(realtime::ClientEvent event, Instant now);
    void ask_response(realtime::ClientEvent event, Instant now);
    void append_base64(std::string_view event_id, std::string_view base64, Instant now);
    void playback(const realtime::ClientEvent& event, Instant now);
    void cancel(const realtime::ClientEvent& event, Instant now);
    void send_cancel(ReplyOwner::Cancel verdict, std::string_view response_id, std::string_view event_id);
    void to_client(std::string event);
    void to_upstream(std::string event, std::string key = {});
    void to_upstream_first(std::string event, std::string key = {});
    void report(const Error& error, std::string_view client_event_id = {});
    void report_full();
    void offer_in(json::object& session) const;
    std::string own_event_id();
    void write_record(bool all);

    // session_upstream.cpp: the upstream's side
    void announce(json::object offered);
    void start_upstream();
    void on_session_updated(const json::object& session, Instant now);
    void go_live(const json::object& session, Instant now);
    /// Whether the client gets the event too.
    bool take_event(std::string_view type, const json::object& event, std::string_view text, Instant now);
    bool take_item_event(std::string_view type, const json::object& event);
    bool take_response_event(std::string_view type, const json::object& event, std::string_view text, Instant now);
    bool take_created(const json::object& event, Instant now);
    void note_response(const ReplyOwner::Created& created, std::string_view id);
    bool take_done(const json::object& event, Instant now);
    void take_user_event(std::string_view type, const json::object& event, Instant now);
    bool take_transcript_event(std::string_view type, const json::object& event, Instant now);
    void note_words(std::string_view item_id);
    void take_delta(std::string_view json, Instant now);
    void on_upstream_error(std::string_view text, const json::object& event, Instant now);
    bool is_hidden(const json::object& event) const;
    bool is_aside(std::string_view response_id) const;
    bool is_besides(std::string_view response_id) const;
    std::uint64_t position_of(std::int64_t service_ms) const;
    void keep_user_audio();

    // session_turns.cpp: who speaks
    void obey_turn_taking(json::object& session);
    void know_turn_detection(const json::object& session);
    json::object as_wished(json::object session) const;
    bool service_answers() const;  ///< a turn, by itself
    bool service_interrupts() const;
    void tell_turn_taking();
    TurnTaking::Reply reply_now(Instant now) const;
    void settle(Instant now);
    void confirm_creates();
    void apply(const TurnTaking::Decision& decision, Instant now);
    void drop_turn(const std::string& item_id, Instant now);
    void end_turn(Instant now);
    void ask(json::object response, Instant now, bool may_wait);
    json::object with_note(std::string_view note) const;
    void interrupt(std::string_view reason, Instant now);
    void clear_client(const std::vector<Downlink::Cut>& cuts, std::string_view reason, Instant now);
    void send_cut(const Downlink::Cut& cut);
    void flush_deferred_deletes();
    void cut_responses();
    void mark_cut(std::string_view response_id);
    void delete_when_done(std::string_view item_id);
    void forget_unsounded();
    bool was_cut(std::string_view response_id) const;

    // session_renewal.cpp: from one upstream to the next
    void leave_upstream(Instant now);
    void finish_lost_replies(Instant now);
    void rewind_uplink();
    void begin_again(Instant now);
    void replay_history();
    void tell_again(const std::string& item_id);
    std::string audio_item() const;

    SessionSettings settings_;
    Metrics& metrics_;
    Persona persona_;
    Uplink uplink_;
    Downlink downlink_;
    History history_;
    ReplyOwner replies_;
    TurnTaking turn_taking_;
    State state_ = State::waiting;
    std::optional<Ending> ending_;
    std::optional<Error> refusal_;
    bool draining_ = false, uplink_full_ = false, announced_ = false;
    std::string model_;
    json::object shown_;                              ///< the session as session.created showed it, until the service has agreed
    json::object updates_;                            ///< all that the service agreed to of the client's session.update events, for the next upstream
    struct Update {
        std::string event_id;
        json::object session;
    };
    std::list<Update> asked_updates_;                 ///< not answered yet
    std::list<std::string> cut_responses_;            ///< the newest few: what still comes of them is dropped
    std::list<std::string> hidden_responses_, hidden_items_;  ///< the newest few that the client is not to see
    std::set<std::string, std::less<>> replayed_;     ///< items that this upstream was told: the client knows them
    std::vector<std::string> deferred_deletes_;       ///< items that were never heard, deleted when their response is done
    std::vector<std::string> unsounded_;              ///< items of a reply under way that have words and no sound yet
    std::string sounded_;                             ///< the newest item that has sound
    UserTurns turns_;
    ReplyOwner::Due due_;                             ///< what the next upstream is to be asked for
    std::string whole_response_;                      ///< whose sound has come to its end …
    std::string added_;                               ///< the newest item of a reply
    bool more_comes_ = false;                         ///< … but it has gone on with another item
    std::string lost_words_;                          ///< after which the reply was lost that is to go on
    std::string start_event_id_;                      ///< of the session.update that starts the upstream's side
    std::string resume_token_;
    milliseconds resume_window_{0};
    std::optional<Instant> uplink_waiting_since_, downlink_waiting_since_, turn_ended_at_, committed_at_, lost_at_, reply_began_, last_audio_at_;
    bool was_live_ = false, rotating_ = false, warned_ = false;
    std::string transcribed_;                         ///< the newest user item whose words came
    std::optional<Instant> next_tick_;
    Instant created_at_, upstream_began_at_;
    std::uint64_t upstream_bytes_ = 0, upstream_base_ = 0;  ///< audio that this upstream was sent, and where in the uplink its stream begins
    std::uint64_t recorded_ = 0;                            ///< position up to which the user was recorded
    std::uint64_t own_events_ = 0;
};

}  // namespace repartee::conversation
