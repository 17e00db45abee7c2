#include "realtime_text.hpp"

#include <cstdint>
#include <fmt/format.h>

namespace repartee::bench {
namespace {

std::string id_or_null(const std::string& id) { return id.empty() ? "null" : fmt::format(R"("{}")", id); }

std::string assistant_item(const ReplyIds& ids, std::string_view status, bool spoken)
{
    return fmt::format(R"({{"id":"{}","type":"message","status":"{}","role":"assistant","content":[{}]}})", ids.item, status,
                       spoken ? R"({"type":"output_audio","transcript":""})" : "");
}

std::string item_event(std::string_view type, const std::string& previous_item_id, const std::string& item)
{
    return event_text(type, fmt::format(R"("previous_item_id":{},"item":{})", id_or_null(previous_item_id), item));
}

std::string output_item_event(std::string_view type, const ReplyIds& ids, const std::string& item)
{
    return event_text(type, fmt::format(R"("response_id":"{}","output_index":0,"item":{})", ids.response, item));
}

std::string of_content(const ReplyIds& ids)
{
    return fmt::format(R"("response_id":"{}","item_id":"{}","output_index":0,"content_index":0)", ids.response, ids.item);
}

std::string response_event(std::string_view type, const ReplyIds& ids, std::string_view status, std::string_view details, const std::string& output,
                           std::string_view usage)
{
    return event_text(type, fmt::format(R"("response":{{"id":"{}","object":"realtime.response","status":"{}","status_details":{},"output":[{}],)"
                                        R"("output_modalities":["audio"],"max_output_tokens":"inf","usage":{},"metadata":null}})",
                                        ids.response, status, details, output, usage));
}

constexpr std::string_view usage =
    R"({"total_tokens":0,"input_tokens":0,"output_tokens":0,)"
    R"("input_token_details":{"text_tokens":0,"audio_tokens":0,"image_tokens":0,"cached_tokens":0},)"
    R"("output_token_details":{"text_tokens":0,"audio_tokens":0}})";

std::string_view details_of(ReplyEnd how)
{
    switch (how) {
    case ReplyEnd::completed: return "null";
    case ReplyEnd::turn_detected: return R"({"type":"cancelled","reason":"turn_detected"})";
    case ReplyEnd::client_cancelled: return R"({"type":"cancelled","reason":"client_cancelled"})";
    }
    return "null";
}

}  // namespace

std::string event_text(std::string_view type, std::string_view members)
{
    static std::uint64_t events = 0;
    return fmt::format(R"({{"type":"{}","event_id":"event_{:016x}"{}{}}})", type, ++events, members.empty() ? "" : ",", members);
}

std::string error_text(std::string_view code, std::string_view message, std::string_view client_event_id)
{
    const std::string quoted = client_event_id.empty() ? "null" : fmt::format(R"("{}")", client_event_id);
    return event_text("error", fmt::format(R"("error":{{"type":"invalid_request_error","code":"{}","message":"{}","param":null,)"
                                           R"("event_id":{}}})",
                                           code, message, quoted));
}

std::vector<std::string> user_item_events(const std::string& item_id, const std::string& previous_item_id)
{
    const std::string item = fmt::format(
        R"({{"id":"{}","type":"message","status":"completed","role":"user","content":[{{"type":"input_audio","transcript":null}}]}})", item_id);
    return {event_text("input_audio_buffer.committed", fmt::format(R"("previous_item_id":{},"item_id":"{}")", id_or_null(previous_item_id), item_id)),
            item_event("conversation.item.added", previous_item_id, item), item_event("conversation.item.done", previous_item_id, item)};
}

std::vector<std::string> reply_begin_events(const ReplyIds& ids)
{
    const std::string item = assistant_item(ids, "in_progress", false);
    return {response_event("response.created", ids, "in_progress", "null", {}, "null"), output_item_event("response.output_item.added", ids, item),
            item_event("conversation.item.added", ids.previous_item, item),
            event_text("response.content_part.added", of_content(ids) + R"(,"part":{"type":"audio","transcript":""})")};
}

std::vector<std::string> reply_end_events(const ReplyIds& ids, ReplyEnd how)
{
    const bool completed = how == ReplyEnd::completed;
    const std::string item = assistant_item(ids, completed ? "completed" : "incomplete", true);
    return {event_text("response.output_audio.done", of_content(ids)),
            event_text("response.output_audio_transcript.done", of_content(ids) + R"(,"transcript":"")"),
            event_text("response.content_part.done", of_content(ids) + R"(,"part":{"type":"audio","transcript":""})"),
            item_event("conversation.item.done", ids.previous_item, item), output_item_event("response.output_item.done", ids, item),
            response_event("response.done", ids, completed ? "completed" : "cancelled", details_of(how), item, usage)};
}

}  // namespace repartee::bench
