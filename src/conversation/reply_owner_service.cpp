#include "repartee/conversation/reply_owner.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

// What the service says about responses and turns.
namespace repartee::conversation {
namespace {

/// Errors about what we and the client do about an interruption, one after the other: the second finds it done.
bool is_about_a_done_truncation(std::string_view message)
{
    constexpr std::array<std::string_view, 2> known{"already shorter than", "Only model output audio messages can be truncated"};
    return std::any_of(known.begin(), known.end(), [&](std::string_view words) { return message.find(words) != std::string_view::npos; });
}

}  // namespace

ReplyOwner::Cancel ReplyOwner::on_speech_started(bool service_answers, bool interrupts, Instant now)
{
    if (service_answers) speaking_until_ = now + settings_.speech_wait;
    if (!interrupts) return Cancel::not_needed;
    const Cancel cancel = cancel_conversation(now);
    return cancel == Cancel::send_behind ? cancel : Cancel::not_needed;
}

void ReplyOwner::on_speech_stopped(bool service_answers, Instant now)
{
    speaking_until_.reset();
    if (!service_answers) return;
    const Response* const runs = conversation_response();
    answer_ = Answer{.turn = {}, .give_up_at = now + settings_.created_wait, .doubtful = runs && !runs->cancelled};
}

void ReplyOwner::on_committed(std::string_view item_id, bool service_answers, Instant now)
{
    speaking_until_.reset();
    // To a commit of the client's (or ours) the service answers nothing by itself.
    if (commits_sent_ > 0) {
        --commits_sent_;
        service_answers = false;
    }
    unseen_.push_back({std::string(item_id), {}, true});
    if (unseen_.size() > unseen_max) unseen_.pop_front();
    if (!service_answers) return;

    const Response* const runs = conversation_response();
    const bool dropped = !item_id.empty() && std::exchange(dropped_turn_, {}) == item_id;
    const bool cancelled = answer_ && !answer_->committed && answer_->unwanted;
    answer_ = Answer{.turn = std::string(item_id),
                     .give_up_at = now + settings_.created_wait,
                     .doubtful = runs && !runs->cancelled,
                     .unwanted = dropped || cancelled,
                     .committed = true};
    if (dropped) std::erase_if(unseen_, [&](const Input& input) { return input.item_id == item_id; });
}

void ReplyOwner::on_cleared() { speaking_until_.reset(); }

ReplyOwner::Created ReplyOwner::on_created(const json::object& response, Instant now)
{
    const std::string id(json::find_string(response, "id").value_or(""));
    if (const Response* known = find(id)) return {.out_of_band = known->out_of_band};
    if (id.empty() || was_done(id)) return {};

    Response made{.id = id};
    const json::value* conversation = response.if_contains("conversation_id");
    const bool asked_here = outstanding_ || answer_;
    if (!outstanding_aside_.empty() && !json::find_string(response, "conversation_id")) {
        // Services that name no conversation answer in order.
        const bool asked_before = outstanding_ && outstanding_aside_.front().give_up_at < outstanding_->give_up_at;
        made.out_of_band = !asked_here || conversation || asked_before;
    }

    Created said{.out_of_band = made.out_of_band};
    if (made.out_of_band) {
        made.create = take_first(outstanding_aside_)->create;
        settle(made.create->event_id);
    } else {
        const bool by_service = !outstanding_;
        if (const auto asked = std::exchange(outstanding_, std::nullopt)) {
            settle(asked->create.event_id);
            made.create = asked->create;
            made.turn = asked->create.turn;
            made.cancelled = asked->cancelled;
            made.unwanted = asked->unwanted;
        }
        // What was taken back answers no turn.
        const auto answer = made.cancelled ? std::nullopt : std::exchange(answer_, std::nullopt);
        if (answer) {
            if (made.turn.empty()) made.turn = answer->turn;
            made.unwanted = made.unwanted || (by_service && answer->unwanted);
        }
        if (!made.turn.empty()) {
            last_turn_ = made.turn;
            last_turn_response_ = id;
        }
        if (!made.unwanted) {
            std::erase_if(unseen_, [](const Input& input) { return input.added; });
            if (by_service) drop_held_as_answered(made);
        }
        said.unwanted = made.unwanted;
        said.cancelled = made.cancelled;
        if (made.cancelled) made.give_up_at = now + settings_.done_wait;
    }
    running_.push_back(std::move(made));
    if (running_.size() > running_max) running_.pop_front();
    return said;
}

void ReplyOwner::drop_held_as_answered(Response& by)
{
    if (!held_) return;
    const bool answered = held_->bare && unseen_.empty();
    if (answered)
        ++tally_.answered;
    else if (!held_->by_client && !held_->bare)
        ++tally_.stale;
    else
        return;
    if (answered && held_->by_client) by.answered = std::move(*held_);
    held_.reset();
}

void ReplyOwner::on_function_call_done(std::string_view response_id)
{
    if (Response* const response = find(response_id)) response->calls = true;
}

bool ReplyOwner::on_done(std::string_view response_id, Instant now)
{
    if (!response_id.empty() && was_done(response_id)) return false;
    const auto done = std::find_if(running_.begin(), running_.end(), [&](const Response& r) { return r.id == response_id; });
    if (done != running_.end()) {
        over(done);
    } else {
        // Failed before it was created, or by a service that does not say response.created.
        for (auto it = running_.begin(); response_id.empty() && it != running_.end();) it = it->out_of_band ? std::next(it) : over(it);
        if (!response_id.empty()) remember_done(response_id);
        if (outstanding_) {
            settle(outstanding_->create.event_id);
            outstanding_.reset();
        } else if (answer_ && answer_->committed && !answer_->doubtful) {
            answer_.reset();
        } else if (!response_id.empty()) {
            if (const auto aside = take_first(outstanding_aside_)) settle(aside->create.event_id);
        }
    }
    on_conversation_quiet(now);
    return true;
}

void ReplyOwner::on_conversation_quiet(Instant now)
{
    if (conversation_response()) return;
    held_not_before_ = {};
    if (answer_ && answer_->doubtful) answer_->give_up_at = now + settings_.doubt_wait;
}

void ReplyOwner::owe_answer(Answer answer, Instant now)
{
    if (answer.unwanted) return;
    // Whoever asks next answers this turn too.
    if (held_ || outstanding_) return;
    Create create{.event_id = "repartee_answer_" + std::to_string(++own_answers_)};
    create.text = json::to_text(json::object{{"type", "response.create"}, {"event_id", create.event_id}});
    create.turn = std::move(answer.turn);
    ++tally_.owed;
    ++tally_.held;
    hold(std::move(create));
    if (!conversation_response()) held_not_before_ = now;
}

ReplyOwner::Verdict ReplyOwner::on_error(std::string_view code, std::string_view message, std::string_view quoted_event_id, Instant now)
{
    if (code == "conversation_already_has_active_response") return on_active_response(quoted_event_id, now);
    if (code == "response_cancel_not_active") {
        // Its response.done has come, is on its way, or never comes.
        for (Response& response : running_)
            if (response.cancelled) response.give_up_at = std::min(*response.give_up_at, now + settings_.doubt_wait);
        return Verdict::harmless;
    }
    if (!quoted_event_id.empty()) {
        if (outstanding_ && outstanding_->create.event_id == quoted_event_id) {
            const bool by_client = outstanding_->create.by_client;
            ++tally_.refused;
            settle(outstanding_->create.event_id);
            outstanding_.reset();
            return by_client ? Verdict::show : Verdict::harmless;
        }
        const auto is_quoted = [&](const Outstanding& o) { return o.create.event_id == quoted_event_id; };
        const auto aside = std::find_if(outstanding_aside_.begin(), outstanding_aside_.end(), is_quoted);
        if (aside != outstanding_aside_.end()) {
            const bool by_client = aside->create.by_client;
            ++tally_.refused;
            settle(aside->create.event_id);
            outstanding_aside_.erase(aside);
            return by_client ? Verdict::show : Verdict::harmless;
        }
        std::erase_if(unseen_, [&](const Input& input) { return input.event_id == quoted_event_id; });
    }
    if (code == "input_audio_buffer_commit_empty") {
        if (commits_sent_ == 0) return Verdict::harmless;  // the service's own commit came first
        --commits_sent_;
        return Verdict::not_ours;
    }
    return is_about_a_done_truncation(message) ? Verdict::harmless : Verdict::not_ours;
}

ReplyOwner::Verdict ReplyOwner::on_active_response(std::string_view quoted_event_id, Instant now)
{
    std::optional<Create> refused;
    const bool quotes_outstanding = outstanding_ && outstanding_->create.event_id == quoted_event_id;
    // Without a quote it may be about the service's own answer to a turn, or from a service that never quotes.
    const bool own_answer = quoted_event_id.empty() && answer_ && answer_->committed;
    if (quotes_outstanding || (quoted_event_id.empty() && !own_answer && outstanding_)) {
        if (outstanding_->unwanted || outstanding_->cancelled)
            ++tally_.cancelled;
        else
            refused = outstanding_->create;
        settle(outstanding_->create.event_id);
        outstanding_.reset();
    } else if (own_answer) {
        Answer answer = std::move(*answer_);
        answer_.reset();
        const bool early = !conversation_response();
        owe_answer(std::move(answer), now);
        if (early && held_) held_not_before_ = now + settings_.retry_wait;
    } else if (!quoted_event_id.empty()) {
        // The response that seemed to be its answer is, or was, the service's own.
        const auto asked_by_it = [&](const Response& r) { return r.create && r.create->event_id == quoted_event_id; };
        Response* response = nullptr;
        for (std::list<Response>* list : {&last_done_, &running_})
            for (Response& r : *list)
                if (asked_by_it(r)) response = &r;
        if (response && response->cancelled) ++tally_.cancelled;
        if (response && !response->cancelled) refused = response->create;
        if (response) response->create.reset();
    }
    if (refused && !keep_refused(std::move(*refused), now)) return Verdict::show;
    return Verdict::harmless;
}

bool ReplyOwner::keep_refused(Create create, Instant now)
{
    if (++create.refusals >= settings_.refusals_max) {
        ++tally_.refused;
        return !create.by_client;
    }
    if (held_ && (held_->by_client || !create.by_client)) {
        ++tally_.replaced;  // a newer one has come meanwhile
        return true;
    }
    ++tally_.held;
    hold(std::move(create));
    Response* const response = conversation_response();
    if (!response)
        held_not_before_ = now + settings_.retry_wait;
    else if (!response->create && !response->unwanted)
        drop_held_as_answered(*response);
    return true;
}

ReplyOwner::Dropped ReplyOwner::on_turn_dropped(std::string_view item_id, Instant now)
{
    if (item_id.empty()) return {};
    std::erase_if(unseen_, [&](const Input& input) { return input.item_id == item_id; });
    if (answer_ && answer_->committed && answer_->turn == item_id) {
        answer_->unwanted = true;
        return {};
    }
    if (held_ && held_->turn == item_id) {
        ++tally_.stale;
        held_.reset();
        return {};
    }
    if (outstanding_ && outstanding_->create.turn == item_id) {
        outstanding_->unwanted = true;
        return {};
    }
    for (Response& response : running_) {
        if (response.turn != item_id) continue;
        // Asked for otherwise too: then it is wanted.
        if (response.create && response.create->turn != item_id) return {};
        const bool cancel = !response.cancelled;
        response.unwanted = response.cancelled = true;
        if (!response.give_up_at) response.give_up_at = now + settings_.done_wait;
        if (response.answered && !held_) {
            held_ = std::move(response.answered);
            --tally_.answered;
        }
        response.answered.reset();
        return {response.id, cancel};
    }
    if (last_turn_ == item_id) return {last_turn_response_, false};
    dropped_turn_ = item_id;
    return {};
}

}  // namespace repartee::conversation
