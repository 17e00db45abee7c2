#pragma once
#include "repartee/base/metrics.hpp"
#include "repartee/conversation/downlink.hpp"
#include "repartee/conversation/persona.hpp"
#include "repartee/conversation/uplink.hpp"
#include "repartee/realtime/client_event.hpp"
#include "repartee/realtime/session_config.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::conversation {

struct SessionSettings {
    std::string id;            ///< "sess_…", ours
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
    DownlinkSettings downlink;
};

/// How a conversation ends when we end it: what the client's socket is closed with, once everything that waits has been sent.
struct Ending {
    std::uint16_t close_code = 1000;
    std::string reason;
};

/// A conversation between one client and one character: its state, its two directions, how much of each reply was heard. Knows no socket and does no
/// I/O: it is fed bytes and events and says what to send next to either side. One thread at a time.
class Session {
public:
    Session(SessionSettings settings, Metrics& metrics, Instant now);

    // From the client.
    void on_client_audio(std::span<const std::byte> pcm, Instant now);
    void on_client_event(std::string_view json, Instant now);
    // From the upstream; the first is its session.created.
    void on_upstream_event(std::string_view json, Instant now);
    /// The upstream is gone: the client is told, then the conversation ends.
    void on_upstream_lost(const Error& error);
    /// Ends the conversation with a typed error event to the client.
    void fail(const Error& error, std::uint16_t close_code);
    /// The server goes away: end at the next quiet moment.
    void drain() { draining_ = true; }

    /// The next event or audio for the upstream.
    Uplink::Next next_for_upstream(Instant now);
    /// The next text or frame for the client.
    Downlink::Next next_for_client(Instant now);
    /// How much of a client's audio to hand over at once, and whether there is room for it: while not, the client is not read.
    std::size_t client_piece_bytes() const;
    bool can_take_client_audio() const { return uplink_.has_room(); }
    /// While false the upstream must not be read: reply audio fills the buffer.
    bool can_take_upstream() const { return downlink_.has_room(); }

    bool is_live() const { return state_ == State::live; }
    const std::optional<Ending>& ending() const { return ending_; }
    const std::string& id() const { return settings_.id; }

private:
    enum class State { offered, starting, live };

    json::object wanted_session() const;
    void announce(json::object offered);
    void start_upstream();
    void go_live(const json::object& upstream_session, Instant now);
    json::object client_view(json::object upstream_session) const;
    void handle_client_event(realtime::ClientEvent event, Instant now);
    void update_session(const realtime::ClientEvent& event);
    void append_base64(std::string_view event_id, std::string_view base64, Instant now);
    void playback(const realtime::ClientEvent& event, Instant now);
    void cancel(const realtime::ClientEvent& event, Instant now);
    void interrupt(std::string_view reason, Instant now);
    void send_cut(const Downlink::Cut& cut);
    void flush_deferred_deletes();
    void take_delta(std::string_view json, Instant now);
    void cut_responses();
    bool was_cut(std::string_view response_id) const;
    void on_response_done(const std::string& response_id);
    void on_upstream_error(std::string_view text);
    void to_client(std::string event);
    void to_upstream(std::string event);
    void to_upstream_first(std::string event);
    void report(const Error& error, std::string_view client_event_id = {});
    std::string own_event_id();

    SessionSettings settings_;
    Metrics& metrics_;
    Persona persona_;
    Uplink uplink_;
    Downlink downlink_;
    State state_ = State::offered;
    bool update_due_ = false;  ///< the session.update that starts the service's side: written once the client has its session.created
    std::optional<Ending> ending_;
    bool draining_ = false;
    bool uplink_full_ = false;
    std::string model_;
    json::object announced_;                          ///< the session as session.created showed it, until the service has agreed
    std::set<std::string> generating_;                ///< ids of the responses the upstream works on; several only beside the conversation
    std::list<std::string> cut_responses_;            ///< the newest few: what still comes of them is dropped
    std::vector<std::string> deferred_deletes_;       ///< items that were never heard, deleted when their response is done
    std::optional<Instant> uplink_waiting_since_, downlink_waiting_since_, turn_ended_at_;
    Instant created_at_;
    std::uint64_t own_events_ = 0;
};

}  // namespace repartee::conversation
