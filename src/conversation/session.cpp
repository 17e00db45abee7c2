#include "repartee/conversation/session.hpp"

#include "session_view.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/base/ids.hpp"
#include "repartee/base/log.hpp"
#include "repartee/realtime/append_event.hpp"
#include "repartee/realtime/server_event.hpp"

#include <algorithm>

namespace repartee::conversation {
namespace {

// A replay beside the items' own bytes: the note, the user's last turn as sound, one deletion; each event's JSON; a byte as an escape at worst.
constexpr std::size_t replay_extra_events = 8, replay_event_bytes = 256, json_growth_max = 6;

std::string update_key(std::string_view event_id) { return "update:" + std::string(event_id); }

std::size_t bytes_of(const std::array<std::span<const std::byte>, 2>& parts) { return parts[0].size() + parts[1].size(); }

UplinkKept kept_audio(const SessionSettings& settings)
{
    UplinkKept kept;
    if (!settings.recovery.enabled) return kept;
    const HistorySettings& history = settings.recovery.history;
    kept.audio_bytes_max = settings.recovery.speech_bytes_max;
    kept.replay_events_max = history.items_max + replay_extra_events;
    kept.replay_bytes_max = history.items_max * replay_event_bytes + history.bytes_max * json_growth_max + audio::base64_encoded_bytes(kept.audio_bytes_max);
    return kept;
}

HistorySettings remembered(const SessionSettings& settings)
{
    HistorySettings history = settings.recovery.history;
    history.gives_lines = settings.record != nullptr;
    return history;
}

DownlinkSettings kept_replies(const SessionSettings& settings)
{
    DownlinkSettings downlink = settings.downlink;
    downlink.suspends = settings.turn_taking.go_on_after_false_interruption;
    return downlink;
}

}  // namespace

Session::Session(SessionSettings settings, Metrics& metrics, Instant now)
    : settings_(std::move(settings)),
      metrics_(metrics),
      persona_(std::move(settings_.instructions)),
      uplink_(settings_.input_hz, settings_.uplink_bytes, settings_.uplink_events_max, settings_.events_bytes_max, kept_audio(settings_)),
      downlink_(kept_replies(settings_)),
      history_(remembered(settings_)),
      turn_taking_(settings_.turn_taking),
      turns_({.idle_bytes = UplinkKept().idle_bytes, .transcribes = !settings_.transcription_model.empty()}),
      created_at_(now),
      upstream_began_at_(now)
{
    turns_.ends_by_commits(settings_.turn_detection.type == realtime::TurnDetection::Type::none);
}

void Session::begin_record(Instant now)
{
    if (settings_.record) settings_.record->began(settings_.id, settings_.user, settings_.character_id, now);
}

void Session::close(Instant now)
{
    if (!settings_.record) return;
    downlink_.interrupt(now);
    for (const auto& heard : downlink_.take_heard(now)) history_.on_heard(heard.item_id, heard.heard_ms, heard.audio_ms, heard.cut);
    settings_.record->on_cut(now);
    write_record(true);
    settings_.record->ended(now);
    settings_.record.reset();
}

// ── from the client ──────────────────────────────────────────────────────────────────────────────────────────────────────────

void Session::on_client_audio(std::span<const std::byte> pcm, Instant now)
{
    if (pcm.size() % audio::sample_bytes != 0) {
        // Long frames come in pieces, so their size is not known here.
        report({Code::invalid_audio,
                "A binary frame has an odd number of bytes: PCM16 has two bytes a sample. The last byte was dropped; send whole samples."});
        pcm = pcm.first(pcm.size() - 1);
    }
    if (pcm.empty()) return;
    last_audio_at_ = now;
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
    settle(now);
}

bool Session::can_take_client_event(std::string_view text) const
{
    const auto audio = realtime::find_append_audio(text);
    // What is too long for an empty buffer is refused, not waited for.
    return !audio || uplink_.pending_audio_bytes() == 0 || uplink_.has_room(audio::base64_decoded_bytes_max(audio->size()));
}

void Session::handle_client_event(realtime::ClientEvent event, Instant now)
{
    const std::string& type = event.type;
    if (type == "playback") return playback(event, now);
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
    // What its error will quote, when the client gave nothing: an id that is taken out again.
    if (event.event_id.empty()) event.body["event_id"] = event.event_id = std::string(unnamed_event_prefix) + std::to_string(++own_events_);

    if (type == "session.update") return update_session(event);
    if (type == "response.create") return ask_response(std::move(event), now);
    if (type == "conversation.item.create") return create_item(std::move(event), now);
    // As it was understood here, so that no spelling of an event is read otherwise upstream.
    std::string text = json::to_text(event.body);
    if (type == "input_audio_buffer.commit") {
        uplink_.end_turn();
        turn_ended_at_ = now;
        replies_.on_commit_sent();
        return to_upstream(std::move(text), std::string(Uplink::commit_key));
    }
    if (type == "input_audio_buffer.clear") {
        if (!uplink_.clear_audio(std::move(text))) report_full();
        return;
    }
    std::string key;
    if (type == "conversation.item.delete") key = "delete:" + std::string(json::find_string(event.body, "item_id").value_or(""));
    to_upstream(std::move(text), std::move(key));
}

void Session::ask_response(realtime::ClientEvent event, Instant now)
{
    Create create = read_create(event.body);
    create.by_client = true;
    if (json::value* response = event.body.if_contains("response"); response && response->is_object()) persona_.lead(response->get_object());
    create.text = json::to_text(event.body);
    turn_ended_at_ = now;
    turn_taking_.on_user_active(now);
    if (!create.out_of_band) due_ = {};  // the newest wish counts, whatever the lost service left undone
    if (!replies_.ask(std::move(create), now))
        report({Code::too_large, "Too many responses beside the conversation wait for the service; this one was dropped."}, event.event_id);
}

void Session::create_item(realtime::ClientEvent event, Instant now)
{
    std::string key;
    if (json::value* given = event.body.if_contains("item"); given && given->is_object()) {
        json::object& item = given->get_object();
        // With an id of its own it is known again, whatever becomes of the service.
        if (json::find_string(item, "id").value_or("").empty()) item["id"] = make_id("item_");
        const std::string id(json::find_string(item, "id").value_or(""));
        replies_.on_item_sent(id, event.event_id);
        if (json::find_string(item, "role").value_or("") == "user") turn_taking_.on_user_active(now);
        key = "item:" + id;
    }
    to_upstream(json::to_text(event.body), std::move(key));
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
    const std::string_view response_id = json::find_string(event.body, "response_id").value_or("");
    if (is_besides(response_id) && !downlink_.plays(response_id, now)) return send_cancel(replies_.on_cancel(response_id, now), response_id, event.event_id);
    due_ = {};
    cut_responses();
    send_cancel(replies_.on_cancel(response_id, now), response_id, event.event_id);
    interrupt("client_cancelled", now);
    turn_taking_.on_reply_ended();
}

void Session::send_cancel(ReplyOwner::Cancel verdict, std::string_view response_id, std::string_view event_id)
{
    if (verdict == ReplyOwner::Cancel::not_needed) return;
    json::object cancel{{"type", "response.cancel"}, {"event_id", event_id.empty() ? own_event_id() : std::string(event_id)}};
    if (!response_id.empty()) cancel["response_id"] = response_id;
    if (verdict == ReplyOwner::Cancel::send_first)
        to_upstream_first(json::to_text(cancel));
    else
        to_upstream(json::to_text(cancel));
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
    json::object asked = session;
    persona_.lead(session);
    obey_turn_taking(session);
    json::object out = event.body;
    out["session"] = std::move(session);
    if (!uplink_.push_event(json::to_text(out), update_key(event.event_id))) return report_full();
    if (!settings_.recovery.enabled) return;
    asked_updates_.push_back({event.event_id, std::move(asked)});
    if (asked_updates_.size() > settings_.uplink_events_max) asked_updates_.pop_front();
}

/// The service has answered the oldest update, or refused that one. Later ones win member by member, so one object says it all to the next upstream.
void Session::on_update_agreed()
{
    if (asked_updates_.empty()) return;
    uplink_.confirm(update_key(asked_updates_.front().event_id));
    json::object all = updates_;
    overlay(all, asked_updates_.front().session);
    if (json::to_text(all).size() <= settings_.events_bytes_max) updates_ = std::move(all);
    asked_updates_.pop_front();
}

void Session::on_refused(std::string_view event_id)
{
    uplink_.refuse(event_id);
    asked_updates_.remove_if([&](const Update& update) { return update.event_id == event_id; });
}

// ── the client's connection ──────────────────────────────────────────────────────────────────────────────────────────────────

void Session::offer_resume(std::string token, milliseconds window)
{
    resume_token_ = std::move(token);
    resume_window_ = window;
}

void Session::on_client_lost(Instant now)
{
    downlink_.on_client_lost(now);
    if (settings_.record) settings_.record->on_cut(now);
}

void Session::on_client_back(const Downlink::ClientPosition& position, Instant now)
{
    const Downlink::Again again = downlink_.on_client_back(position, now);
    json::object session{{"type", "realtime"}, {"id", settings_.id}, {"character_id", settings_.character_id}, {"model", model_}};
    offer_in(session);
    downlink_.push_event_first(realtime::server_event("session.resumed", {{"session", std::move(session)},
                                                                          {"events_again", again.events},
                                                                          {"events_lost", again.events_lost},
                                                                          {"audio_ms_again", again.audio_ms}}));
}

void Session::offer_in(json::object& session) const
{
    if (resume_token_.empty()) return;
    session["resume"] = json::object{{"token", resume_token_}, {"window_ms", resume_window_.count()}};
}

// ── what goes out ────────────────────────────────────────────────────────────────────────────────────────────────────────────

std::size_t Session::client_piece_bytes() const { return audio::bytes_of_ms(Uplink::piece_ms_max, settings_.input_hz); }

Uplink::Next Session::next_for_upstream(Instant now)
{
    if (state_ == State::offered) start_upstream();
    // Before: keeping more or less moves what is kept.
    const bool said_again = turns_.says_again();
    if (turns_.on_leaving(uplink_.sent_position(), uplink_.pending_audio_bytes(), now)) keep_user_audio();
    if (said_again && !turns_.says_again() && !turns_.is_speaking()) {
        // This service has found no voice in it: what waits for the turn's end waits no longer.
        replies_.on_cleared();
        settle(now);
    }
    const auto next = uplink_.next();
    if (next.kind == Uplink::Next::Kind::audio) {
        // Audio that was dropped unsent is no part of the service's stream.
        upstream_base_ = next.position - upstream_bytes_;
        upstream_bytes_ += bytes_of(next.audio);
        if (settings_.record && settings_.record->wants_audio() && next.position >= recorded_) {
            for (const auto& part : next.audio)
                if (!part.empty()) settings_.record->on_user_audio(part, now);
            recorded_ = next.position + bytes_of(next.audio);
        }
    }
    if (next.kind != Uplink::Next::Kind::nothing && uplink_waiting_since_ && uplink_.pending_audio_bytes() == 0) {
        metrics_.relay_uplink.observe(now - *uplink_waiting_since_);
        uplink_waiting_since_.reset();
    }
    return next;
}

Downlink::Next Session::next_for_client(Instant now)
{
    if (draining_ && !ending_ && !replies_.is_generating() && !downlink_.is_speaking(now) && !downlink_.has_unsent()) {
        downlink_.push_event(realtime::error_event({Code::busy, "The server is shutting down. Connect again in a moment."}));
        ending_ = Ending{1001, "going_away"};
    }
    auto next = downlink_.next(now);
    if (next.kind != Downlink::Next::Kind::binary) return next;
    if (!reply_began_) reply_began_ = next.plays_at;
    if (const auto since = std::exchange(turn_ended_at_, std::nullopt)) metrics_.reply_first_audio.observe(now - *since);
    if (const auto since = std::exchange(downlink_waiting_since_, std::nullopt)) metrics_.relay_downlink.observe(now - *since);
    if (settings_.record && settings_.record->wants_audio())
        for (const auto& part : next.source)
            if (!part.empty()) settings_.record->on_character_audio(part, next.plays_at);
    return next;
}

void Session::to_client(std::string event)
{
    if (downlink_.push_event(std::move(event)) || ending_) return;
    metrics_.count_error(Code::slow_client);
    ending_ = Ending{1008, std::string(name(Code::slow_client))};
}

void Session::to_upstream(std::string event, std::string key)
{
    if (!uplink_.push_event(std::move(event), std::move(key))) report_full();
}

void Session::to_upstream_first(std::string event, std::string key)
{
    if (uplink_.push_urgent(std::move(event), std::move(key))) return;
    fail({Code::upstream_unavailable, "The voice service takes no more events (limits.pending_events_max wait already)."}, 1013);
}

void Session::say(std::string_view text, std::span<const std::byte> pcm, Instant now)
{
    // What is still under way of a reply would come before it.
    interrupt("session_ending", now);
    const std::string item_id = make_id("item_"), response_id = make_id("resp_");
    to_client(realtime::server_event("response.output_audio_transcript.done",
                                     {{"response_id", response_id}, {"item_id", item_id}, {"output_index", 0}, {"content_index", 0}, {"transcript", text}}));
    std::string base64(audio::base64_encoded_bytes(pcm.size()), '\0');
    audio::base64_encode(pcm, base64.data());
    realtime::AudioDelta delta;
    delta.response_id = response_id;
    delta.item_id = item_id;
    delta.audio_base64 = base64;
    if (const auto pushed = downlink_.push_audio(delta); !pushed) return report(pushed.error());
    downlink_.end_item(item_id, {});
}

void Session::fail(const Error& error, std::uint16_t close_code)
{
    if (ending_) return;
    metrics_.count_error(error.code);
    log::warn("session.failed", {{"session", settings_.id}, {"code", name(error.code)}, {"message", error.message}});
    downlink_.push_event(realtime::error_event(error));
    ending_ = Ending{close_code, std::string(name(error.code))};
}

void Session::report(const Error& error, std::string_view client_event_id)
{
    metrics_.count_error(error.code);
    log::info("session.error", {{"session", settings_.id}, {"code", name(error.code)}, {"message", error.message}});
    to_client(realtime::error_event(error, client_event_id));
}

void Session::report_full()
{
    report({Code::too_large, "Too many events wait for the service (limits.pending_events_max); this one was dropped."});
}

void Session::write_record(bool all)
{
    if (!settings_.record) return;
    const auto lines = history_.take_changed_lines(all);
    if (!lines.empty()) settings_.record->lines(lines);
}

std::string Session::own_event_id() { return std::string(own_event_prefix) + std::to_string(++own_events_); }

}  // namespace repartee::conversation
