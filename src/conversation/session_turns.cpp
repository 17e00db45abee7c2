#include "repartee/conversation/session.hpp"

#include "repartee/base/log.hpp"
#include "repartee/realtime/server_event.hpp"

#include <algorithm>

// Who speaks: interruptions, prompts, limits. The decisions are TurnTaking's and ReplyOwner's; here they are carried out.
namespace repartee::conversation {
namespace {

constexpr std::size_t cut_responses_kept = 16, deferred_deletes_max = 64;
constexpr milliseconds silence_poll{500};
constexpr std::string_view idle_note =
    "The user has been silent for a while. Say one short, kind sentence that helps them go on, in the language of the conversation. Do not greet.";

std::string event_text(std::string_view type, std::string event_id, json::object members)
{
    json::object event{{"type", type}, {"event_id", std::move(event_id)}};
    for (auto& [key, value] : members) event[key] = std::move(value);
    return json::to_text(event);
}

json::object* turn_detection_of(json::object& session)
{
    json::object* object = &session;
    for (const char* member : {"audio", "input", "turn_detection"}) {
        json::value* value = object->if_contains(member);
        if (!value || !value->is_object()) return nullptr;
        object = &value->get_object();
    }
    return object;
}

}  // namespace

TurnTaking::Reply Session::reply_now(Instant now) const
{
    if (turn_taking_.is_suspended() || downlink_.is_speaking(now)) return TurnTaking::Reply::speaking;
    return replies_.is_busy_besides(turns_.newest_item()) ? TurnTaking::Reply::thinking : TurnTaking::Reply::none;
}

bool Session::is_quiet(Instant now) const
{
    const bool heard = turns_.is_speaking() || replies_.is_busy() || downlink_.is_speaking(now) || turn_taking_.is_suspended();
    if (heard || state_ != State::live) return false;
    if (settings_.turn_detection.type != realtime::TurnDetection::Type::none) return true;
    // With push-to-talk nobody says when speech began.
    return !last_audio_at_ || now - *last_audio_at_ > milliseconds(1'000);
}

// ── what time brings about ───────────────────────────────────────────────────────────────────────────────────────────────────

void Session::settle(Instant now)
{
    for (const auto& heard : downlink_.take_heard(now)) history_.on_heard(heard.item_id, heard.heard_ms, heard.audio_ms, heard.cut);
    for (;;) {
        const auto decision = turn_taking_.on_tick(now, reply_now(now), is_quiet(now));
        if (decision.step == TurnTaking::Step::nothing) break;
        apply(decision, now);
    }
    while (auto create = replies_.next(now)) to_upstream(std::move(create->text), "create:" + create->event_id);
    confirm_creates();
    wake_at(now);
}

void Session::confirm_creates()
{
    while (const auto event_id = replies_.take_settled()) uplink_.confirm("create:" + *event_id);
}

void Session::on_tick(Instant now)
{
    settle(now);
    write_record(false);
    if (settings_.limit.count() <= 0 || ending_) return;
    const Instant end = created_at_ + settings_.limit;
    if (now >= end) return fail({Code::timeout, "The conversation has reached its longest time (conversation.limit_ms)."}, 1001);
    if (warned_ || now < end - settings_.warning) return;
    warned_ = true;
    const auto left = std::chrono::duration_cast<milliseconds>(end - now).count();
    to_client(realtime::server_event("session.warning", {{"limit", "session"}, {"remaining_ms", left}}));
}

std::optional<Instant> Session::wake_at(Instant now)
{
    std::optional<Instant> at;
    const auto no_later_than = [&at](std::optional<Instant> other) {
        if (other && (!at || *other < *at)) at = other;
    };
    no_later_than(replies_.wake_at());
    no_later_than(turn_taking_.wake_at());
    // A reply that ends makes no event of its own, and a loudspeaker that reports may be behind the model.
    if (settings_.turn_taking.idle_prompt.count() > 0 && downlink_.is_speaking(now)) no_later_than(downlink_.quiet_at(now).value_or(now + silence_poll));
    if (settings_.limit.count() > 0 && !ending_) no_later_than(created_at_ + settings_.limit - (warned_ ? milliseconds(0) : settings_.warning));
    next_tick_ = at;
    return at;
}

void Session::ask(json::object response, Instant now, bool may_wait)
{
    json::object event{{"type", "response.create"}, {"event_id", own_event_id()}};
    if (!response.empty()) event["response"] = std::move(response);
    Create create = read_create(event);
    create.may_wait = may_wait;
    create.text = json::to_text(event);
    replies_.ask(std::move(create), now);
}

/// A response's instructions stand in place of the session's.
json::object Session::with_note(std::string_view note) const
{
    std::string all(json::find_string(updates_, "instructions").value_or(""));
    if (!all.empty()) all += "\n\n";
    return {{"instructions", persona_.with(all.append(note))}};
}

// ── decisions carried out ────────────────────────────────────────────────────────────────────────────────────────────────────

void Session::apply(const TurnTaking::Decision& decision, Instant now)
{
    using Step = TurnTaking::Step;
    switch (decision.step) {
    case Step::nothing: return;
    case Step::suspend: return clear_client(downlink_.suspend(now), "turn_detected", now);
    case Step::cut:
        cut_responses();
        if (!service_interrupts()) send_cancel(replies_.on_cut(decision.item_id, now), {}, {});
        return interrupt("turn_detected", now);
    case Step::go_on:
        downlink_.go_on(now);
        if (!decision.item_id.empty()) drop_turn(decision.item_id, now);
        return;
    case Step::drop_turn: return drop_turn(decision.item_id, now);
    case Step::end_turn: return end_turn(now);
    case Step::warn_turn:
        return to_client(realtime::server_event("session.warning", {{"limit", "turn"}, {"remaining_ms", turn_taking_.turn_left(now).count()}}));
    case Step::prompt_idle: return ask(with_note(idle_note), now, false);
    }
}

void Session::drop_turn(const std::string& item_id, Instant now)
{
    const auto dropped = replies_.on_turn_dropped(item_id, now);
    // The client has seen it begin, and sees it end; nothing of it is played.
    if (!dropped.response_id.empty()) {
        mark_cut(dropped.response_id);
        for (const std::string& answer : downlink_.drop_waiting(dropped.response_id)) delete_when_done(answer);
        if (!dropped.cancel) flush_deferred_deletes();
    }
    turns_.on_words_known(item_id);
    keep_user_audio();
    if (dropped.cancel)
        to_upstream_first(event_text("response.cancel", own_event_id(), {{"response_id", dropped.response_id}}));
    to_upstream(event_text("conversation.item.delete", own_event_id(), {{"item_id", item_id}}), "delete:" + item_id);
}

void Session::end_turn(Instant now)
{
    uplink_.end_turn();
    replies_.on_commit_sent();
    to_upstream(event_text("input_audio_buffer.commit", own_event_id(), {}), std::string(Uplink::commit_key));
    ask(json::object(), now, true);
}

void Session::interrupt(std::string_view reason, Instant now)
{
    const bool told = downlink_.is_suspended();
    const std::vector<Downlink::Cut> cuts = downlink_.interrupt(now);
    for (const auto& heard : downlink_.take_heard(now)) history_.on_heard(heard.item_id, heard.heard_ms, heard.audio_ms, heard.cut);
    if (cuts.empty()) return;
    metrics_.interruptions_total.add();
    if (!told) clear_client(cuts, reason, now);
    for (const auto& cut : cuts) send_cut(cut);
    if (!replies_.is_generating()) flush_deferred_deletes();
}

void Session::clear_client(const std::vector<Downlink::Cut>& cuts, std::string_view reason, Instant now)
{
    if (settings_.record) settings_.record->on_cut(now);
    if (cuts.empty()) return;
    downlink_.push_event_first(realtime::server_event(
        "audio.clear", {{"item_id", cuts.front().item_id}, {"audio_end_ms", cuts.front().heard_ms}, {"reason", reason}}));
}

void Session::cut_responses()
{
    for (const auto& response : replies_.running())
        if (!response.id.empty() && !was_cut(response.id)) mark_cut(response.id);
}

void Session::mark_cut(std::string_view response_id)
{
    cut_responses_.emplace_back(response_id);
    if (cut_responses_.size() > cut_responses_kept) cut_responses_.pop_front();
}

bool Session::was_cut(std::string_view response_id) const
{
    return std::find(cut_responses_.begin(), cut_responses_.end(), response_id) != cut_responses_.end();
}

void Session::send_cut(const Downlink::Cut& cut)
{
    if (state_ != State::live) return;  // the next one is told what was heard
    // An upstream that has it as text cannot truncate it.
    if (replayed_.contains(cut.item_id)) return tell_again(cut.item_id);
    if (cut.heard_ms > 0) {
        to_upstream_first(event_text("conversation.item.truncate", own_event_id(),
                                     {{"item_id", cut.item_id}, {"content_index", cut.content_index}, {"audio_end_ms", cut.heard_ms}}));
        return;
    }
    // Nothing of it was heard, so it must not stay in the context. Not while it is still being written: that is an error upstream.
    delete_when_done(cut.item_id);
}

void Session::delete_when_done(std::string_view item_id)
{
    const bool known = std::find(deferred_deletes_.begin(), deferred_deletes_.end(), item_id) != deferred_deletes_.end();
    if (!known && deferred_deletes_.size() < deferred_deletes_max) deferred_deletes_.emplace_back(item_id);
}

/// Items of which there are words, and never a sound: nothing of them was heard.
void Session::forget_unsounded()
{
    for (const std::string& item_id : unsounded_) {
        history_.on_heard(item_id, 0, 0, true);
        delete_when_done(item_id);
    }
    unsounded_.clear();
}

void Session::flush_deferred_deletes()
{
    for (const std::string& item_id : deferred_deletes_)
        to_upstream_first(event_text("conversation.item.delete", own_event_id(), {{"item_id", item_id}}));
    deferred_deletes_.clear();
}

// ── turn detection: the client's wish, and what the service is told ──────────────────────────────────────────────────────────

bool Session::service_answers() const
{
    return settings_.turn_detection.type != realtime::TurnDetection::Type::none && settings_.turn_detection.create_response;
}

bool Session::service_interrupts() const { return settings_.turn_detection.interrupt_response && !turn_taking_.decides(); }

/// When the decision is ours, the service must not take it.
void Session::obey_turn_taking(json::object& session)
{
    json::object* detection = turn_detection_of(session);
    if (!detection) return;
    if (const auto wished = json::find_bool(*detection, "interrupt_response")) settings_.turn_detection.interrupt_response = *wished;
    tell_turn_taking();
    if (turn_taking_.decides()) (*detection)["interrupt_response"] = false;
}

json::object Session::as_wished(json::object session) const
{
    if (json::object* detection = turn_detection_of(session); detection && turn_taking_.decides())
        (*detection)["interrupt_response"] = settings_.turn_detection.interrupt_response;
    return session;
}

void Session::know_turn_detection(const json::object& session)
{
    const json::object* input = json::find_object(session, "audio.input");
    if (!input || !input->contains("turn_detection")) return;
    const bool wished = settings_.turn_detection.interrupt_response;
    if (auto read = realtime::read_turn_detection(input->at("turn_detection"), settings_.turn_detection, "session.audio.input.turn_detection"))
        settings_.turn_detection = *read;
    if (turn_taking_.decides()) settings_.turn_detection.interrupt_response = wished;
    tell_turn_taking();
    const bool by_commits = settings_.turn_detection.type == realtime::TurnDetection::Type::none;
    if (by_commits) turn_taking_.on_turn_over();
    turns_.ends_by_commits(by_commits);
    keep_user_audio();
}

void Session::tell_turn_taking()
{
    VoiceService service;
    service.silence = milliseconds(settings_.turn_detection.silence_duration_ms);
    service.transcribes = !settings_.transcription_model.empty();
    service.interrupts = settings_.turn_detection.interrupt_response;
    turn_taking_.set_service(service);
}

}  // namespace repartee::conversation
