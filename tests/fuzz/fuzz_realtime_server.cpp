#include "repartee/base/json.hpp"
#include "repartee/engine/realtime_server.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// Client events, one a line, against the local engine, whose requests are answered as they come. A line that starts with '+' lets
// a second pass for every character. Whatever arrives: each event out is JSON with an event_id, and a response ends once, with nothing after.
namespace {

using namespace repartee;

void check(bool holds)
{
    if (!holds) std::abort();
}

class Player {
public:
    void play(std::string_view line)
    {
        if (line.starts_with('+')) {
            now_ += std::chrono::seconds(line.size());
            server_.on_tick(now_);
        } else {
            server_.on_client_event(line, now_);
        }
        answer(line.size());
    }

private:
    void answer(std::size_t seed)
    {
        for (int round = 0; round < 8; ++round) {
            const auto output = server_.take_output();
            if (output.empty()) return;
            for (const std::string& event : output.events) look_at(event);
            for (const auto& request : output.transcriptions) {
                if (seed % 3) server_.on_transcript_delta(request.item_id, " \xED\x95", now_);
                if (seed % 2) server_.on_transcript(request.item_id, "\xED\x95\x9C hello \xFF", now_);
                else server_.on_transcription_failed(request.item_id, Error{Code::timeout, "Too slow."}, now_);
            }
            for (const auto& request : output.replies) reply(request, seed);
        }
    }

    void reply(const engine::ReplyRequest& request, std::size_t seed)
    {
        const std::vector<std::int16_t> tone(seed % 7 * 997, 1000);
        server_.on_reply_text(request.response_id, "Well, \xEC\x95", now_);
        server_.on_reply_audio(request.response_id, tone, now_);
        if (seed % 3 == 1) server_.on_reply_function_call(request.response_id, "f", "{}", now_);
        server_.on_reply_text(request.response_id, "\x88 done", now_);
        if (seed % 4 == 2) server_.on_reply_usage(request.response_id, static_cast<std::int64_t>(seed), 3);
        if (seed % 5 == 1) server_.on_reply_failed(request.response_id, Error{Code::provider_failed, "Down."}, now_);
        if (seed % 5 > 1) server_.on_reply_done(request.response_id, now_);  // else it goes on speaking
    }

    void look_at(std::string_view text)
    {
        const auto event = json::parse_object(text);
        check(event.has_value());
        check(json::find_string(*event, "event_id").has_value());
        const std::string_view type = json::find_string(*event, "type").value_or("");
        check(!type.empty());
        const auto id = json::find_string(*event, type == "response.created" || type == "response.done" ? "response.id" : "response_id");
        if (!id || !type.starts_with("response.")) return;
        const std::string key(*id);
        if (type == "response.created") check(running_.emplace(key, true).second);
        check(running_.contains(key) && running_[key]);
        if (type == "response.done") running_[key] = false;
    }

    engine::RealtimeServer server_{"model", "alloy", "Hi", {.items_max = 20, .conversation_bytes_max = 1 << 20}, 0};
    Instant now_{};
    std::map<std::string, bool> running_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::string_view script(reinterpret_cast<const char*>(data), size);
    Player player;
    while (!script.empty()) {
        const std::size_t end = std::min(script.find('\n'), script.size());
        player.play(script.substr(0, end));
        script.remove_prefix(std::min(end + 1, script.size()));
    }
    return 0;
}
