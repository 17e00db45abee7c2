#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/base/json.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace repartee::conversation {

/// How long to wait for what the service may never say.
struct ReplyOwnerSettings {
    milliseconds created_wait{15'000};  ///< for response.created, after a response.create or a turn that the service answers
    milliseconds doubt_wait{1'500};     ///< for the same, of a turn that was committed while a response ran: then the service may have given up
    milliseconds done_wait{5'000};      ///< for response.done, after a cancel
    milliseconds speech_wait{30'000};   ///< how long a user who speaks keeps a response.create waiting
    milliseconds retry_wait{500};       ///< before a response.create leaves again that was refused although nothing seemed to run
    int refusals_max = 4;
};

/// A response.create, the client's or ours.
struct Create {
    std::string event_id{};  ///< never empty: what an error about it quotes
    std::string text{};       ///< the event as it leaves
    bool by_client = false;
    bool bare = true;         ///< only "please answer": any response that has seen the same items will do
    bool out_of_band = false; ///< conversation "none": runs beside the others
    bool may_wait = true;     ///< false: dropped when it cannot leave at once (an idle prompt)
    std::string turn{};       ///< ours: the user item that it answers in the service's stead
    int refusals = 0;
};

/// Reads `bare` and `out_of_band` off the event (as the client wrote it, before the persona is put in).
Create read_create(const json::object& event);

/// The one owner of response creation in a session: no response.create leaves while it would be refused, at most one is outstanding, at most one
/// is held back, and each of them leaves or is dropped for a reason that tally() counts. Pure.
///
/// Creates are given to ask() and leave by next(); to be called after everything that happened and at wake_at(), until it gives none:
///     while (auto create = replies.next(now)) uplink.push_event(create->text, "create:" + create->event_id);
///     while (auto id = replies.take_settled()) uplink.confirm("create:" + *id);
/// A create that has left and is not settled is the uplink's to send again after a loss.
class ReplyOwner {
public:
    explicit ReplyOwner(ReplyOwnerSettings settings = {}) : settings_(settings) {}

    // ── what may leave ──
    /// False: not taken, since too many out-of-band responses wait for the service, or it may not wait and would have to.
    bool ask(Create create, Instant now);
    std::optional<Create> next(Instant now);
    /// The event ids of creates that have been answered, refused, or given up.
    std::optional<std::string> take_settled();
    std::optional<Instant> wake_at() const;

    /// What to do with a response.cancel, the client's or ours (a reply that is cut off).
    enum class Cancel {
        not_needed,   ///< nothing runs, or it is cancelled already: sending it would only bring an error
        send_first,   ///< a response runs: before everything that waits
        send_behind,  ///< what it means has been asked for, and may wait in the uplink still
    };
    /// The client's. Empty id: whatever runs in the conversation, and what is held or about to be answered. An answer that the service is about to
    /// begin by itself is reported as unwanted by on_created().
    Cancel on_cancel(std::string_view response_id, Instant now);
    /// Ours: the voice of `turn` (a user item, may be empty) cuts the reply off. As on_cancel({}), but a create that is held stays: it is about what
    /// comes next. When the service has already begun to answer that very turn, the answer goes with all the rest that waits to be heard, and is
    /// asked for again.
    Cancel on_cut(std::string_view turn, Instant now);
    Cancel on_cut(Instant now) { return on_cut({}, now); }

    // ── what the client puts into the conversation (conversation.item.create, input_audio_buffer.commit), ours too ──
    void on_item_sent(std::string_view item_id, std::string_view event_id);
    void on_commit_sent();

    // ── what the service says ──
    /// conversation.item.added or .created; ids that were not sent are ignored.
    void on_item_added(std::string_view item_id);
    /// `service_answers`: VAD with create_response. `interrupts`: the service itself cancels what runs. What is asked for and not yet created it does not
    /// know: then a cancel is due, as for on_cancel({}).
    Cancel on_speech_started(bool service_answers, bool interrupts, Instant now);
    void on_speech_stopped(bool service_answers, Instant now);
    void on_committed(std::string_view item_id, bool service_answers, Instant now);
    /// input_audio_buffer.cleared: no turn comes of what was said.
    void on_cleared();

    struct Created {
        bool unwanted = false;   ///< answers a dropped turn or was cancelled before it began: on_cancel() it by its id, and do not show it
        bool cancelled = false;  ///< before it began: the client sees it come and end, and hears nothing of it
        bool out_of_band = false;
    };
    /// `response`: of response.created. A repeated one says nothing. May also be told of an id seen first elsewhere (response.output_item.added).
    Created on_created(const json::object& response, Instant now);
    /// A call of the response is complete: the client has it, or gets it.
    void on_function_call_done(std::string_view response_id);
    /// Id may be empty: all that run. False: it is told again.
    bool on_done(std::string_view response_id, Instant now);

    enum class Verdict {
        not_ours,  ///< not about responses
        show,      ///< to the client; when the quoted id is not one that the client gave, without it
        harmless,  ///< dealt with, or nothing the client could do about it: log it low
    };
    Verdict on_error(std::string_view code, std::string_view message, std::string_view quoted_event_id, Instant now);

    /// A turn that was none (a backchannel): what it brings about is not wanted.
    struct Dropped {
        std::string response_id;  ///< empty: none yet; on_created() will say unwanted when one comes
        bool cancel = false;      ///< it still runs: send response.cancel with this id, first
    };
    Dropped on_turn_dropped(std::string_view item_id, Instant now);

    // ── a service is lost, the next one is ready ──
    struct Due {
        enum class How {
            nothing,
            anew,   ///< a reply was asked for or just begun: ask again
            go_on,  ///< part of it was heard: go on from there
        } how = How::nothing;
        std::optional<Create> create{};  ///< the response.create it goes back to; nullopt: a bare one will do
    };
    /// `heard`: something of the running response reached the user. What is held, and out-of-band responses that ran, leave by next() once ready;
    /// creates that have left and are not settled stay outstanding, since the uplink sends them again (take_settled() before it rewinds). The caller
    /// asks for what is due: ask(), once ready.
    Due on_upstream_lost(bool heard);
    /// The service has what it must know. Nothing leaves before the first one.
    void on_upstream_ready(Instant now);

    // ── how things are ──
    struct Response {
        std::string id;
        bool out_of_band = false;
        bool cancelled = false;             ///< its response.done is awaited
        bool unwanted = false;
        bool calls = false;                 ///< a function call of it is complete
        std::string turn{};                 ///< the user item that the service answers with it
        std::optional<Create> create{};     ///< what asked for it
        std::optional<Create> answered{};   ///< the one that was held and needed no answer of its own any more
        std::optional<Instant> give_up_at{};  ///< when cancelled
    };
    /// Created and not done, oldest first.
    const std::list<Response>& running() const { return running_; }
    bool is_generating() const { return !running_.empty(); }
    /// A reply is asked for, about to be made by the service, being made or held back.
    bool is_busy() const;
    /// The same but for out-of-band responses and what answers this turn of the user's: whether there is something that its voice could interrupt.
    bool is_busy_besides(std::string_view turn) const;

    /// What became of creates that never left, or were refused.
    struct Tally {
        std::uint64_t held = 0;
        std::uint64_t answered = 0;       ///< by a response of the service's own
        std::uint64_t replaced = 0;       ///< by a newer one
        std::uint64_t cancelled = 0;
        std::uint64_t stale = 0;          ///< ours, no longer fitting
        std::uint64_t refused = 0;
        std::uint64_t never_created = 0;  ///< given up
        std::uint64_t owed = 0;           ///< asked for in the service's stead, or again
    };
    const Tally& tally() const { return tally_; }

private:
    static constexpr std::size_t aside_max = 16, running_max = 64, unseen_max = 256, done_kept = 16, settled_max = 64;
    static constexpr std::size_t kept_creates_max = 4, kept_create_bytes_max = 4 << 10;

    struct Outstanding {
        Create create;
        Instant give_up_at;
        bool cancelled = false;  ///< a response.cancel follows it
        bool unwanted = false;
    };
    /// The service is about to answer a turn by itself.
    struct Answer {
        std::string turn;
        Instant give_up_at;
        bool doubtful = false;  ///< committed while a response ran: the service may refuse itself
        bool unwanted = false;
        bool committed = false; ///< not only stopped
    };
    struct Input {
        std::string item_id, event_id;
        bool added = false;
    };

    template <typename T>
    static std::optional<T> take_first(std::list<T>& list)
    {
        if (list.empty()) return std::nullopt;
        T first = std::move(list.front());
        list.pop_front();
        return first;
    }

    bool blocked(Instant now) const;
    void expire(Instant now);
    void hold(Create create);
    bool keep_refused(Create create, Instant now);
    void drop_held_as_answered(Response& by);
    void owe_answer(Answer answer, Instant now);
    void settle(const std::string& event_id);
    void remember_done(std::string_view id);
    void on_conversation_quiet(Instant now);
    std::list<Response>::iterator over(std::list<Response>::iterator response);
    bool was_done(std::string_view id) const;
    Response* find(std::string_view id);
    Response* conversation_response();
    Cancel cancel_conversation(Instant now);
    Verdict on_active_response(std::string_view quoted_event_id, Instant now);

    ReplyOwnerSettings settings_;
    bool ready_ = false;
    std::list<Response> running_;
    std::optional<Outstanding> outstanding_;       ///< in the conversation
    std::list<Outstanding> outstanding_aside_;     ///< out of band
    std::list<Create> aside_;                      ///< out of band, not yet left
    std::optional<Create> held_;
    Instant held_not_before_{};
    std::optional<Answer> answer_;
    std::optional<Instant> speaking_until_;        ///< the user speaks and the service will answer
    std::list<Input> unseen_;                      ///< items that no response has seen yet
    int commits_sent_ = 0;
    std::list<std::string> done_;                  ///< the newest few ids
    /// The newest few with their creates: those may be refused yet, when the response was the service's own.
    std::list<Response> last_done_;
    std::list<std::string> settled_;
    std::string dropped_turn_;                     ///< before it was committed
    std::string last_turn_, last_turn_response_;   ///< the newest turn that the service answered, and with what
    std::uint64_t own_answers_ = 0;
    Tally tally_;
};

}  // namespace repartee::conversation
