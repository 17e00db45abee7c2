#pragma once
#include "repartee/audio/pacer.hpp"
#include "repartee/audio/resampler.hpp"
#include "repartee/audio/ring.hpp"
#include "repartee/base/clock.hpp"
#include "repartee/base/error.hpp"
#include "repartee/conversation/backlog.hpp"
#include "repartee/conversation/journal.hpp"
#include "repartee/realtime/audio_delta.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace repartee::conversation {

/// What is kept of that which has left, for a client that loses its connection and comes back.
struct ResumeSettings {
    std::size_t events_max = 0;               ///< 0: clients do not come back, nothing is kept for it
    std::size_t events_bytes_max = 256 << 10;
    milliseconds audio_max{10'000};           ///< of audio that left and was not heard yet
};

struct DownlinkSettings {
    int output_hz = 24'000;
    std::optional<milliseconds> lead = milliseconds{400};  ///< nullopt: not paced
    std::size_t capacity_bytes = 12 << 20;                 ///< of 24 kHz audio
    std::size_t events_max = 1024;
    std::size_t events_bytes_max = 4 << 20;                ///< of text that waits; a single larger event still passes
    milliseconds frame{40};                                ///< paced audio leaves in frames of at least this length
    ResumeSettings resume{};
    bool suspends = false;                                 ///< all audio is kept until it is heard, so that suspend() loses nothing
};

/// From the upstream to the client. Text events leave at once; reply audio waits in the ring, leaves at the pace of the loudspeaker and is brought to
/// the client's rate on the way out, so that what was not sent can still be dropped, and how much of each item was heard is known to the sample.
/// Audio that left stays in the ring until it is heard (when the settings say so): then it can leave again, behind a false interruption or for a
/// client that comes back. Starts and ends of items follow from where the items lie in the ring, so they leave again with it.
class Downlink {
public:
    explicit Downlink(const DownlinkSettings& settings);
    Downlink(const Downlink&) = delete;
    Downlink& operator=(const Downlink&) = delete;

    /// False: too many events wait, the client does not read. While the client is away the oldest go instead.
    bool push_event(std::string event);
    /// Before everything that waits.
    void push_event_first(std::string event);

    /// Reply audio in base64. Audio of an item that was cut off is dropped. Code::invalid_audio, Code::too_large (no room: see has_room()).
    Result<void> push_audio(const realtime::AudioDelta& delta);
    /// Whether another large delta fits; while not, the upstream is not read.
    bool has_room() const { return room_bytes() >= reserve_bytes && items_to_send_ < settings_.events_max; }
    /// No more audio comes for this item. `done_event` (may be empty) leaves behind its last frame.
    void end_item(std::string_view item_id, std::string done_event);
    /// The same for all items of a response; those of unknown response too.
    void end_items_of(std::string_view response_id);

    /// Of this response nothing more is sent; what has begun to leave goes on. Returns its items of which nothing has left.
    std::vector<std::string> drop_waiting(std::string_view response_id);

    /// The client says how much of an item its loudspeaker has played. Then it has heard all earlier items. Late reports, while the loudspeaker was
    /// told to stop or the client is away, change nothing.
    void on_playback(std::string_view item_id, std::int64_t played_ms, Instant now);

    /// What an interruption did to one item.
    struct Cut {
        std::string item_id;
        std::int64_t content_index = 0;
        std::int64_t heard_ms = 0;  ///< never more than was sent
        bool ended = false;         ///< all of its audio had come from the upstream
    };
    /// Stops: drops what was not sent, returns every item that was not heard to its end, oldest first; empty when the loudspeaker was silent.
    std::vector<Cut> interrupt(Instant now);
    /// What interrupt() would cut.
    std::vector<Cut> in_play(Instant now) const { return cuts(now); }
    /// Whether this item was cut off by an interruption, not long ago.
    bool was_cut(std::string_view item_id) const;
    /// Audio waits or is being played by the loudspeaker's model.
    bool is_speaking(Instant now) const;
    /// Whether something of this response has not been heard yet.
    bool plays(std::string_view response_id, Instant now) const;
    /// Audio or events still wait to be sent; of a reply that stands still, too.
    bool has_unsent() const;

