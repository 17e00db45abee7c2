#pragma once
#include "repartee/audio/base64.hpp"
#include "repartee/base/json.hpp"
#include "repartee/engine/realtime_server.hpp"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

/// A Realtime conversation played by a test: what the client sends, what the brain answers, and which events come of it.
namespace script {

using namespace repartee;
using Samples = std::vector<std::int16_t>;
using Types = std::vector<std::string>;
using Json = json::object;

inline std::string base64(std::span<const std::byte> bytes)
{
    std::string text(audio::base64_encoded_bytes(bytes.size()), '\0');
    audio::base64_encode(bytes, text.data());
    return text;
}

inline std::string base64(const Samples& samples) { return base64(std::as_bytes(std::span(samples))); }

inline std::vector<std::byte> bytes_of(std::string_view base64_text)
{
    std::vector<std::byte> bytes(audio::base64_decoded_bytes_max(base64_text.size()));
    const auto decoded = audio::base64_decode(base64_text, bytes.data());
    if (!decoded) throw std::runtime_error("a server event with bad base64");
    bytes.resize(decoded.bytes);
    return bytes;
}

/// Something like a vowel: harmonics of 140 Hz whose loudness moves with the syllables.
inline Samples voice(int ms, int hz = 24'000)
{
    Samples samples(static_cast<std::size_t>(ms) * static_cast<std::size_t>(hz) / 1000);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const double t = static_cast<double>(i) / hz;
        double sum = 0;
        for (int k = 1; k <= 6; ++k) sum += std::sin(2 * M_PI * 140 * k * t) / k;
        samples[i] = static_cast<std::int16_t>(6000 * (0.75 + 0.25 * std::sin(2 * M_PI * 4 * t)) * sum / 2);
    }
    return samples;
}

inline Samples quiet(int ms, int hz = 24'000) { return Samples(static_cast<std::size_t>(ms) * static_cast<std::size_t>(hz) / 1000); }

/// Events of REPARTEE_EVENT_DUMP (a file) as lines {"dir":"server","event":…}: for a look at them with a schema validator.
inline void dump(const std::string& event)
{
    static const char* path = std::getenv("REPARTEE_EVENT_DUMP");
    if (!path) return;
    static std::ofstream file(path, std::ios::app);
    file << "{\"dir\":\"server\",\"event\":" << event << "}\n";
}

class Script {
public:
    explicit Script(engine::ServerLimits limits = {}, bool transcription_only = false)
        : server("test-model", "Alloy", "Be brief.", limits, 1'800'000'000, transcription_only)
    {
    }

    engine::RealtimeServer server;
    Instant now{std::chrono::hours(1)};
    std::vector<Json> events;  ///< all since the last take()
    std::vector<engine::ReplyRequest> replies;
    std::vector<std::string> cancelled;
    std::vector<engine::TranscriptionRequest> transcriptions;

    Script& client(std::string_view event)
    {
        server.on_client_event(event, now);
        return gather();
    }
    Script& update(std::string_view members) { return client(R"({"type":"session.update","session":{"type":"realtime",)" + std::string(members) + "}}"); }
    Script& turn_detection(std::string_view value) { return update(R"("audio":{"input":{"turn_detection":)" + std::string(value) + "}}"); }
    Script& user_writes(std::string_view text)
    {
        return client(R"({"type":"conversation.item.create","item":{"type":"message","role":"user","content":[{"type":"input_text","text":")" +
                      std::string(text) + "\"}]}}");
    }
    Script& respond(std::string_view response = "{}") { return client(R"({"type":"response.create","response":)" + std::string(response) + "}"); }

    /// In chunks of 20 ms, in real time.
    Script& user_sends(const Samples& samples)
    {
        constexpr std::size_t chunk = 480;
        for (std::size_t at = 0; at < samples.size(); at += chunk) {
            const auto part = std::span(samples).subspan(at, std::min(chunk, samples.size() - at));
            client(R"({"type":"input_audio_buffer.append","audio":")" + base64(std::as_bytes(part)) + "\"}");
            pass(milliseconds(20));
        }
        return *this;
    }
    Script& user_speaks(int ms) { return user_sends(voice(ms)); }
    Script& user_is_quiet(int ms) { return user_sends(quiet(ms)); }

    Script& pass(milliseconds duration)
    {
        now += duration;
        server.on_tick(now);
        return gather();
    }

    /// The latest ReplyRequest's id.
    std::string response_id() const { return replies.at(replies.size() - 1).response_id; }
    Script& brain_says(std::string_view text, std::string_view id = {})
    {
        server.on_reply_text(id.empty() ? response_id() : id, text, now);
        return gather();
    }
    Script& brain_sounds(int ms, std::string_view id = {})
    {
        server.on_reply_audio(id.empty() ? response_id() : id, voice(ms), now);
        return gather();
    }
    Script& brain_calls(std::string_view name, std::string_view arguments)
    {
        server.on_reply_function_call(response_id(), name, arguments, now);
        return gather();
    }
    Script& brain_is_done(std::string_view id = {})
    {
        server.on_reply_done(id.empty() ? response_id() : id, now);
        return gather();
    }
    Script& brain_fails(const Error& error)
    {
        server.on_reply_failed(response_id(), error, now);
        return gather();
    }

    Script& gather()
    {
        engine::RealtimeServer::Output output = server.take_output();
        for (const std::string& event : output.events) {
            dump(event);
            events.push_back(json::parse_object(event).value());
        }
        for (auto& reply : output.replies) replies.push_back(std::move(reply));
        for (auto& id : output.cancelled_responses) cancelled.push_back(std::move(id));
        for (auto& request : output.transcriptions) transcriptions.push_back(std::move(request));
        return *this;
    }

    /// The types since the last call, in order; runs of equal deltas as one, followed by "…".
    Types take()
    {
        gather();
        Types types;
        for (const Json& event : events) {
            std::string type(json::find_string(event, "type").value_or("?"));
            const bool delta = type.ends_with(".delta");
            if (delta) type += " …";
            if (!delta || types.empty() || types.back() != type) types.push_back(std::move(type));
        }
        taken = std::exchange(events, {});
        return types;
    }
    std::vector<Json> taken;  ///< the events of the last take()

    /// The n-th event of a type among those not taken, or else those of the last take().
    const Json& event(std::string_view type, std::size_t n = 0) const
    {
        for (const auto* list : {&events, &taken}) {
            std::size_t seen = 0;
            for (const Json& candidate : *list)
                if (json::find_string(candidate, "type") == type && seen++ == n) return candidate;
        }
        throw std::runtime_error("no event " + std::string(type));
    }
    std::string text(std::string_view type, std::string_view path, std::size_t n = 0) const
    {
        return std::string(json::find_string(event(type, n), path).value_or("(absent)"));
    }
    std::int64_t number(std::string_view type, std::string_view path, std::size_t n = 0) const
    {
        return json::find_int(event(type, n), path).value_or(-1);
    }
    std::string error_code() const { return text("error", "error.code"); }
    /// All deltas of a type joined.
    std::string joined(std::string_view type) const
    {
        std::string whole;
        for (const auto* list : {&taken, &events})
            for (const Json& candidate : *list)
                if (json::find_string(candidate, "type") == type) whole += json::find_string(candidate, "delta").value_or("");
        return whole;
    }
};

inline const Types committed{"input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"};
inline const Types spoken_head{"response.output_item.added", "conversation.item.added", "response.content_part.added",
                               "response.output_audio_transcript.delta …", "response.output_audio.delta …"};
inline const Types spoken_tail{"response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done",
                               "conversation.item.done", "response.output_item.done", "response.done"};
inline const Types written_head{"response.output_item.added", "conversation.item.added", "response.content_part.added",
                                "response.output_text.delta …"};
inline const Types written_tail{"response.output_text.done", "response.content_part.done", "conversation.item.done", "response.output_item.done",
                                "response.done"};

inline Types operator+(Types a, const Types& b)
{
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

}  // namespace script
