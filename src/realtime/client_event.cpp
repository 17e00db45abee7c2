#include "repartee/realtime/client_event.hpp"

#include "field_reader.hpp"
#include "repartee/base/quoted.hpp"

#include <algorithm>
#include <array>

namespace repartee::realtime {
namespace {

constexpr std::array<std::string_view, 11> known_client_events = {
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "conversation.item.delete",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
};

}  // namespace

Result<ClientEvent> parse_client_event(std::string_view text)
{
    auto parsed = json::parse_object(text);
    if (!parsed) return parsed.error();
    ClientEvent event;
    event.body = std::move(*parsed);

    const auto type = json::find_string(event.body, "type");
    if (!type || type->empty())
        return Error{Code::invalid_event, "The event has no usable 'type'. Send a string, e.g. \"type\":\"response.create\".", "type"};
    event.type = *type;

    const json::value* id = json::find(event.body, "event_id");
    if (!id) return event;
    if (!id->is_string())
        return Error{Code::invalid_value, "Invalid type for 'event_id': expected a string. Quote it, or leave it out.", "event_id"};
    event.event_id.assign(id->get_string().data(), id->get_string().size());
    if (utf8_characters(event.event_id) > event_id_max_chars)
        return Error{Code::invalid_value, "Invalid 'event_id': string too long. Send at most 512 characters.", "event_id"};
    return event;
}

bool is_known_client_event(std::string_view type)
{
    return std::find(known_client_events.begin(), known_client_events.end(), type) != known_client_events.end();
}

std::string known_client_events_text() { return "Supported values are: " + quoted_words(known_client_events) + "."; }

Error unknown_client_event(std::string_view type)
{
    return Error{Code::invalid_value, "Invalid value: " + quoted_value(type) + ". " + known_client_events_text(), "type"};
}

}  // namespace repartee::realtime
