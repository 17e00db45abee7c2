#include "repartee/conversation/session.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/base/log.hpp"
#include "repartee/realtime/server_event.hpp"

#include <algorithm>

// From one upstream to the next: what is lost with it is finished for the client, what the next one must know is told to it, what it must hear is sent again.
namespace repartee::conversation {
namespace {

// Less of a reply than this is said anew; of more, the rest is asked for.
constexpr std::int64_t worth_keeping_ms = 1'500;
// Words that have not come by then will hardly come.
constexpr milliseconds words_wait{3'000};
// Of the words that a reply goes on from.
constexpr std::size_t quoted_bytes_max = 400;

constexpr std::string_view lost_message = "The voice service was lost amid this response; the conversation goes on with another one.";

/// The end of a text, from a whole character on.
std::string_view tail_of(std::string_view text, std::size_t bytes_max)
{
    if (text.size() <= bytes_max) return text;
    text.remove_prefix(text.size() - bytes_max);
    while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xC0) == 0x80) text.remove_prefix(1);
    return text;
}

/// Its response.done, which the lost service does not send any more. What it used up is not known.
json::object lost_response(const std::string& id)
{
    const json::object none{{"text_tokens", 0}, {"audio_tokens", 0}};
    json::object input = none;
    input["cached_tokens"] = 0;
    return {{"id", id},
            {"object", "realtime.response"},
            {"status", "failed"},
            {"status_details", {{"type", "failed"}, {"error", {{"type", "server_error"}, {"code", "upstream_lost"}, {"message", lost_message}}}}},
            {"output", json::array()},
            {"output_modalities", json::array{"audio"}},
            {"max_output_tokens", "inf"},
            {"usage", {{"total_tokens", 0}, {"input_tokens", 0}, {"output_tokens", 0}, {"input_token_details", input}, {"output_token_details", none}}},
            {"metadata", nullptr}};
}

}  // namespace

void Session::on_upstream_lost(const Error& error, Instant now)
{
    if (ending_ || state_ == State::waiting) return;
    if (!settings_.recovery.enabled) return fail(error, error.code == Code::upstream_rejected ? 1011 : 1013);
    metrics_.count_error(error.code);
    log::warn("session.upstream_lost", {{"session", settings_.id}, {"code", name(error.code)}, {"message", error.message}});
    if (!lost_at_) {
        lost_at_ = now;
        rotating_ = false;
    }
    leave_upstream(now);
    on_attempt_failed(error, 0);
}

void Session::on_attempt_failed(const Error& error, int attempt)
{
    to_client(realtime::server_event("session.recovering", {{"code", name(error.code)}, {"message", error.message}, {"attempt", attempt}}));
}

void Session::rotate(Instant now)
{
    lost_at_ = now;
    rotating_ = true;
    leave_upstream(now);
}

std::optional<Instant> Session::rotate_at() const
{
    if (!settings_.recovery.enabled || settings_.recovery.rotate_age.count() <= 0) return std::nullopt;
    return upstream_began_at_ + settings_.recovery.rotate_age;
}

bool Session::must_rotate(Instant now) const
{
    const milliseconds force_age = settings_.recovery.rotate_force_age;
    return force_age.count() > 0 && now >= upstream_began_at_ + force_age;
}

bool Session::may_rotate(Instant now) const
{
    if (state_ != State::live) return false;
    if (must_rotate(now)) return true;
    // A turn that has no words yet could only be told to the next one as sound.
    const bool understood = !turns_.awaits_words() || (committed_at_ && now - *committed_at_ > words_wait);
    return is_quiet(now) && understood;
}

// ── leaving ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

