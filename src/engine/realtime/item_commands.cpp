#include "client_item.hpp"
#include "fields.hpp"
#include "repartee/audio/base64.hpp"
#include "server_state.hpp"

#include <algorithm>

namespace repartee::engine {
namespace {

std::string base64_text(std::span<const std::byte> bytes)
{
    std::string text(audio::base64_encoded_bytes(bytes.size()), '\0');
    audio::base64_encode(bytes, text.data());
    return text;
}

/// The only event that carries an item's audio.
json::object with_audio(const Item& item, realtime::AudioFormat format)
{
    Item copy{.id = item.id, .body = item.body};
    if (!item.recording || item.recording->samples.empty()) return copy.body;
    const auto heard = static_cast<std::size_t>(item.audio_ms() * samples_per_ms);
    const std::size_t n = item.heard_ms ? std::min(heard, item.recording->samples.size()) : item.recording->samples.size();
    if (json::object* part = copy.part(item.recording->content_index))
        (*part)["audio"] = base64_text(encode_recording(std::span(item.recording->samples).first(n), format));
    return copy.body;
}

}  // namespace

Result<ItemPtr> RealtimeServer::State::named_item(const json::object& event) const
{
    const auto id = required_string(event, "item_id");
    if (!id) return id.error();
    if (ItemPtr item = items.find(*id)) return item;
    return Error{Code::item_not_found, "Item with id '" + *id + "' not found. Name an item of the conversation.", "item_id"};
}

Result<void> RealtimeServer::State::create_item(const json::object& event, Instant)
{
    const json::value* given = json::find(event, "item");
    if (!given) return missing("item");
    if (!given->is_object()) return Error{Code::invalid_value, "Invalid type for 'item': expected an object.", "item"};
    if (const json::value* after = json::find(event, "previous_item_id"); after && !after->is_string())
        return Error{Code::invalid_value, "Invalid type for 'previous_item_id': expected a string.", "previous_item_id"};

    auto item = read_client_item(given->get_object(), session.input_format, item_samples_max());
    if (!item) return item.error();
    if ((*item)->bytes() > limits.conversation_bytes_max)
        return Error{Code::too_large,
                     "The item is larger than a conversation may be (" + std::to_string(limits.conversation_bytes_max) + " bytes). Send less.",
                     "item"};
    const ItemPtr created = *item;
    if (auto added = items.add(created, json::find_string(event, "previous_item_id")); !added) return added.error();

    const json::value previous = items.previous_id(created->id);
    send("conversation.item.added", {{"previous_item_id", previous}, {"item", created->body}});
    send("conversation.item.done", {{"previous_item_id", previous}, {"item", created->body}});
    const json::object* spoken = created->recording ? created->part(created->recording->content_index) : nullptr;
    if (spoken && json::find_string(*spoken, "transcript").value_or("").empty()) request_transcript(created, created->recording->samples);
    items.keep_within_limits();
    return {};
}

Result<void> RealtimeServer::State::retrieve_item(const json::object& event, Instant)
{
    const auto item = named_item(event);
    if (!item) return item.error();
    const bool user = (*item)->role() == "user";
    send("conversation.item.retrieved", {{"item", with_audio(**item, user ? session.input_format : session.output_format)}});
    return {};
}

Result<void> RealtimeServer::State::truncate_item(const json::object& event, Instant)
{
    const auto named = named_item(event);
    if (!named) return named.error();
    const auto content_index = required_count(event, "content_index");
    if (!content_index) return content_index.error();
    const auto audio_end_ms = required_count(event, "audio_end_ms");
    if (!audio_end_ms) return audio_end_ms.error();

    Item& item = **named;
    if (item.role() != "assistant" || !item.recording || item.recording->samples_total == 0)
        return Error{Code::unsupported_content, "Only model output audio messages can be truncated.", "item_id"};
    if (*content_index != static_cast<std::int64_t>(item.recording->content_index))
        return Error{Code::invalid_value, "Invalid value for 'content_index': the audio of an item is its part 0.", "content_index"};
    if (*audio_end_ms > item.audio_ms())
        return Error{Code::invalid_value,
                     "Audio content of " + std::to_string(item.audio_ms()) + "ms is already shorter than " +
                         std::to_string(*audio_end_ms) + "ms",
                     "audio_end_ms"};
    item.heard_ms = *audio_end_ms;
    if (json::object* part = item.part(item.recording->content_index)) part->erase("transcript");  // it says more than was heard
    send("conversation.item.truncated", {{"item_id", item.id}, {"content_index", *content_index}, {"audio_end_ms", *audio_end_ms}});
    return {};
}

Result<void> RealtimeServer::State::delete_item(const json::object& event, Instant)
{
    const auto item = named_item(event);
    if (!item) return item.error();
    const std::string id = (*item)->id;
    items.erase(id);
    send("conversation.item.deleted", {{"item_id", id}});
    return {};
}

}  // namespace repartee::engine
