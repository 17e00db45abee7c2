#pragma once
#include "repartee/base/json.hpp"
#include "utf8_stream.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::engine {

/// The sound of an item's content part, which events leave out.
struct Recording {
    std::size_t content_index = 0;
    std::vector<std::int16_t> samples{};  ///< 24 kHz; the beginning only, when it is long or memory ran short
    std::int64_t samples_total = 0;

    std::int64_t total_ms() const;
    void append(std::span<const std::int16_t> more, std::size_t samples_max);
};

/// From this byte of an assistant's text on, the sound is that from this sample on.
struct TextMark {
    std::size_t text_byte = 0;
    std::int64_t sample = 0;
};

/// A transcript on its way: what the client has been sent of it.
struct TranscriptSoFar {
    Utf8Stream characters{};
    std::string sent{};
};

/// One item: its JSON as events show it, and what events leave out.
struct Item {
    std::string id;
    json::object body;                     ///< id, type, status, role, content, …; never audio
    std::optional<Recording> recording{};
    std::string said{};                    ///< assistant message of the engine: everything it said, truncated or not
    std::vector<TextMark> marks{};         ///< of `said`; the first is {0, 0}. None: not a message of the engine
    std::optional<std::int64_t> heard_ms{};  ///< conversation.item.truncate: no more than this of the audio was heard
    bool generating = false;
    bool silence = false;                  ///< a user's turn that an idle time limit ended: nobody spoke
    std::optional<TranscriptSoFar> transcript_so_far{};
    enum class Transcript { none, wanted, wanted_silently } transcript = Transcript::none;  ///< silently: only for the context

    std::string_view type() const;
    std::string_view role() const;
    void set_status(std::string_view status);
    /// Content part `index`, or nullptr.
    json::object* part(std::size_t index);
    const json::object* part(std::size_t index) const;
    std::size_t bytes() const;

    /// The audio a client may still speak of: all of it, or what conversation.item.truncate left.
    std::int64_t audio_ms() const;
    /// More of what the assistant says; the sound of it comes behind what there is.
    void say(std::string_view text);
    /// The message was broken off: text whose sound never began was never heard.
    void forget_soundless_end();
    /// Assistant: what was heard of it. Text goes with its sound; where the sound was cut amid a stretch, in proportion and between words.
    std::string heard_text() const;
};

using ItemPtr = std::shared_ptr<Item>;

/// The default conversation: items in order, bounded in number and bytes. The oldest go first: their audio, then they themselves. An item
/// that is still being generated stays.
class ConversationItems {
public:
    ConversationItems(std::size_t items_max, std::size_t bytes_max) : items_max_(items_max), bytes_max_(bytes_max) {}

    /// `after`: nullopt appends, "root" puts it first. Errors: unknown `after`, id in use.
    Result<void> add(ItemPtr item, std::optional<std::string_view> after = std::nullopt);
    ItemPtr find(std::string_view id) const;
    bool erase(std::string_view id);
    /// previous_item_id of events: null for the first.
    json::value previous_id(std::string_view id) const;
    json::value last_id() const;
    const std::vector<ItemPtr>& all() const { return items_; }
    void keep_within_limits();

private:
    std::size_t items_max_;
    std::size_t bytes_max_;
    std::vector<ItemPtr> items_;
};

}  // namespace repartee::engine