void Session::leave_upstream(Instant now)
{
    const bool had_begun = state_ == State::live;
    state_ = State::waiting;
    uplink_.hold(true);
    uplink_.drop_urgent();
    replayed_.clear();
    if (!had_begun) return;  // what the one before left undone is still to be done
    finish_lost_replies(now);
    turn_taking_.on_upstream_lost(now);
    rewind_uplink();
    for (const std::string& item_id : deferred_deletes_) history_.on_item_deleted(item_id);
    deferred_deletes_.clear();
    // Ids of responses begin anew.
    cut_responses_.clear();
    hidden_responses_.clear();
    whole_response_.clear();
    upstream_bytes_ = 0;
    write_record(false);
}

/// A reply that has come far enough is played as far as it came, and goes on from there; of one that has hardly begun nothing more is heard.
void Session::finish_lost_replies(Instant now)
{
    for (const auto& heard : downlink_.take_heard(now)) history_.on_heard(heard.item_id, heard.heard_ms, heard.audio_ms, heard.cut);
    const std::vector<std::string> unfinished = downlink_.unfinished_items();
    std::int64_t received_ms = 0;
    for (const std::string& item_id : unfinished) received_ms += downlink_.received_ms(item_id);
    // What was said whole and is still being played shall be heard: then the rest goes on behind it.
    const auto in_play = downlink_.in_play(now);
    const bool others_play = std::any_of(in_play.begin(), in_play.end(), [](const Downlink::Cut& item) { return item.ended; });
    // Copied: the answer forgets them.
    const auto running = replies_.running();
    const bool said_an_item = std::any_of(running.begin(), running.end(), [&](const auto& r) { return !r.out_of_band && r.id == whole_response_; });
    const bool keep = received_ms >= worth_keeping_ms || (others_play && received_ms > 0) || (said_an_item && more_comes_);
    due_ = replies_.on_upstream_lost(keep);
    // All of its sound has come: nothing is missing but the service's word that it was all.
    if (said_an_item && !more_comes_) due_ = {};
    if (due_.how == ReplyOwner::Due::How::anew)
        for (const auto& response : running) turns_.on_answer_dropped(response.id);
    confirm_creates();
    if (keep) {
        for (const std::string& item_id : unfinished) {
            const std::int64_t ms = downlink_.received_ms(item_id);
            history_.on_heard(item_id, ms, ms, true);
            // Lost again before the first word of the rest: it still goes on from the same ones.
            if (const std::string words = history_.heard_text(item_id); !words.empty()) lost_words_ = tail_of(words, quoted_bytes_max);
            downlink_.end_item(item_id, {});
        }
    } else if (!unfinished.empty()) {
        const std::vector<Downlink::Cut> cuts = downlink_.interrupt(now);
        turn_taking_.on_reply_ended();
        clear_client(cuts, "upstream_lost", now);
        for (const auto& cut : cuts) {
            history_.on_heard(cut.item_id, cut.heard_ms, std::max(cut.heard_ms, received_ms), true);
            if (cut.heard_ms > 0) continue;
            history_.on_item_deleted(cut.item_id);
            to_client(realtime::server_event("conversation.item.deleted", {{"item_id", cut.item_id}}));
        }
    }
    for (const std::string& item_id : unsounded_) {
        history_.on_heard(item_id, 0, 0, true);
        history_.on_item_deleted(item_id);
        to_client(realtime::server_event("conversation.item.deleted", {{"item_id", item_id}}));
    }
    unsounded_.clear();
    for (const auto& response : running)
        if (!response.unwanted && !response.id.empty())
            to_client(realtime::server_event("response.done", {{"response", lost_response(response.id)}}));
}

/// Back to where the next service must begin to listen. It takes what is said again as new turns, by their ends or by the commits that go with them.
void Session::rewind_uplink()
{
    const UserTurns::Again again = turns_.on_upstream_lost({uplink_.kept_from(), uplink_.sent_position()});
    keep_user_audio();
    for (const std::string& item_id : again.items) {
        history_.on_item_deleted(item_id);
        to_client(realtime::server_event("conversation.item.deleted", {{"item_id", item_id}}));
    }
    if (service_answers() && !again.items.empty()) due_ = {};
    uplink_.rewind(again.from);
}

