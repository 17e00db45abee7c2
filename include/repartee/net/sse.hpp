#pragma once
#include "repartee/net/text_lines.hpp"

namespace repartee::net {

struct SseEvent {
    std::string name;  ///< of `event:`; mostly empty
    std::string data;  ///< several `data:` lines joined by "\n"
};

/// Server-sent events (WHATWG HTML, 9.2): comment lines and unknown fields are passed over, a space behind the colon is optional, a byte order
/// mark at the start is skipped. Unlike the standard an event without a blank line behind it counts at the end of the stream: some servers end so.
/// Pure.
class SseParser {
public:
    explicit SseParser(std::size_t event_bytes_max = 1 << 20);

    void feed(std::string_view bytes) { lines_.feed(bytes); }
    /// nullopt: more bytes are needed. Code::too_large.
    Result<std::optional<SseEvent>> next();
    /// After the last feed, when next() has no more: what still waits.
    std::optional<SseEvent> finish();

private:
    void take_field(std::string_view line);
    std::optional<SseEvent> take_event();

    std::size_t event_bytes_max_;
    TextLines lines_;
    SseEvent event_;
    bool has_data_ = false, at_start_ = true;
};

}  // namespace repartee::net