    /// Stops for the time being: what interrupt() would cut, and nothing is lost (settings.suspends). Nothing happens when that is empty. The client
    /// must be told to throw away what it has not played. Then no audio leaves until go_on(), or interrupt() makes it final, with the same cuts.
    std::vector<Cut> suspend(Instant now);
    /// Plays on from where the loudspeaker stood, down to a whole ms: audio.start comes again, with that place as `offset_ms`.
    void go_on(Instant now);
    bool is_suspended() const { return suspended_; }

    /// The client's connection is gone. The loudspeaker stands still where the client reported it, else where the model has it. No audio leaves
    /// meanwhile.
    void on_client_lost(Instant now);
    /// What a client that comes back says about itself.
    struct ClientPosition {
        std::optional<std::string> last_event_id{}, item_id{};
        std::int64_t played_ms = 0;  ///< of item_id
    };
    struct Again {
        std::size_t events = 0;       ///< that leave once more
        std::size_t events_lost = 0;  ///< that it missed, and that are not kept any more
        std::int64_t audio_ms = 0;    ///< that leaves once more
    };
    /// What it missed leaves again: events behind `last_event_id` (without it: those of the last two seconds), then what came meanwhile; audio from
    /// where the loudspeaker stood, with a new audio.start; the ends of items behind their audio. A suspended reply stays suspended, where it was.
    /// An item that is none here any more was an earlier one: then all that is kept leaves again.
    Again on_client_back(const ClientPosition& position, Instant now);

    /// What became of an item.
    struct Heard {
        std::string item_id;
        std::int64_t heard_ms = 0, audio_ms = 0;
        bool cut = false;
    };
    /// Those of which it was decided since the last call, oldest first, each once: heard to the end, or cut off.
    std::vector<Heard> take_heard(Instant now);
    /// When the loudspeaker will have played what was sent, by its model; nullopt when it has. Then it is worth asking take_heard().
    std::optional<Instant> quiet_at(Instant now) const;
    /// Audio of the item that came from the upstream; 0 when it is not being played any more.
    std::int64_t received_ms(std::string_view item_id) const;
    /// Items whose audio began to come and has not ended.
    std::vector<std::string> unfinished_items() const;

    struct Next {
        enum class Kind { nothing, text, binary } kind = Kind::nothing;
        std::string_view text;              ///< valid until the next call
        std::span<const std::byte> binary;  ///< whole samples at the output rate; valid until the next call
        std::optional<Instant> wake_at{};   ///< nothing: when to ask again, unless something is pushed before
        std::array<std::span<const std::byte>, 2> source{};  ///< binary: the same audio at 24 kHz (none of a filter's last samples); valid as long
        Instant plays_at{};                 ///< binary: when the loudspeaker gets to it, by its model
    };
    Next next(Instant now);

private:
    static constexpr std::size_t reserve_bytes = 256 << 10;
    static constexpr std::size_t cut_items_kept = 16;

    /// Where the sender is with an item; those before the sender's place are passed, those behind it wait.
    enum class Phase { waiting, begun, flushed, end_told, passed };
    /// A stretch of the ring. Items follow each other without a gap; only the last one may be open. One that comes again after another is a new
    /// stretch.
    struct Item {
        std::uint64_t serial;  ///< grows; never 0
        std::string item_id, response_id;
        std::int64_t content_index = 0;
        std::uint64_t begin = 0, end = 0;   ///< ring offsets; end only counts when it has ended
        std::uint64_t earlier_samples = 0;  ///< of the same item, in an earlier stretch
        bool ended = false;
        Phase phase = Phase::waiting;
        bool announced = false;  ///< once before: then audio.start says where it goes on
        bool done_told = false;
        std::string done_event{};  ///< what leaves behind audio.end
        std::optional<std::int64_t> reported_ms{};
        Instant reported_at{};
        Instant ends_at{};  ///< passed: when the loudspeaker is through with it, by its model
    };
    using Items = std::list<Item>;

