#include "repartee/conversation/session.hpp"

#include "session_view.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/base/log.hpp"
#include "repartee/realtime/event_type.hpp"
#include "repartee/realtime/server_event.hpp"

#include <algorithm>

// The conversation's ear for its upstream: what the service says, and what the client gets of it.
namespace repartee::conversation {
namespace {

constexpr std::size_t hidden_kept = 32, unsounded_max = 16;

std::string_view text_of(const json::object& event, std::string_view path) { return json::find_string(event, path).value_or(""); }

std::optional<std::string_view> previous_item_of(const json::object& event) { return json::find_string(event, "previous_item_id"); }

void remember(std::list<std::string>& newest, std::string_view id)
{
    newest.emplace_back(id);
    if (newest.size() > hidden_kept) newest.pop_front();
}

bool holds(const std::list<std::string>& list, std::string_view id) { return std::find(list.begin(), list.end(), id) != list.end(); }

}  // namespace

void Session::on_upstream_event(std::string_view text, Instant now)
{
    const std::string_view type = realtime::peek_type(text);
    if (realtime::is_audio_delta(type)) return take_delta(text, now);
    const auto event = json::parse_object(text);
    if (!event) return report({Code::protocol, "The voice service sent an event that is not JSON; it was left out."});
    if (take_event(type.empty() ? text_of(*event, "type") : type, *event, text, now)) to_client(std::string(text));
    settle(now);
    write_record(false);
}

bool Session::take_event(std::string_view type, const json::object& event, std::string_view text, Instant now)
{
    if (type == "session.created") {
        const json::object* offered = json::find_object(event, "session");
        announce(offered ? *offered : json::object());
        return false;
    }
    if (type == "session.updated") {
        if (const json::object* session = json::find_object(event, "session"))
            on_session_updated(*session, now);
        else
            report({Code::protocol, "The upstream sent a session.updated without a session."});
        return false;
    }
    if (type == "error") {
        on_upstream_error(text, event, now);
        return false;
    }
    if (type.starts_with("response.")) return take_response_event(type, event, text, now);
    if (type.starts_with("conversation.item.input_audio_transcription.")) return take_transcript_event(type, event, now);
    if (type.starts_with("conversation.item.")) return take_item_event(type, event);
    if (type.starts_with("input_audio_buffer.")) take_user_event(type, event, now);
    return true;
}

// ── the session ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/// The client need not wait for the service's consent, a whole round trip: what it says meanwhile is kept, and a refusal ends the conversation.
void Session::announce(json::object offered)
{
    if (state_ != State::waiting) return;
    state_ = State::offered;
    model_ = text_of(offered, "model");
    if (std::exchange(announced_, true)) return;
    overlay(offered, wanted_session(settings_));
    shown_ = client_view(std::move(offered), settings_, persona_);
    json::object session = shown_;
    offer_in(session);
    downlink_.push_event_first(realtime::server_event("session.created", {{"session", std::move(session)}}));
}

void Session::start_upstream()
{
    state_ = State::starting;
    json::object session = wanted_session(settings_);
    overlay(session, updates_);
    // An update may have named a part of it; this is all that the last service agreed to.
    session["audio"].as_object()["input"].as_object()["turn_detection"] = to_json(settings_.turn_detection);
    persona_.lead(session);
    obey_turn_taking(session);
    start_event_id_ = own_event_id();
    to_upstream_first(json::to_text(json::object{{"type", "session.update"}, {"event_id", start_event_id_}, {"session", std::move(session)}}));
}

void Session::on_session_updated(const json::object& session, Instant now)
{
    if (state_ == State::starting) return go_live(session, now);
    on_update_agreed();
    know_turn_detection(session);
    to_client(realtime::server_event("session.updated", {{"session", client_view(as_wished(session), settings_, persona_)}}));
}

void Session::go_live(const json::object& session, Instant now)
{
    state_ = State::live;
    refusal_.reset();
    know_turn_detection(session);
    if (was_live_) {
        begin_again(now);
    } else {
        was_live_ = true;
        metrics_.session_start.observe(now - created_at_);
        json::object view = client_view(as_wished(session), settings_, persona_);
        if (view != shown_) to_client(realtime::server_event("session.updated", {{"session", std::move(view)}}));
        replies_.on_upstream_ready(now);
        if (settings_.greeting) ask(json::object(), now, true);
    }
    shown_ = {};
    lost_at_.reset();
    uplink_.hold(false);
}

// ── what the user said ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// A place in this upstream's stream of audio, as a position in the uplink.
std::uint64_t Session::position_of(std::int64_t service_ms) const
{
    const auto ms = std::clamp<std::int64_t>(service_ms, 0, audio::ms_of_bytes(upstream_bytes_, audio::realtime_hz));
    return upstream_base_ + audio::bytes_of_ms(ms, audio::realtime_hz);
}

void Session::take_user_event(std::string_view type, const json::object& event, Instant now)
{
    const realtime::TurnDetection& detection = settings_.turn_detection;
    const bool answers = service_answers();
    const std::string_view item_id = text_of(event, "item_id");
    if (type == "input_audio_buffer.speech_started") {
        const std::int64_t began_ms = json::find_int(event, "audio_start_ms").value_or(0);
        if (!turns_.on_started(item_id, position_of(began_ms), began_ms)) return;
        const TurnTaking::Reply reply = reply_now(now);  // before the service's own interruption counts: what comes yet of it is to be dropped
        send_cancel(replies_.on_speech_started(answers, service_interrupts(), now), {}, {});
        apply(turn_taking_.on_speech_started(item_id, now, reply, reply_began_.value_or(now)), now);
    } else if (type == "input_audio_buffer.speech_stopped") {
        const std::int64_t began_ms = turns_.began_ms(), end_ms = json::find_int(event, "audio_end_ms").value_or(began_ms);
        if (!turns_.on_stopped(item_id, position_of(end_ms))) return;
        turn_ended_at_ = now;
        replies_.on_speech_stopped(answers, now);
        const bool by_silence = detection.type == realtime::TurnDetection::Type::server_vad;
        const std::int64_t around_ms = by_silence ? detection.prefix_padding_ms + detection.silence_duration_ms : 0;
        const std::int64_t speech_ms = end_ms - began_ms - around_ms;
        apply(turn_taking_.on_speech_stopped(item_id, std::max<std::int64_t>(speech_ms, 0), now, reply_now(now)), now);
    } else if (type == "input_audio_buffer.cleared") {
        turns_.on_cleared();
        replies_.on_cleared();
        turn_taking_.on_turn_over();
    } else if (type == "input_audio_buffer.committed") {
        if (turns_.was_committed(item_id)) return;
        // A commit goes to the next service too, until the words are known. When the service listens for silence itself, the silence does.
        const bool by_voice = detection.type != realtime::TurnDetection::Type::none;
        const auto commit_at = by_voice ? uplink_.confirm(Uplink::commit_key) : uplink_.position_of(Uplink::commit_key, turns_.open_commits());
        turns_.on_committed(item_id, {uplink_.kept_from(), commit_at.value_or(uplink_.sent_position())}, !by_voice);
        committed_at_ = now;
        if (!turns_.is_speaking()) turn_taking_.on_turn_over();
        history_.on_committed(item_id, previous_item_of(event));
        replies_.on_committed(item_id, answers, now);
    }
    keep_user_audio();
}

/// For another service, as much as it would have to hear.
void Session::keep_user_audio()
{
    for (std::size_t left = turns_.take_settled_commits(); left > 0; --left) uplink_.confirm(Uplink::commit_key);
    if (const auto from = turns_.keep_from())
        uplink_.keep_from(*from);
    else
        uplink_.keep_idle();
}

bool Session::take_transcript_event(std::string_view type, const json::object& event, Instant now)
{
    const std::string_view item_id = text_of(event, "item_id");
    if (holds(hidden_items_, item_id)) return false;
    if (type.ends_with(".completed")) {
        if (!item_id.empty() && item_id == transcribed_) return false;  // repeated
        transcribed_ = item_id;
        history_.on_user_transcript(item_id, text_of(event, "transcript"));
        turns_.on_words_known(item_id);
        keep_user_audio();
        apply(turn_taking_.on_transcript(item_id, text_of(event, "transcript"), now, reply_now(now)), now);
    } else if (type.ends_with(".failed")) {
        history_.on_user_transcript_failed(item_id);
        turns_.on_words_known(item_id);
        keep_user_audio();
        apply(turn_taking_.on_transcript_failed(item_id, now, reply_now(now)), now);
    }
    return true;
}

// ── items ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

bool Session::take_item_event(std::string_view type, const json::object& event)
{
    const bool shows_item = type == "conversation.item.added" || type == "conversation.item.created" || type == "conversation.item.done";
    if (shows_item) {
        const json::object* item = json::find_object(event, "item");
        if (!item) return true;
        const std::string_view id = text_of(*item, "id");
        if (replayed_.contains(id) || holds(hidden_items_, id)) return false;
        uplink_.confirm("item:" + std::string(id));
        if (type != "conversation.item.done") replies_.on_item_added(id);
        history_.on_item(*item, previous_item_of(event));
        return true;
    }
    const std::string_view id = text_of(event, "item_id");
    if (type == "conversation.item.deleted") {
        const bool clients = uplink_.confirm("delete:" + std::string(id)).has_value();
        if (holds(hidden_items_, id) || (!clients && replayed_.contains(id))) return false;
        replayed_.erase(std::string(id));  // the client may give the id to another one
        history_.on_item_deleted(id);
    }
    if (type == "conversation.item.truncated" && !downlink_.was_cut(id)) {
        // The client's own: ours is known already.
        const std::int64_t received_ms = downlink_.received_ms(id);
        if (received_ms > 0) history_.on_heard(id, json::find_int(event, "audio_end_ms").value_or(0), received_ms, true);
    }
    return !holds(hidden_items_, id);
}

// ── responses ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

bool Session::is_hidden(const json::object& event) const
{
    if (hidden_responses_.empty()) return false;
    std::string_view id = text_of(event, "response_id");
    if (id.empty()) id = text_of(event, "response.id");
    return !id.empty() && holds(hidden_responses_, id);
}

bool Session::take_response_event(std::string_view type, const json::object& event, std::string_view text, Instant now)
{
    if (type == "response.created") return take_created(event, now);
    if (type == "response.done") return take_done(event, now);
    const std::string_view response_id = text_of(event, "response_id"), item_id = text_of(event, "item_id");
    if (is_hidden(event)) {
        if (type == "response.output_item.added") {
            remember(hidden_items_, text_of(event, "item.id"));
            delete_when_done(text_of(event, "item.id"));  // it must not stay in the context
        }
        return false;
    }
    const auto index = static_cast<std::size_t>(std::max<std::int64_t>(0, json::find_int(event, "content_index").value_or(0)));
    const bool aside = is_aside(response_id);
    if (type == "response.output_item.added" || type == "response.output_item.done") {
        const json::object* item = json::find_object(event, "item");
        if (type.ends_with(".added")) {
            note_response(replies_.on_created({{"id", response_id}}, now), response_id);  // it may not say response.created
            if (!aside) added_ = item ? text_of(*item, "id") : "";
            more_comes_ = more_comes_ || response_id == whole_response_;
        }
        if (item && !aside) history_.on_item(*item);
        if (item && type.ends_with(".done") && text_of(*item, "type") == "function_call") {
            replies_.on_function_call_done(response_id);
            turns_.on_answered(response_id);
        }
    } else if (type == "response.function_call_arguments.done") {
        if (!aside) history_.on_function_arguments_done(item_id, text_of(event, "call_id"), text_of(event, "name"), text_of(event, "arguments"));
    } else if (type == "response.output_audio.done" || type == "response.audio.done") {
        downlink_.end_item(item_id, std::string(text));
        if (!aside) {
            whole_response_ = response_id;
            more_comes_ = !added_.empty() && added_ != item_id;
        }
        return false;
    } else if (!aside && (type.ends_with("transcript.delta") || type.ends_with("text.delta"))) {
        if (type.ends_with("transcript.delta")) note_words(item_id);
        if (!was_cut(response_id)) history_.on_reply_text(item_id, text_of(event, "delta"), index);
    } else if (!aside && (type.ends_with("transcript.done") || type.ends_with("text.done"))) {
        const std::string_view member = type.ends_with("transcript.done") ? "transcript" : "text";
        if (member == "transcript" && !text_of(event, member).empty() && was_cut(response_id)) note_words(item_id);
        history_.on_reply_text_done(item_id, text_of(event, member), index);
    }
    return true;
}

bool Session::is_aside(std::string_view response_id) const
{
    const auto& running = replies_.running();
    return std::any_of(running.begin(), running.end(), [&](const auto& response) { return response.out_of_band && response.id == response_id; });
}

/// Not the one that is spoken, while there is one.
bool Session::is_besides(std::string_view response_id) const
{
    if (response_id.empty()) return false;
    const auto& running = replies_.running();
    const auto speaks = std::find_if(running.begin(), running.end(), [](const auto& response) { return !response.out_of_band; });
    return is_aside(response_id) || (speaks != running.end() && speaks->id != response_id);
}

bool Session::take_created(const json::object& event, Instant now)
{
    const json::object* response = json::find_object(event, "response");
    const auto created = replies_.on_created(response ? *response : json::object(), now);
    const std::string_view id = text_of(event, "response.id");
    note_response(created, id);
    if (created.cancelled || created.unwanted) mark_cut(id);
    if (!created.unwanted) return true;
    remember(hidden_responses_, id);
    send_cancel(replies_.on_cancel(id, now), id, {});
    return false;
}

void Session::note_response(const ReplyOwner::Created& created, std::string_view id)
{
    if (!created.out_of_band) turns_.on_response(id);
}

void Session::note_words(std::string_view item_id)
{
    if (item_id == sounded_ || downlink_.received_ms(item_id) > 0 || downlink_.was_cut(item_id)) return;
    const bool known = std::find(unsounded_.begin(), unsounded_.end(), item_id) != unsounded_.end();
    if (!known && unsounded_.size() < unsounded_max) unsounded_.emplace_back(item_id);
}

bool Session::take_done(const json::object& event, Instant now)
{
    const std::string_view id = text_of(event, "response.id");
    const bool aside = is_aside(id);  // before it is forgotten
    if (!replies_.on_done(id, now)) return false;  // repeated
    const bool hidden = is_hidden(event);
    if (!replies_.is_generating()) lost_words_.clear();
    if (!aside && was_cut(id)) forget_unsounded();
    if (!aside) unsounded_.clear();
    metrics_.responses_total.add();
    turns_.on_answered(id);
    downlink_.end_items_of(id);
    if (!replies_.is_generating()) flush_deferred_deletes();
    return !hidden;
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
        delta = realtime::AudioDelta{text_of(parsed, "response_id"), text_of(parsed, "item_id"), json::find_int(parsed, "output_index").value_or(0),
                                     json::find_int(parsed, "content_index").value_or(0), *json::find_string(parsed, "delta")};
    }
    if (was_cut(delta->response_id)) {
        // Not one sample of it was sent: it must not stay in the context either.
        if (!downlink_.was_cut(delta->item_id)) delete_when_done(delta->item_id);
        return;
    }
    if (!downlink_.has_unsent()) {
        downlink_waiting_since_ = now;
        if (!downlink_.is_speaking(now)) reply_began_.reset();
    }
    turns_.on_answered(delta->response_id);
    if (sounded_ != delta->item_id) {
        sounded_ = delta->item_id;
        std::erase(unsounded_, sounded_);
    }
    if (const auto pushed = downlink_.push_audio(*delta); !pushed) report(pushed.error());
}

// ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

void Session::on_upstream_error(std::string_view text, const json::object& event, Instant now)
{
    const std::string_view quoted = text_of(event, "error.event_id");
    const std::string message(text_of(event, "error.message")), code(text_of(event, "error.code"));
    if (state_ != State::live && (quoted.empty() || quoted == start_event_id_)) {
        const Error refused{Code::upstream_rejected, "The voice service refused the session: " + message, {}, code};
        if (was_live_) {
            refusal_ = refused;
            if (quoted == start_event_id_) updates_ = {};  // the character's own settings are fine anywhere
            return on_upstream_lost(refused, now);
        }
        return fail(refused, 1011);
    }
    if (code == "session_expired" && settings_.recovery.enabled) {
        log::info("upstream.session_expired", {{"session", settings_.id}, {"message", message}});
        return;  // its connection ends next, and another one goes on
    }
    if (code == "input_audio_buffer_commit_empty") uplink_.confirm(Uplink::commit_key, turns_.open_commits());
    const bool refuses_update = text_of(event, "error.param").starts_with("session");
    if (!quoted.empty())
        on_refused(quoted);
    else if (refuses_update && !asked_updates_.empty())
        on_refused(std::string(asked_updates_.front().event_id));
    const auto verdict = replies_.on_error(code, message, quoted, now);
    const bool unnamed = quoted.starts_with(unnamed_event_prefix);
    const bool own = quoted.starts_with(own_event_prefix) && !unnamed;
    if (verdict == ReplyOwner::Verdict::harmless || (own && verdict == ReplyOwner::Verdict::not_ours)) {
        // E.g. a truncate that came when the item was already gone: nothing the client could do about it.
        log::info("upstream.harmless_error", {{"session", settings_.id}, {"code", code}, {"message", message}});
        return;
    }
    metrics_.count_error(Code::provider_failed);
    log::warn("upstream.error", {{"session", settings_.id}, {"code", code}, {"message", message}});
    if (!own && !unnamed) return to_client(std::string(text));
    json::object shown = event;
    shown["error"].as_object()["event_id"] = nullptr;
    to_client(json::to_text(shown));
}

}  // namespace repartee::conversation