// ── arriving ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

void Session::begin_again(Instant now)
{
    replay_history();
    replies_.on_upstream_ready(now);
    // Who asks for an answer before it has heard that turn gets two.
    const bool by_voice = settings_.turn_detection.type != realtime::TurnDetection::Type::none;
    if (turns_.says_again() && by_voice) replies_.on_speech_started(true, false, now);
    using How = ReplyOwner::Due::How;
    if (due_.how == How::go_on) {
        const std::string place = lost_words_.empty() ? "" : ", after the words: \"" + lost_words_ + '"';
        json::object response = with_note("Your last answer was broken off by a fault of the line" + place +
                                          ". Go on with it from exactly there, in the same language. Do not repeat what was said, do not greet, do not mention the fault.");
        ask(std::move(response), now, true);
    } else if (due_.how == How::anew) {
        if (due_.create)
            replies_.ask(std::move(*due_.create), now);
        else
            ask(json::object(), now, true);
    }
    due_ = {};
    const auto ms = std::chrono::duration_cast<milliseconds>(now - lost_at_.value_or(now)).count();
    log::info("session.upstream_changed", {{"session", settings_.id}, {"reason", rotating_ ? "rotation" : "recovery"}, {"ms", ms}});
    (rotating_ ? metrics_.rotations_total : metrics_.recoveries_total).add();
    to_client(realtime::server_event("session.upstream_changed", {{"reason", rotating_ ? "rotation" : "recovery"}, {"ms", ms}, {"model", model_}}));
    rotating_ = false;
}

void Session::replay_history()
{
    History::Replay replay = history_.replay();
    std::string audio;
    if (replay.audio_at) audio = audio_item();
    for (std::size_t i = 0; i <= replay.events.size(); ++i) {
        if (i == replay.audio_at && !audio.empty()) {
            replayed_.emplace(history_.last_user_item());
            to_upstream_first(std::move(audio));
        }
        if (i == replay.events.size()) break;
        replayed_.insert(std::move(replay.item_ids[i]));
        to_upstream_first(std::move(replay.events[i]));
    }
}

/// One item in place of itself, as far as it was heard by now.
void Session::tell_again(const std::string& item_id)
{
    to_upstream_first(json::to_text(json::object{{"type", "conversation.item.delete"}, {"event_id", own_event_id()}, {"item_id", item_id}}));
    const History::Replay replay = history_.replay();
    const auto place = std::find(replay.item_ids.begin(), replay.item_ids.end(), item_id) - replay.item_ids.begin();
    if (static_cast<std::size_t>(place) == replay.item_ids.size()) return;
    auto create = json::parse_object(replay.events[static_cast<std::size_t>(place)]);
    if (!create) return;
    (*create)["previous_item_id"] = place == 0 ? "root" : replay.item_ids[static_cast<std::size_t>(place - 1)];
    to_upstream_first(json::to_text(*create));
}

/// The user's last turn as sound, when its words are not known; empty: it is not kept any more, or the service is about to hear it anyway.
std::string Session::audio_item() const
{
    const std::string item_id(history_.last_user_item());
    const auto place = turns_.place_of(item_id);
    if (!place) return {};
    const auto parts = uplink_.kept(place->from, place->to);
    std::vector<std::byte> pcm(parts[0].begin(), parts[0].end());
    pcm.insert(pcm.end(), parts[1].begin(), parts[1].end());
    if (pcm.empty()) return {};
    std::string base64(audio::base64_encoded_bytes(pcm.size()), '\0');
    audio::base64_encode(pcm, base64.data());
    return json::to_text(json::object{
        {"type", "conversation.item.create"},
        {"event_id", std::string(own_event_prefix) + "replay_audio"},
        {"item", {{"id", item_id}, {"type", "message"}, {"role", "user"}, {"content", json::array{{{"type", "input_audio"}, {"audio", base64}}}}}}});
}

}  // namespace repartee::conversation