    const Item* find(std::string_view item_id) const;
    Item* find(std::string_view item_id) { return const_cast<Item*>(std::as_const(*this).find(item_id)); }
    void add_item(const realtime::AudioDelta& delta);
    std::size_t room_bytes() const;
    void make_room(std::size_t bytes);

    // Places within items: ring offsets and ms since the item's beginning (downlink_heard.cpp).
    std::uint64_t end_of(const Item& item) const { return item.ended ? item.end : ring_.written(); }
    std::int64_t ms_at(const Item& item, std::uint64_t offset) const;
    std::int64_t ms_of(const Item& item) const { return ms_at(item, end_of(item)); }
    std::uint64_t offset_at(const Item& item, std::int64_t ms) const;

    // How much was heard (downlink_heard.cpp).
    /// A client that falls silent has likely played on. Or it has lost its connection: then it stands where its reports ended, but for a last bit
    /// that nobody reports. Certain is what not even a client that comes back and knows better asks for.
    enum class Belief { likely, reported, certain };
    std::uint64_t played_offset(Instant now) const;
    std::uint64_t heard_offset(const Item& item, Instant now) const;
    std::uint64_t certain_offset(const Item& item, Instant now) const;
    bool is_heard(const Item& item, Belief belief, Instant now) const;
    Items::const_iterator first_unheard(Belief belief, Instant now) const;
    Item* find_played(std::string_view item_id, std::int64_t played_ms, std::uint64_t sent);
    void note_report(Item& item, std::int64_t played_ms, Instant now);
    void report_earlier_than(const Item& item, Instant now);
    void note_heard(Heard heard);
    void settle(Instant now);
    void let_go_of_heard(Instant now);
    std::vector<Cut> cuts(Instant now) const;

    // Standing still and going on (downlink_rewind.cpp).
    bool stands_still() const { return suspended_ || client_lost_at_; }
    bool leaves_again(const Item& item) const { return !item.ended || send_offset_ < item.end; }
    void stand_before(Items::const_iterator item, Instant now);
    void place_client(const ClientPosition& position, Instant now);
    Again take_missed_events(const ClientPosition& position, Instant lost_at);
    void skip_what_is_gone();
    void send_again();
    void drop_audio(Instant now);

    // Sending (downlink_send.cpp).
    std::optional<Next> pass_borders(Instant now);
    Next begin_item(Instant now);
    std::optional<Next> rest_of_filter();
    std::string end_event(const Item& item) const;
    Next end_of_item(Instant now);
    Next done_of_item(Instant now);
    void leave_item();
    Next text(std::string event, Instant now, std::uint64_t item = 0);
    Next samples(std::size_t ring_bytes, Instant now);

    DownlinkSettings settings_;
    bool keeps_unheard_;
    audio::Ring ring_;
    audio::Resampler resampler_;
    audio::Pacer pacer_;
    Backlog events_;
    Journal journal_;
    std::size_t events_dropped_ = 0;  ///< while the client is away
    bool client_reports_ = false;     ///< what it plays, of the newest item that was heard
    Items items_;                     ///< from the oldest that is not certainly heard
    Items::iterator sending_;         ///< the first that is not passed
    std::size_t items_to_send_ = 0;
    std::uint64_t serials_ = 0;
    std::uint64_t send_offset_ = 0;   ///< of the next byte to leave; the pacer's sent() is the same place
    std::uint64_t farthest_sent_ = 0; ///< as of the last time that it began to stand still
    bool suspended_ = false;
    std::optional<Instant> client_lost_at_;
    std::vector<Heard> heard_;
    std::list<std::string> cut_items_;  ///< the newest few: their late audio is dropped
    std::string current_text_;
    std::vector<std::int16_t> in_, out_;
};

}  // namespace repartee::conversation
