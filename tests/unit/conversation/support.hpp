#pragma once
#include "repartee/audio/base64.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/base/json.hpp"
#include "repartee/conversation/session.hpp"
#include "repartee/realtime/append_event.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace test {

using namespace repartee;

/// What leaves for the upstream as the JSON text that arrives there. False: nothing.
inline bool as_event(const conversation::Uplink::Next& next, std::string& text)
{
    using Kind = conversation::Uplink::Next::Kind;
    text.clear();
    if (next.kind == Kind::event) text = next.event;
    if (next.kind == Kind::audio) realtime::build_append_event(next.audio[0], next.audio[1], text);
    return next.kind != Kind::nothing;
}

inline bool next(conversation::Uplink& uplink, std::string& text) { return as_event(uplink.next(), text); }

/// A clock that only moves when told to.
struct Clock {
    Instant now{std::chrono::hours(1)};
    void advance(std::int64_t ms) { now += milliseconds(ms); }
};

inline std::vector<std::byte> pcm_ms(std::int64_t ms, int hz, std::int16_t value = 1000)
{
    std::vector<std::byte> bytes(audio::bytes_of_ms(ms, hz));
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
        bytes[i] = static_cast<std::byte>(value & 0xFF);
        bytes[i + 1] = static_cast<std::byte>((value >> 8) & 0xFF);
    }
    return bytes;
}

inline std::string base64(std::span<const std::byte> bytes)
{
    std::string text(audio::base64_encoded_bytes(bytes.size()), '\0');
    audio::base64_encode(bytes, text.data());
    return text;
}

inline std::string delta_event(std::string_view item, std::int64_t ms, std::string_view response = "resp_1")
{
    return json::to_text(json::object{{"type", "response.output_audio.delta"},
                                      {"event_id", "e"},
                                      {"response_id", response},
                                      {"item_id", item},
                                      {"output_index", 0},
                                      {"content_index", 0},
                                      {"delta", base64(pcm_ms(ms, audio::realtime_hz))}});
}

/// A conversation as a script: what either side says, and what must come out.
class Script {
public:
    explicit Script(conversation::SessionSettings settings = defaults()) : session(std::move(settings), metrics, clock.now) {}

    static conversation::SessionSettings defaults()
    {
        conversation::SessionSettings settings;
        settings.id = "sess_ours";
        settings.character_id = "park_jihoon";
        settings.instructions = [] { return std::string("PERSONA"); };
        settings.voice = "sage";
        settings.language = "ko";
        settings.transcription_model = "whisper-1";
        settings.input_hz = 24'000;
        settings.downlink.capacity_bytes = 1 << 20;
        return settings;
    }

    Script& upstream(const json::object& event) { return upstream_text(json::to_text(event)); }
    Script& upstream_text(std::string_view text)
    {
        session.on_upstream_event(text, clock.now);
        return *this;
    }
    Script& client(const json::object& event)
    {
        session.on_client_event(json::to_text(event), clock.now);
        return *this;
    }

    /// Through session.created / session.updated, with what that sends taken away.
    Script& live()
    {
        upstream({{"type", "session.created"}, {"session", json::object{{"model", "gpt-test"}}}});
        to_upstream();
        upstream({{"type", "session.updated"}, {"session", json::object{{"id", "sess_theirs"}, {"instructions", "PERSONA"}, {"audio", json::object{}}}}});
        to_client();
        return *this;
    }

    std::vector<json::object> to_upstream()
    {
        std::vector<json::object> events;
        std::string text;
        while (as_event(session.next_for_upstream(clock.now), text)) events.push_back(json::parse_object(text).value());
        return events;
    }

    struct ToClient {
        std::vector<json::object> events;
        std::vector<std::string> order;  ///< event types, and "binary"
        std::size_t bytes = 0;
    };
    ToClient to_client()
    {
        ToClient out;
        for (;;) {
            const auto next = session.next_for_client(clock.now);
            if (next.kind == conversation::Downlink::Next::Kind::nothing) return out;
            if (next.kind == conversation::Downlink::Next::Kind::binary) {
                out.bytes += next.binary.size();
                if (out.order.empty() || out.order.back() != "binary") out.order.push_back("binary");
                continue;
            }
            out.events.push_back(json::parse_object(next.text).value());
            out.order.emplace_back(json::find_string(out.events.back(), "type").value());
        }
    }

    /// A reply of `ms` begins; with `done` the upstream has finished generating it.
    Script& reply(std::string_view item, std::int64_t ms, bool done, const std::string& response = "resp_1")
    {
        upstream({{"type", "response.created"}, {"response", json::object{{"id", response}, {"conversation_id", "conv_1"}}}});
        if (ms > 0) upstream_text(delta_event(item, ms, response));
        if (!done) return *this;
        upstream({{"type", "response.output_audio.done"}, {"response_id", response}, {"item_id", item}, {"content_index", 0}});
        upstream({{"type", "response.done"}, {"response", json::object{{"id", response}, {"status", "completed"}}}});
        return *this;
    }
    Script& speech_started() { return upstream({{"type", "input_audio_buffer.speech_started"}, {"item_id", "item_user"}, {"audio_start_ms", 0}}); }

    Clock clock;
    Metrics metrics;
    conversation::Session session;
};

inline std::vector<std::string> types(const std::vector<json::object>& events)
{
    std::vector<std::string> out;
    for (const auto& event : events) out.emplace_back(json::find_string(event, "type").value_or("?"));
    return out;
}

using Strings = std::vector<std::string>;

}  // namespace test
