#pragma once
#include "repartee/audio/pacer.hpp"
#include "repartee/audio/resampler.hpp"
#include "repartee/audio/ring.hpp"
#include "repartee/base/clock.hpp"
#include "repartee/base/error.hpp"
#include "repartee/realtime/audio_delta.hpp"

#include <cstddef>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace repartee::conversation {

struct DownlinkSettings {
    int output_hz = 24'000;
    std::optional<milliseconds> lead = milliseconds{400};  ///< nullopt: not paced
    std::size_t capacity_bytes = 12 << 20;                 ///< of 24 kHz audio
    std::size_t events_max = 1024;
    std::size_t events_bytes_max = 4 << 20;                ///< of text that waits; a single larger event still passes
    milliseconds frame{40};                                ///< paced audio leaves in frames of at least this length
};

/// From the upstream to the client. Text events leave at once; reply audio waits in the ring, leaves at the pace of the loudspeaker and is brought to
/// the client's rate on the way out, so that what was not sent can still be dropped, and how much of each item was heard is known to the sample.
class Downlink {
public:
    explicit Downlink(const DownlinkSettings& settings);

    /// False: too many events wait, the client does not read.
    bool push_event(std::string event);
    /// Before everything that waits.
    void push_event_first(std::string event);

    /// Reply audio in base64. Audio of an item that was cut off is dropped. Code::invalid_audio, Code::too_large (no room: see has_room()).
    Result<void> push_audio(const realtime::AudioDelta& delta);
    /// Whether another large delta fits; while not, the upstream is not read.
    bool has_room() const { return ring_.free_space() >= reserve_bytes && marks_.size() < settings_.events_max; }
    /// No more audio comes for this item. `done_event` (may be empty) leaves behind its last frame.
    void end_item(std::string_view item_id, std::string done_event);
    /// The same for all items of a response; those of unknown response too.
    void end_items_of(std::string_view response_id);

    /// The client says how much of an item its loudspeaker has played.
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
    /// Whether this item was cut off by an interruption, not long ago.
    bool was_cut(std::string_view item_id) const;
    /// Audio waits or is being played by the loudspeaker's model.
    bool is_speaking(Instant now) const;
    /// Audio or events still wait to be sent.
    bool has_unsent() const { return ring_.size() > 0 || !marks_.empty() || !events_.empty(); }

    struct Next {
        enum class Kind { nothing, text, binary } kind = Kind::nothing;
        std::string_view text;              ///< valid until the next call
        std::span<const std::byte> binary;  ///< whole samples at the output rate; valid until the next call
        std::optional<Instant> wake_at{};   ///< nothing: when to ask again, unless something is pushed before
    };
    Next next(Instant now);

private:
    static constexpr std::size_t reserve_bytes = 256 << 10;

    struct Item {
        std::string item_id, response_id;
        std::int64_t content_index = 0;
        std::uint64_t received_bytes = 0, sent_samples = 0;
        std::uint64_t pacer_begin = 0;  ///< the pacer's position of its first sample, once started
        bool started = false, ended = false;
        std::optional<std::int64_t> reported_ms{};
        Instant reported_at{};
    };
    struct Mark {
        std::uint64_t offset;  ///< ring position
        enum class Kind { start, end } kind;
        std::string item_id;
        std::string event;     ///< end: what leaves behind audio.end
        bool flushed = false;
    };

    Item* find(std::string_view item_id);
    std::uint64_t heard_samples(const Item& item, Instant now) const;
    bool heard_to_the_end(const Item& item, Instant now) const;
    void forget_heard(Instant now);
    std::optional<Next> pass_mark(Instant now);
    Next text(std::string event);
    Next samples(std::size_t ring_bytes, Instant now);

    DownlinkSettings settings_;
    audio::Ring ring_;
    audio::Resampler resampler_;
    audio::Pacer pacer_;
    std::list<std::string> events_;
    std::size_t events_bytes_ = 0;
    std::list<Mark> marks_;
    std::list<Item> items_;
    std::string sending_item_;           ///< whose samples leave now
    std::list<std::string> cut_items_;  ///< the newest few: their late audio is dropped
    std::string current_text_;
    std::vector<std::int16_t> in_, out_;
};

}  // namespace repartee::conversation
