#include "upstream_session.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/base/ids.hpp"
#include "repartee/realtime/append_event.hpp"

#include <ctime>

#include <fmt/format.h>

namespace repartee::bench {
namespace {

constexpr int rate_hz = 24'000, sample_bytes = 2;
constexpr std::size_t spoken_items_kept = 16;

json::object default_session(std::string id, std::string model)
{
    const json::value pcm = json::object{{"type", "audio/pcm"}, {"rate", rate_hz}};
    const json::value turn_detection = json::object{{"type", "server_vad"},     {"threshold", 0.5},        {"prefix_padding_ms", 300},
                                                    {"silence_duration_ms", 200}, {"idle_timeout_ms", nullptr}, {"create_response", true},
                                                    {"interrupt_response", true}};
    const json::value input =
        json::object{{"format", pcm}, {"transcription", nullptr}, {"noise_reduction", nullptr}, {"turn_detection", turn_detection}};
    const json::value output = json::object{{"format", pcm}, {"voice", "alloy"}, {"speed", 1.0}};
    return {{"type", "realtime"},
            {"object", "realtime.session"},
            {"id", std::move(id)},
            {"model", std::move(model)},
            {"output_modalities", json::array{"audio"}},
            {"instructions", ""},
            {"tools", json::array{}},
            {"tool_choice", "auto"},
            {"max_output_tokens", "inf"},
            {"tracing", nullptr},
            {"truncation", "auto"},
            {"prompt", nullptr},
            {"expires_at", std::time(nullptr) + 3600},
            {"audio", json::object{{"input", input}, {"output", output}}},
            {"include", nullptr}};
}

void merge(json::object& into, const json::object& from)
{
    for (const auto& [key, value] : from) {
        json::value& target = into[key];
        if (target.is_object() && value.is_object() && key != "turn_detection") merge(target.get_object(), value.get_object());
        else target = value;
    }
}

std::size_t frame_bytes(const UpstreamConfig& config)
{
    return static_cast<std::size_t>(config.frame_ms) * rate_hz / 1000 * sample_bytes;
}

}  // namespace

std::optional<UpstreamMode> upstream_mode(std::string_view word)
{
    if (word == "echo") return UpstreamMode::echo;
    if (word == "burst") return UpstreamMode::burst;
    if (word == "talk") return UpstreamMode::talk;
    return std::nullopt;
}

UpstreamSession::UpstreamSession(EventLoop& loop, std::unique_ptr<Socket> socket, const UpstreamConfig& config, UpstreamCounts& counts,
                                 std::function<void(UpstreamSession&)> on_end)
    : connection_(loop, std::move(socket), *this),
      config_(config),
      counts_(counts),
      on_end_(std::move(on_end)),
      microphone_(Stream::microphone, 0, frame_bytes(config)),
      reply_(loop, connection_, config_, counts)
{
}

void UpstreamSession::on_open(std::string_view target)
{
    if (const auto mode = upstream_mode(query_value(target, "mode").value_or(""))) config_.mode = *mode;
    session_ = default_session(make_id("sess_"), std::string(query_value(target, "model").value_or("bench")));
    connection_.queue_text(event_text("session.created", "\"session\":" + json::to_text(session_)));
}

void UpstreamSession::on_text(std::string_view text)
{
    if (const auto base64 = realtime::find_append_audio(text)) return take_audio(*base64);
    take_event(text);
}

void UpstreamSession::take_audio(std::string_view base64)
{
    ++counts_.appends;
    counts_.append_base64_bytes += base64.size();
    uncommitted_ = true;
    if (config_.mode == UpstreamMode::echo) return echo(base64);

    static std::vector<std::byte> pcm;
    pcm.resize(audio::base64_decoded_bytes_max(base64.size()));
    const auto decoded = audio::base64_decode(base64, pcm.data());
    if (!decoded) return refuse("invalid_audio", "the audio is not base64", {});
    microphone_.feed(std::span(pcm).first(decoded.bytes), [this](const FrameTag& tag) { on_microphone(tag); });
    check_microphone();
}

void UpstreamSession::echo(std::string_view base64)
{
    if (!echo_) {
        echo_ids_ = {make_id("resp_"), make_id("item_"), {}};
        echo_.emplace(echo_ids_);
        for (const std::string& event : reply_begin_events(echo_ids_)) connection_.queue_text(event);
    }
    echo_->write_base64(connection_, base64);
    ++counts_.deltas;
    counts_.delta_base64_bytes += base64.size();
}

void UpstreamSession::check_microphone()
{
    const Integrity& now = microphone_.integrity();
    if (now.lost == reported_.lost && now.altered == reported_.altered && now.reordered == reported_.reordered) return;
    counts_.microphone.add({now.lost - reported_.lost, now.altered - reported_.altered, now.reordered - reported_.reordered});
    reported_ = now;
    refuse("bench_audio_differs",
           fmt::format("what arrived is not what was sent: {} frames lost, {} altered, {} reordered", now.lost, now.altered, now.reordered), {});
}

std::int64_t UpstreamSession::microphone_ms() const { return static_cast<std::int64_t>(frames_) * config_.frame_ms; }

void UpstreamSession::on_microphone(const FrameTag& tag)
{
    ++frames_;
    last_frame_ = tag.sequence;
    if (config_.mode != UpstreamMode::talk) return;
    if (tag.flags & speech_flag) {
        silent_frames_ = 0;
        if (speaking_) return;
        speaking_ = true;
        user_item_id_ = make_id("item_");
        connection_.queue_text(event_text("input_audio_buffer.speech_started",
                                          fmt::format(R"("audio_start_ms":{},"item_id":"{}")", microphone_ms() - config_.frame_ms, user_item_id_)));
        if (reply_.running()) {
            spoken_.push_back({reply_.item_id(), reply_.sent_ms()});
            reply_.cancel(ReplyEnd::turn_detected);
        }
        return;
    }
    if (!speaking_ || ++silent_frames_ * config_.frame_ms < config_.silence_ms) return;
    speaking_ = false;
    connection_.queue_text(
        event_text("input_audio_buffer.speech_stopped", fmt::format(R"("audio_end_ms":{},"item_id":"{}")", microphone_ms(), user_item_id_)));
    add_user_item();
    start_reply();
}

void UpstreamSession::add_user_item()
{
    for (const std::string& event : user_item_events(user_item_id_, last_item_id_)) connection_.queue_text(event);
    last_item_id_ = user_item_id_;
    uncommitted_ = false;
}

void UpstreamSession::start_reply()
{
    const bool is_noted = !spoken_.empty() && spoken_.back().id == reply_.item_id();
    if (!reply_.item_id().empty() && !is_noted) spoken_.push_back({reply_.item_id(), reply_.sent_ms()});
    while (spoken_.size() > spoken_items_kept) spoken_.pop_front();
    reply_.begin(microphone_.session(), last_frame_, last_item_id_);
    last_item_id_ = reply_.item_id();
}

void UpstreamSession::on_binary(std::span<const std::byte>) { refuse("invalid_event", "binary frames are not taken: send JSON in text frames", {}); }

void UpstreamSession::on_drained() { reply_.on_drained(); }

void UpstreamSession::take_event(std::string_view text)
{
    const auto event = json::parse_object(text);
    if (!event) return refuse("invalid_json", "the event is not a JSON object", {});
    const std::string_view type = json::find_string(*event, "type").value_or("");
    const std::string_view event_id = json::find_string(*event, "event_id").value_or("");
    if (type == "session.update") return update_session(*event);
    if (type == "input_audio_buffer.commit") return commit(event_id);
    if (type == "input_audio_buffer.clear") return connection_.queue_text(event_text("input_audio_buffer.cleared", ""));
    if (type == "response.create") return create_response(event_id);
    if (type == "response.cancel") {
        if (!reply_.running()) return refuse("response_cancel_not_active", "no response is running", event_id);
        return reply_.cancel(ReplyEnd::client_cancelled);
    }
    if (type == "conversation.item.truncate") return truncate(*event, event_id);
    if (type == "conversation.item.delete") {
        const std::string item_id(json::find_string(*event, "item_id").value_or(""));
        return connection_.queue_text(event_text("conversation.item.deleted", fmt::format(R"("item_id":"{}")", item_id)));
    }
    refuse("invalid_value", "this upstream does not know that event", event_id);
}

void UpstreamSession::update_session(const json::object& event)
{
    if (const json::object* given = json::find_object(event, "session")) {
        json::object change = *given;
        change.erase("model");
        merge(session_, change);
    }
    connection_.queue_text(event_text("session.updated", "\"session\":" + json::to_text(session_)));
}

void UpstreamSession::commit(std::string_view event_id)
{
    if (!uncommitted_) return refuse("input_audio_buffer_commit_empty", "there is no audio to commit", event_id);
    user_item_id_ = make_id("item_");
    add_user_item();
}

void UpstreamSession::create_response(std::string_view event_id)
{
    if (config_.mode == UpstreamMode::echo) return refuse("invalid_value", "in mode echo there are no replies: use --mode burst or talk", event_id);
    if (reply_.running()) return refuse("conversation_already_has_active_response", "a response is running", event_id);
    start_reply();
}

void UpstreamSession::truncate(const json::object& event, std::string_view event_id)
{
    const std::string item_id(json::find_string(event, "item_id").value_or(""));
    const std::int64_t end_ms = json::find_int(event, "audio_end_ms").value_or(-1);
    std::int64_t sent_ms = -1;
    if (item_id == reply_.item_id()) sent_ms = reply_.sent_ms();
    for (const SpokenItem& item : spoken_)
        if (item.id == item_id) sent_ms = item.sent_ms;
    if (sent_ms < 0) return refuse("item_not_found", "there is no such item", event_id);
    if (end_ms < 0 || end_ms > sent_ms)
        return refuse("invalid_value", fmt::format("Audio content of {}ms is already shorter than {}ms", sent_ms, end_ms), event_id);
    ++counts_.truncations;
    connection_.queue_text(
        event_text("conversation.item.truncated", fmt::format(R"("item_id":"{}","content_index":0,"audio_end_ms":{})", item_id, end_ms)));
}

void UpstreamSession::refuse(std::string_view code, std::string_view message, std::string_view event_id)
{
    ++counts_.errors_sent;
    connection_.queue_text(error_text(code, message, event_id));
}

void UpstreamSession::on_closed(std::uint16_t code, const std::string&)
{
    if (code == 1006) ++counts_.lost;
    if (reply_.running()) reply_.cancel(ReplyEnd::client_cancelled);
    on_end_(*this);
}

}  // namespace repartee::bench
