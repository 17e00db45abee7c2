#pragma once
#include "repartee/base/json.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::conversation {

struct HistorySettings {
    std::size_t items_max = 400, bytes_max = 256 << 10;  ///< what is remembered; the oldest go
    std::int64_t replay_tokens_max = 6'000;              ///< what a new service is told, by estimate
    bool gives_lines = true;                             ///< take_changed_lines() is called: until then what is deleted is kept for it
};

/// One line of the transcript, for whoever keeps it.
struct Line {
    std::uint64_t number = 0;  ///< from 1, in the order of the conversation when it was first given; numbers may be missing
    std::string item_id{};
    std::string role{};   ///< user, assistant, system, tool (a call as "name(arguments)", and its output)
    std::string text{};   ///< whole, as far as known; empty: the user's words could not be made out
    std::string heard{};  ///< what was heard of it; `text` unless it was cut off
    bool cut = false;
    std::int64_t heard_ms = 0, audio_ms = 0;
    bool changed_again = false;  ///< this line was given before
};

/// Who said what in a conversation, in its order, and how much of it was heard: what a new service must be told, and what a transcript holds.
/// Words only, no audio. Read tolerantly: names of the GA and the beta protocol, missing members, events that come twice, too early or too late.
class History {
public:
    explicit History(HistorySettings settings) : settings_(settings) {}

    // From the service. Not for responses outside the conversation (conversation: "none").

    /// An item as conversation.item.added, .created, .done and response.output_item.added, .done show it: places it, or adds what was not known.
    /// `previous_item_id`: "root" for the front; nullopt when the event has none, or null.
    void on_item(const json::object& item, std::optional<std::string_view> previous_item_id = std::nullopt);
    /// input_audio_buffer.committed: the user's spoken turn gets its place before anything else is known of it.
    void on_committed(std::string_view item_id, std::optional<std::string_view> previous_item_id = std::nullopt);
    void on_item_deleted(std::string_view item_id);
    void on_user_transcript(std::string_view item_id, std::string_view transcript);
    void on_user_transcript_failed(std::string_view item_id);
    /// Deltas of text and of the audio's transcript.
    void on_reply_text(std::string_view item_id, std::string_view delta, std::size_t content_index = 0);
    void on_reply_text_done(std::string_view item_id, std::string_view whole, std::size_t content_index = 0);
    /// Empty views: the event lacked them.
    void on_function_arguments_done(std::string_view item_id, std::string_view call_id, std::string_view name, std::string_view arguments);

    // From the conversation

    /// How far the loudspeaker got with an item. The newest report counts. `audio_ms`: what came of its audio. With `cut` nothing more of it will
    /// be heard; with `heard_ms` == `audio_ms` too, the reply was broken off and its text goes further than its sound. An item that is never reported
    /// counts as heard whole.
    void on_heard(std::string_view item_id, std::int64_t heard_ms, std::int64_t audio_ms, bool cut);

    // For a new service

    struct Replay {
        std::vector<std::string> events;    ///< conversation.item.create, with event_id "repartee_replay_…"
        std::vector<std::string> item_ids;  ///< of each event; the ids that the items had
        std::size_t items_left_out = 0;     ///< for the budget, or forgotten before
        std::int64_t tokens = 0;
        /// Where the user's last turn belongs when needs_audio_of_last_turn(): before the event of this index, or behind the last one.
        std::optional<std::size_t> audio_at{};
    };
    /// What was heard, oldest first: the user's turns as text, function calls with their outputs. Left out: what has no words, what nobody heard,
    /// calls without an output unless it may still come. The oldest turns go, each whole, until the rest fits into replay_tokens_max; the first
    /// system item, the user's last words and the newest item stay. A note of role system leads, once the character has spoken or turns are left
    /// out: that the conversation is under way (no second greeting, the same language), and how many turns are missing.
    Replay replay() const;
    /// The user's newest item was spoken and its words are not known, so far or at all.
    bool needs_audio_of_last_turn() const;
    std::string_view last_user_item() const;  ///< empty: none; valid until the next call that is not const
    bool knows(std::string_view item_id) const { return find(item_id) != nullptr; }
    /// The words of it that were heard, to whole words.
    std::string heard_text(std::string_view item_id) const;

    /// For the record: lines that are new or changed since the last call, in the order of the conversation. A reply's line comes when its text is
    /// whole, and again when it was heard. `all`: also what is unfinished, at the conversation's end. Cheap when there is nothing.
    std::vector<Line> take_changed_lines(bool all = false);

private:
    enum class Role : std::uint8_t { user, assistant, system, call, output };

    struct Part {
        enum class Kind : std::uint8_t { text, audio, image } kind = Kind::text;
        bool is_final = false;        ///< the service has said that this is all of it
        std::string text{};           ///< or the transcript, or the image's URL
        std::string_view detail{};    ///< image: auto, low, high (static text)
    };

    struct Report {
        std::int64_t ms = 0, audio_ms = 0;
        bool cut = false;
        bool audio_whole = false;  ///< the reply had been generated to its end, so audio_ms is that of the whole text
    };

    struct Item {
        std::string id{};
        Role role = Role::user;
        std::string waits_for{};        ///< the item that it stands behind, while that one is not known
        std::string call_id{}, name{};  ///< functions
        std::vector<Part> parts{};      ///< of a call its arguments, of an output that
        std::optional<Report> heard{};
        std::uint64_t number = 0;       ///< of its line; 0: none yet
        std::size_t bytes = 0;          ///< as counted in bytes_
        bool placed = false;            ///< by a previous_item_id
        bool complete = false;          ///< whole, as the service says
        bool transcribed = false, transcript_failed = false;
        bool shortened = false;         ///< too long to be kept whole
        bool deleted = false;           ///< kept for its line only
        bool line_due = false, line_given = false;
    };
    using Items = std::list<Item>;
    struct Candidate;
    struct Selection;

    Items::iterator locate(std::string_view item_id);
    const Item* find(std::string_view item_id) const;
    Items::iterator add(std::string_view item_id, Role role, std::optional<std::string_view> previous_item_id);
    Items::iterator locate_or_add(std::string_view item_id, Role role);
    Items::iterator place_behind(std::string_view item_id, std::string_view previous_item_id, std::string& waits_for);
    Items::iterator first_that_waits_for(std::string_view item_id);
    void place_again(Items::iterator item, std::string_view previous_item_id);
    void seat_waiting(Items::iterator placed);
    bool is_forgotten(std::string_view item_id) const;
    void forget(std::string_view item_id);
    void changed(Item& item);
    void keep_within_limits();

    void read_message(Item& item, const json::object& json) const;
    void read_part(Item& item, std::size_t index, const json::object& json, bool is_final) const;
    void read_function(Item& item, const json::object& json) const;
    void set_text(Item& item, Part& part, std::string_view text) const;
    void learn_rate(const Item& item);

    static std::string words(const Item& item);
    static bool is_spoken(const Item& item);
    std::string heard_words(const Item& item) const;
    const Item* last_user() const;
    Line line_of(const Item& item) const;
    Selection selection() const;
    static json::object json_of(const Candidate& candidate);

    HistorySettings settings_;
    Items items_;
    std::size_t bytes_ = 0;
    std::list<std::string> forgotten_;  ///< the newest few ids of deleted and forgotten items: what comes late for them is dropped
    std::size_t items_forgotten_ = 0, turns_forgotten_ = 0;
    std::uint64_t lines_ = 0;
    bool lines_due_ = false;    ///< a line may have to be given; not by every delta
    double ms_per_weight_ = 0;  ///< this voice's speaking rate; 0: not known yet
};

}  // namespace repartee::conversation
