#include "repartee/net/sse.hpp"

#include <algorithm>
#include <utility>

namespace repartee::net {

SseParser::SseParser(std::size_t event_bytes_max) : event_bytes_max_(event_bytes_max), lines_(event_bytes_max) {}

void SseParser::take_field(std::string_view line)
{
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (std::exchange(at_start_, false) && line.starts_with(byte_order_mark)) line.remove_prefix(byte_order_mark.size());
    const std::string_view field = line.substr(0, line.find(':'));
    std::string_view value = line.substr(std::min(line.size(), field.size() + 1));
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") event_.name = value;
    if (field != "data") return;
    if (std::exchange(has_data_, true)) event_.data += '\n';
    event_.data += value;
}

std::optional<SseEvent> SseParser::take_event()
{
    SseEvent event = std::exchange(event_, SseEvent());
    if (!std::exchange(has_data_, false)) return std::nullopt;
    return event;
}

Result<std::optional<SseEvent>> SseParser::next()
{
    for (;;) {
        const auto line = lines_.next();
        if (!line) return line.error();
        if (!*line) return std::optional<SseEvent>();
        if ((*line)->empty()) {
            at_start_ = false;
            if (auto event = take_event()) return event;
            continue;
        }
        take_field(**line);
        if (event_.data.size() > event_bytes_max_)
            return Error{Code::too_large, "A server-sent event is larger than " + std::to_string(event_bytes_max_) + " bytes. Send smaller events."};
    }
}

std::optional<SseEvent> SseParser::finish()
{
    if (const auto line = lines_.rest()) take_field(*line);
    return take_event();
}

}  // namespace repartee::net
