#include "repartee/conversation/session.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/base/log.hpp"
#include "repartee/realtime/append_event.hpp"
#include "repartee/realtime/event_type.hpp"
#include "repartee/realtime/server_event.hpp"

#include <algorithm>

namespace repartee::conversation {
namespace {

// Events of our own making carry this prefix: an error that quotes it is ours to deal with, not the client's.
constexpr std::string_view own_prefix = "repartee_";

constexpr std::size_t cut_responses_kept = 16;

json::object client_format(int hz) { return {{"type", "audio/pcm"}, {"rate", hz}}; }

/// What a session.update makes of a session: its members replace the session's, one by one down to those of audio.input and audio.output.
void overlay(json::object& session, const json::object& update)
{
    for (const auto& [key, value] : update) {
        json::value& member = session[key];
        const bool has_parts = key == "audio" || key == "input" || key == "output";
        if (has_parts && member.is_object() && value.is_object())
            overlay(member.get_object(), value.get_object());
        else
            member = value;
    }
}

std::string upstream_event(std::string_view type, const std::string& event_id, json::object members)
{
    json::object event{{"type", type}, {"event_id", event_id}};
    for (auto& [key, value] : members) event[key] = std::move(value);
    return json::to_text(event);
}

}  // namespace

Session::Session(SessionSettings settings, Metrics& metrics, Instant now)
    : settings_(std::move(settings)),
      metrics_(metrics),
      persona_(std::move(settings_.instructions)),
      uplink_(settings_.input_hz, settings_.uplink_bytes, settings_.uplink_events_max, settings_.events_bytes_max),
      downlink_(settings_.downlink),
      created_at_(now)
{
}

// ── the client's side ────────────────────────────────────────────────────────────────────────────────────────────────────────

void Session::on_client_audio(std::span<const std::byte> pcm, Instant now)
{
    if (pcm.size() % audio::sample_bytes != 0) {
        // Long frames come in pieces, so their size is not known here.
        report({Code::invalid_audio,
                "A binary frame has an odd number of bytes: PCM16 has two bytes a sample. The last byte was dropped; send whole samples."});
        pcm = pcm.first(pcm.size() - 1);
    }
    if (pcm.empty()) return;
    if (uplink_.push_audio(pcm)) {
        uplink_full_ = false;
        if (!uplink_waiting_since_) uplink_waiting_since_ = now;
        return;
    }
    metrics_.audio_dropped_bytes.add(pcm.size());
    if (uplink_full_) return;  // said once a jam
    uplink_full_ = true;
    report({Code::too_large, "The service does not take audio fast enough and limits.uplink_buffer_ms is used up: audio is being dropped."});
}

void Session::on_client_event(std::string_view text, Instant now)
{
    if (const auto audio = realtime::find_append_audio(text)) return append_base64({}, *audio, now);
    auto event = realtime::parse_client_event(text);
    if (!event) return report(event.error());
    handle_client_event(std::move(*event), now);
}

void Session::handle_client_event(realtime::ClientEvent event, Instant now)
{
    const std::string& type = event.type;
    if (type == "playback") return playback(event, now);
    if (type == "session.update") return update_session(event);
    if (type == "response.cancel") return cancel(event, now);
    if (type == "output_audio_buffer.clear") return interrupt("client_cancelled", now);
    if (type == "input_audio_buffer.append") {
        const auto audio = json::find_string(event.body, "audio");
        if (!audio) return report({Code::missing_required_parameter, "input_audio_buffer.append needs `audio`, base64 of PCM16 samples.", "audio"}, event.event_id);
        return append_base64(event.event_id, *audio, now);
    }
    if (!realtime::is_known_client_event(type))
    {
        Error unknown = realtime::unknown_client_event(type);
        unknown.message += " Also: 'playback'.";
        return report(unknown, event.event_id);
    }

    if (type == "input_audio_buffer.commit") uplink_.end_turn();
    if (type == "input_audio_buffer.clear") uplink_.drop_audio();
    if (type == "response.create" || type == "input_audio_buffer.commit") turn_ended_at_ = now;
    if (json::value* response = type == "response.create" ? event.body.if_contains("response") : nullptr; response && response->is_object())
        persona_.lead(response->get_object());
    // As it was understood here, so that no spelling of an event is read otherwise upstream.
    to_upstream(json::to_text(event.body));
}

void Session::append_base64(std::string_view event_id, std::string_view base64, Instant now)
{
    std::vector<std::byte> pcm(audio::base64_decoded_bytes_max(base64.size()));
    const auto decoded = audio::base64_decode(base64, pcm.data());
    if (!decoded)
        return report({Code::invalid_audio, "`audio` is not base64 at character " + std::to_string(decoded.error_at) + ".", "audio"},
                      event_id);
    on_client_audio(std::span(pcm).first(decoded.bytes), now);
}

void Session::playback(const realtime::ClientEvent& event, Instant now)
{
    const auto item = json::find_string(event.body, "item_id");
    const auto played = json::find_number(event.body, "played_ms");
    if (!item) return report({Code::missing_required_parameter, "playback needs `item_id`, as announced by audio.start.", "item_id"}, event.event_id);
    if (!played || *played < 0 || *played > 86'400'000)
        return report({Code::invalid_value, "playback needs `played_ms`, how many ms of the item's audio have been played.", "played_ms"}, event.event_id);
    downlink_.on_playback(*item, static_cast<std::int64_t>(*played), now);
}

void Session::cancel(const realtime::ClientEvent& event, Instant now)
{
    const bool speaking = downlink_.is_speaking(now);
    // What has been generated already is still being played: then there is nothing to cancel upstream, only here.
    json::object cancel{{"type", "response.cancel"}};
    for (const char* member : {"event_id", "response_id"})
        if (const auto text = json::find_string(event.body, member)) cancel[member] = *text;
    if (!generating_.empty())
        to_upstream_first(json::to_text(cancel));
    else if (!speaking)
        to_upstream(json::to_text(cancel));  // behind the response.create that it may mean
    cut_responses();
    interrupt("client_cancelled", now);
}

void Session::update_session(const realtime::ClientEvent& event)
{
    const json::object* given = json::find_object(event.body, "session");
    if (!given) return report({Code::missing_required_parameter, "session.update needs `session`, e.g. {\"type\":\"realtime\", …}.", "session"}, event.event_id);
    for (const char* path : {"audio.input.format", "audio.output.format"})
        if (json::find(*given, path))
            return report({Code::invalid_value,
                           "The audio format is fixed when the WebSocket opens: use ?input_rate= and ?output_rate= in its URL.",
                           std::string("session.") + path},
                          event.event_id);
    json::object session = *given;
    session.erase("model");
    persona_.lead(session);
    json::object out = event.body;
    out["session"] = std::move(session);
    to_upstream(json::to_text(out));
}

// ── the upstream's side ──────────────────────────────────────────────────────────────────────────────────────────────────────

void Session::on_upstream_event(std::string_view text, Instant now)
{
    const std::string_view type = realtime::peek_type(text);
    if (realtime::is_audio_delta(type)) return take_delta(text, now);

    if (type == "session.created") {
        const auto event = json::parse_object(text);
        const json::object* offered = event ? json::find_object(*event, "session") : nullptr;
        return announce(offered ? *offered : json::object());
    }
    if (type == "session.updated") {
        auto event = json::parse_object(text);
        const json::object* session = event ? json::find_object(*event, "session") : nullptr;
        if (!session) return report({Code::protocol, "The upstream sent a session.updated without a session."});
        if (state_ != State::live) return go_live(*session, now);
        const json::object* input = json::find_object(*session, "audio.input");
        if (input && input->contains("turn_detection"))
            if (auto read = realtime::read_turn_detection(input->at("turn_detection"), settings_.turn_detection, "session.audio.input.turn_detection"))
                settings_.turn_detection = *read;
        return to_client(realtime::server_event("session.updated", {{"session", client_view(*session)}}));
    }
    if (type == "error") return on_upstream_error(text);

    if (type == "input_audio_buffer.speech_started" && settings_.turn_detection.interrupt_response) {
        cut_responses();
        interrupt("turn_detected", now);
    }
    if (type == "input_audio_buffer.speech_stopped") turn_ended_at_ = now;

    if (type == "response.created" || type == "response.done") {
        const auto event = json::parse_object(text);
        const std::string response_id(event ? json::find_string(*event, "response.id").value_or("") : "");
        if (type == "response.done")
            on_response_done(response_id);
        else
            generating_.insert(response_id);
    } else if (type == "response.output_audio.done" || type == "response.audio.done") {
        if (auto event = json::parse_object(text))
            return downlink_.end_item(json::find_string(*event, "item_id").value_or(""), std::string(text));
    }
    to_client(std::string(text));
}

void Session::on_response_done(const std::string& response_id)
{
    metrics_.responses_total.add();
    downlink_.end_items_of(response_id);
    generating_.erase(response_id);
    if (generating_.empty()) flush_deferred_deletes();
}

/// What the service is asked for, but for the persona.
json::object Session::wanted_session() const
{
    json::object input{{"format", client_format(audio::realtime_hz)}, {"turn_detection", to_json(settings_.turn_detection)}};
    if (!settings_.transcription_model.empty()) {
        json::object transcription{{"model", settings_.transcription_model}};
        if (!settings_.language.empty()) transcription["language"] = settings_.language;
        input["transcription"] = std::move(transcription);
    }
    if (!settings_.noise_reduction.empty()) input["noise_reduction"] = json::object{{"type", settings_.noise_reduction}};
    json::object output{{"format", client_format(audio::realtime_hz)}, {"voice", settings_.voice}};
    json::object session{{"type", "realtime"},
                         {"output_modalities", json::array{"audio"}},
                         {"instructions", ""},
                         {"audio", json::object{{"input", std::move(input)}, {"output", std::move(output)}}}};
    if (settings_.output_tokens_max > 0) session["max_output_tokens"] = settings_.output_tokens_max;
    return session;
}

/// The client need not wait for the service's consent, a whole round trip: what it says meanwhile is kept, and a refusal ends the conversation.
void Session::announce(json::object offered)
{
    if (state_ != State::offered) return;
    state_ = State::starting;
    model_ = json::find_string(offered, "model").value_or("");
    overlay(offered, wanted_session());
    announced_ = client_view(std::move(offered));
    downlink_.push_event_first(realtime::server_event("session.created", {{"session", announced_}}));
    update_due_ = true;
}

void Session::start_upstream()
{
    json::object session = wanted_session();
    session["instructions"] = persona_.instructions();
    to_upstream_first(upstream_event("session.update", own_event_id(), {{"session", std::move(session)}}));
}

void Session::go_live(const json::object& upstream_session, Instant now)
{
    state_ = State::live;
    metrics_.session_start.observe(now - created_at_);
    json::object view = client_view(upstream_session);
    if (view != std::exchange(announced_, json::object())) to_client(realtime::server_event("session.updated", {{"session", std::move(view)}}));
    if (settings_.greeting) to_upstream_first(upstream_event("response.create", own_event_id(), {}));
    uplink_.hold(false);
}

json::object Session::client_view(json::object session) const
{
    session["object"] = "realtime.session";
    session["id"] = settings_.id;
    session["character_id"] = settings_.character_id;
    if (!model_.empty()) session["model"] = model_;
    persona_.hide(session);
    json::value& audio = session["audio"];
    if (!audio.is_object()) audio = json::object{};
    for (const char* direction : {"input", "output"}) {
        json::value& side = audio.get_object()[direction];
        if (!side.is_object()) side = json::object{};
        side.get_object()["format"] = client_format(direction == std::string_view("input") ? settings_.input_hz : settings_.downlink.output_hz);
    }
    const json::value* voice = json::find(session, "audio.output.voice");
    session["voice"] = voice ? *voice : json::value(settings_.voice);
    session["pacing"] = settings_.downlink.lead ? json::object{{"enabled", true}, {"lead_ms", settings_.downlink.lead->count()}} : json::object{{"enabled", false}};
    return session;
}

void Session::take_delta(std::string_view text, Instant now)
{
    auto delta = realtime::find_audio_delta(text);
    json::object parsed;
    if (!delta) {
        // Escapes in an id, or a server with its own order of things: the slow way.
        auto event = json::parse_object(text);
        const auto audio = event ? json::find_string(*event, "delta") : std::nullopt;
        if (!audio) return report({Code::protocol, "The upstream sent an audio delta without audio; it was left out."});
        parsed = std::move(*event);
        delta = realtime::AudioDelta{json::find_string(parsed, "response_id").value_or(""), json::find_string(parsed, "item_id").value_or(""),
                                     json::find_int(parsed, "output_index").value_or(0), json::find_int(parsed, "content_index").value_or(0),
                                     *json::find_string(parsed, "delta")};
    }
    if (was_cut(delta->response_id)) {
        const std::string item_id(delta->item_id);
        // Not one sample of it was sent: it must not stay in the context either.
        const bool known = downlink_.was_cut(item_id) || std::find(deferred_deletes_.begin(), deferred_deletes_.end(), item_id) != deferred_deletes_.end();
        if (!known) deferred_deletes_.push_back(item_id);
        return;
    }
    if (!downlink_.has_unsent()) downlink_waiting_since_ = now;
    if (const auto pushed = downlink_.push_audio(*delta); !pushed) report(pushed.error());
}

void Session::on_upstream_error(std::string_view text)
{
    auto event = json::parse_object(text);
    const std::string_view quoted = event ? json::find_string(*event, "error.event_id").value_or("") : "";
    const std::string message = event ? std::string(json::find_string(*event, "error.message").value_or("")) : std::string(text.substr(0, 200));
    const std::string code = event ? std::string(json::find_string(*event, "error.code").value_or("")) : "";
    if (state_ != State::live)
        return fail({Code::upstream_rejected, "The voice service refused the session: " + message, {}, code}, 1011);
    if (quoted.starts_with(own_prefix)) {
        // E.g. a truncate that came when the item was already gone: nothing the client could do about it.
        log::info("upstream.own_event_refused", {{"session", settings_.id}, {"code", code}, {"message", message}});
        return;
    }
    metrics_.count_error(Code::provider_failed);
    log::warn("upstream.error", {{"session", settings_.id}, {"code", code}, {"message", message}});
    to_client(std::string(text));
}

void Session::on_upstream_lost(const Error& error)
{
    if (ending_) return;
    fail(error, error.code == Code::upstream_rejected ? 1011 : 1013);
}

void Session::fail(const Error& error, std::uint16_t close_code)
{
    if (ending_) return;
    metrics_.count_error(error.code);
    log::warn("session.failed", {{"session", settings_.id}, {"code", name(error.code)}, {"message", error.message}});
    downlink_.push_event(realtime::error_event(error));
    ending_ = Ending{close_code, std::string(name(error.code))};
}

// ── interruption ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

void Session::interrupt(std::string_view reason, Instant now)
{
    const std::vector<Downlink::Cut> cuts = downlink_.interrupt(now);
    if (cuts.empty()) return;
    metrics_.interruptions_total.add();
    downlink_.push_event_first(realtime::server_event(
        "audio.clear", {{"item_id", cuts.front().item_id}, {"audio_end_ms", cuts.front().heard_ms}, {"reason", reason}}));
    for (const auto& cut : cuts) send_cut(cut);
    if (generating_.empty()) flush_deferred_deletes();
}

void Session::cut_responses()
{
    for (const std::string& id : generating_)
        if (!id.empty() && !was_cut(id)) cut_responses_.push_back(id);
    while (cut_responses_.size() > cut_responses_kept) cut_responses_.pop_front();
}

bool Session::was_cut(std::string_view response_id) const
{
    return std::find(cut_responses_.begin(), cut_responses_.end(), response_id) != cut_responses_.end();
}

void Session::send_cut(const Downlink::Cut& cut)
{
    if (cut.heard_ms > 0) {
        to_upstream_first(upstream_event("conversation.item.truncate", own_event_id(),
                                           {{"item_id", cut.item_id}, {"content_index", cut.content_index}, {"audio_end_ms", cut.heard_ms}}));
        return;
    }
    // Nothing of it was heard, so it must not stay in the context. Not while it is still being written: that is an error upstream.
    deferred_deletes_.push_back(cut.item_id);
}

void Session::flush_deferred_deletes()
{
    for (const std::string& item_id : deferred_deletes_)
        to_upstream_first(upstream_event("conversation.item.delete", own_event_id(), {{"item_id", item_id}}));
    deferred_deletes_.clear();
}

// ── what goes out ────────────────────────────────────────────────────────────────────────────────────────────────────────────

std::size_t Session::client_piece_bytes() const { return audio::bytes_of_ms(Uplink::piece_ms_max, settings_.input_hz); }

Uplink::Next Session::next_for_upstream(Instant now)
{
    if (std::exchange(update_due_, false)) start_upstream();
    const auto next = uplink_.next();
    if (next.kind != Uplink::Next::Kind::nothing && uplink_waiting_since_ && uplink_.pending_audio_bytes() == 0) {
        metrics_.relay_uplink.observe(now - *uplink_waiting_since_);
        uplink_waiting_since_.reset();
    }
    return next;
}

Downlink::Next Session::next_for_client(Instant now)
{
    if (draining_ && !ending_ && generating_.empty() && !downlink_.is_speaking(now) && !downlink_.has_unsent()) {
        downlink_.push_event(realtime::error_event({Code::busy, "The server is shutting down. Connect again in a moment."}));
        ending_ = Ending{1001, "going_away"};
    }
    auto next = downlink_.next(now);
    if (next.kind != Downlink::Next::Kind::binary) return next;
    if (const auto since = std::exchange(turn_ended_at_, std::nullopt)) metrics_.reply_first_audio.observe(now - *since);
    if (const auto since = std::exchange(downlink_waiting_since_, std::nullopt)) metrics_.relay_downlink.observe(now - *since);
    return next;
}

void Session::to_client(std::string event)
{
    if (downlink_.push_event(std::move(event)) || ending_) return;
    metrics_.count_error(Code::slow_client);
    ending_ = Ending{1008, std::string(name(Code::slow_client))};
}

void Session::to_upstream(std::string event)
{
    if (!uplink_.push_event(std::move(event)))
        report({Code::too_large, "Too many events wait for the service (limits.pending_events_max); this one was dropped."});
}

void Session::to_upstream_first(std::string event)
{
    if (uplink_.push_urgent(std::move(event))) return;
    on_upstream_lost({Code::upstream_unavailable, "The voice service takes no more events (limits.pending_events_max wait already)."});
}

void Session::report(const Error& error, std::string_view client_event_id)
{
    metrics_.count_error(error.code);
    log::info("session.error", {{"session", settings_.id}, {"code", name(error.code)}, {"message", error.message}});
    to_client(realtime::error_event(error, client_event_id));
}

std::string Session::own_event_id() { return std::string(own_prefix) + std::to_string(++own_events_); }

}  // namespace repartee::conversation
