#include "repartee/conversation/reply_owner.hpp"

#include <algorithm>
#include <utility>

namespace repartee::conversation {
namespace {

void earliest(std::optional<Instant>& wake, Instant at)
{
    if (!wake || at < *wake) wake = at;
}

bool asks_for_audio_only(const json::value& modalities)
{
    const json::array* list = modalities.if_array();
    return list && std::any_of(list->begin(), list->end(), [](const json::value& v) { return v.is_string() && v.get_string() == "audio"; });
}

}  // namespace

Create read_create(const json::object& event)
{
    Create create;
    if (const auto id = json::find_string(event, "event_id")) create.event_id = *id;
    const json::object* response = json::find_object(event, "response");
    if (!response) return create;
    for (const auto& [key, value] : *response) {
        if (value.is_null()) continue;
        if (key == "conversation") {
            create.out_of_band = value.is_string() && value.get_string() == "none";
            continue;
        }
        const bool usual = (key == "output_modalities" || key == "modalities") && asks_for_audio_only(value);
        if (!usual) create.bare = false;
    }
    return create;
}

// ── what may leave ───────────────────────────────────────────────────────────────────────────────────────────────────────────

bool ReplyOwner::blocked(Instant now) const
{
    const bool runs = std::any_of(running_.begin(), running_.end(), [](const Response& r) { return !r.out_of_band; });
    return !ready_ || outstanding_ || runs || answer_ || speaking_until_ || now < held_not_before_;
}

bool ReplyOwner::ask(Create create, Instant now)
{
    expire(now);
    if (create.out_of_band) {
        if (aside_.size() + outstanding_aside_.size() >= aside_max) return false;
        aside_.push_back(std::move(create));
        return true;
    }
    const bool waits = held_ || blocked(now);
    if (waits && !create.may_wait) {
        ++tally_.stale;
        return false;
    }
    if (waits) ++tally_.held;
    hold(std::move(create));
    return true;
}

void ReplyOwner::hold(Create create)
{
    // What the client wants comes before what we would ask for.
    if (held_ && held_->by_client && !create.by_client) {
        ++tally_.stale;
        return;
    }
    if (held_) ++tally_.replaced;
    held_ = std::move(create);
    held_not_before_ = {};
}

std::optional<Create> ReplyOwner::next(Instant now)
{
    expire(now);
    if (!ready_) return std::nullopt;
    if (auto create = take_first(aside_)) {
        outstanding_aside_.push_back({*create, now + settings_.created_wait});
        return create;
    }
    if (!held_ || blocked(now)) return std::nullopt;
    Create create = std::move(*held_);
    held_.reset();
    outstanding_ = Outstanding{create, now + settings_.created_wait};
    return create;
}

std::optional<std::string> ReplyOwner::take_settled() { return take_first(settled_); }

void ReplyOwner::settle(const std::string& event_id)
{
    settled_.push_back(event_id);
    if (settled_.size() > settled_max) settled_.pop_front();
}

void ReplyOwner::expire(Instant now)
{
    if (!ready_) return;
    if (outstanding_ && outstanding_->give_up_at <= now) {
        ++tally_.never_created;
        settle(outstanding_->create.event_id);
        outstanding_.reset();
    }
    while (!outstanding_aside_.empty() && outstanding_aside_.front().give_up_at <= now) {
        ++tally_.never_created;
        settle(outstanding_aside_.front().create.event_id);
        outstanding_aside_.pop_front();
    }
    if (speaking_until_ && *speaking_until_ <= now) speaking_until_.reset();
    for (auto it = running_.begin(); it != running_.end();) {
        if (!it->give_up_at || *it->give_up_at > now) {
            ++it;
            continue;
        }
        it = over(it);
        on_conversation_quiet(now);
    }
    if (!answer_ || answer_->give_up_at > now || (answer_->doubtful && conversation_response())) return;
    Answer answer = std::move(*answer_);
    answer_.reset();
    if (answer.doubtful && answer.committed) owe_answer(std::move(answer), now);
}

std::optional<Instant> ReplyOwner::wake_at() const
{
    std::optional<Instant> wake;
    if (!ready_) return wake;
    if (outstanding_) earliest(wake, outstanding_->give_up_at);
    if (!outstanding_aside_.empty()) earliest(wake, outstanding_aside_.front().give_up_at);
    if (speaking_until_) earliest(wake, *speaking_until_);
    bool runs = false;
    for (const Response& response : running_) {
        runs = runs || !response.out_of_band;
        if (response.give_up_at) earliest(wake, *response.give_up_at);
    }
    if (answer_ && !(answer_->doubtful && runs)) earliest(wake, answer_->give_up_at);
    const bool only_waits = !outstanding_ && !runs && !answer_ && !speaking_until_;
    if (held_ && only_waits) earliest(wake, held_not_before_);
    return wake;
}

ReplyOwner::Cancel ReplyOwner::on_cancel(std::string_view response_id, Instant now)
{
    if (!response_id.empty()) {
        Response* const response = find(response_id);
        if (!response || response->cancelled) return Cancel::not_needed;
        response->cancelled = true;
        response->give_up_at = now + settings_.done_wait;
        return Cancel::send_first;
    }
    if (held_) {
        ++tally_.cancelled;
        held_.reset();
    }
    return cancel_conversation(now);
}

ReplyOwner::Cancel ReplyOwner::on_cut(std::string_view turn, Instant now)
{
    // Asked for in the service's stead, and not yet begun: nothing of it is heard or waits.
    if (outstanding_ && !turn.empty() && outstanding_->create.turn == turn) return Cancel::not_needed;
    const bool answer_comes = answer_ && !turn.empty() && (answer_->turn == turn || !answer_->committed) && !answer_->unwanted;
    Response* const response = conversation_response();
    const bool answer_runs = response && !turn.empty() && response->turn == turn && !response->cancelled;
    const bool answer_is_done = !response && !turn.empty() && last_turn_ == turn;
    const Cancel cancel = cancel_conversation(now);
    if (answer_comes) answer_->unwanted = false;
    if (answer_runs && response->create && response->create->by_client) {
        ++tally_.owed;
        hold(*response->create);  // with the parameters that the client gave it
    } else if (answer_runs || answer_is_done) {
        owe_answer({.turn = std::string(turn), .give_up_at = now}, now);
    }
    return cancel;
}

ReplyOwner::Cancel ReplyOwner::cancel_conversation(Instant now)
{
    if (answer_) answer_->unwanted = true;
    if (outstanding_) {
        if (outstanding_->cancelled) return Cancel::not_needed;
        outstanding_->cancelled = true;
        return Cancel::send_behind;
    }
    Response* const response = conversation_response();
    if (!response || response->cancelled) return Cancel::not_needed;
    response->cancelled = true;
    response->give_up_at = now + settings_.done_wait;
    return Cancel::send_first;
}

// ── what is put into the conversation ────────────────────────────────────────────────────────────────────────────────────────

void ReplyOwner::on_item_sent(std::string_view item_id, std::string_view event_id)
{
    unseen_.push_back({std::string(item_id), std::string(event_id)});
    if (unseen_.size() > unseen_max) unseen_.pop_front();
}

void ReplyOwner::on_item_added(std::string_view item_id)
{
    for (Input& input : unseen_)
        if (input.item_id == item_id) input.added = true;
}

void ReplyOwner::on_commit_sent() { ++commits_sent_; }

// ── a service is lost, the next one is ready ─────────────────────────────────────────────────────────────────────────────────

ReplyOwner::Due ReplyOwner::on_upstream_lost(bool heard)
{
    Due due;
    if (outstanding_ && (outstanding_->cancelled || outstanding_->unwanted)) {
        ++tally_.cancelled;
        settle(outstanding_->create.event_id);
        outstanding_.reset();
    }
    // Held or on its way: what answers all that was said, so nothing else is due.
    const bool asked = held_ || outstanding_;
    Response* const response = conversation_response();
    const bool is_wanted = response && !response->cancelled && !response->unwanted;
    if (is_wanted && !asked) {
        // With its calls complete it is the client's turn: it sends the outputs and asks.
        if (!response->calls) due = {heard ? Due::How::go_on : Due::How::anew, std::move(response->create)};
    } else if (answer_ && answer_->committed && !answer_->unwanted && !asked) {
        due.how = Due::How::anew;
    }
    for (Response& other : running_)
        if (other.out_of_band && other.create && !other.cancelled && aside_.size() + outstanding_aside_.size() < aside_max)
            aside_.push_back(std::move(*other.create));
    running_.clear();
    done_.clear();
    last_done_.clear();
    answer_.reset();
    speaking_until_.reset();
    dropped_turn_.clear();
    ready_ = false;
    return due;
}

void ReplyOwner::on_upstream_ready(Instant now)
{
    ready_ = true;
    held_not_before_ = {};
    if (outstanding_) outstanding_->give_up_at = now + settings_.created_wait;
    for (Outstanding& aside : outstanding_aside_) aside.give_up_at = now + settings_.created_wait;
}

// ── how things are ───────────────────────────────────────────────────────────────────────────────────────────────────────────

bool ReplyOwner::is_busy() const { return !running_.empty() || outstanding_ || held_ || answer_ || !aside_.empty() || !outstanding_aside_.empty(); }

bool ReplyOwner::is_busy_besides(std::string_view turn) const
{
    const bool answers_another = answer_ && answer_->committed && !answer_->unwanted && (turn.empty() || answer_->turn != turn);
    const auto is_other = [&](const Create& create) { return create.turn.empty() || create.turn != turn; };
    const auto runs = [&](const Response& r) { return !r.out_of_band && !r.cancelled && (turn.empty() || r.turn != turn); };
    return answers_another || (held_ && is_other(*held_)) || (outstanding_ && is_other(outstanding_->create)) ||
           std::any_of(running_.begin(), running_.end(), runs);
}

ReplyOwner::Response* ReplyOwner::find(std::string_view id)
{
    const auto it = std::find_if(running_.begin(), running_.end(), [&](const Response& r) { return r.id == id; });
    return it == running_.end() ? nullptr : &*it;
}

ReplyOwner::Response* ReplyOwner::conversation_response()
{
    const auto it = std::find_if(running_.rbegin(), running_.rend(), [](const Response& r) { return !r.out_of_band; });
    return it == running_.rend() ? nullptr : &*it;
}

std::list<ReplyOwner::Response>::iterator ReplyOwner::over(std::list<Response>::iterator response)
{
    remember_done(response->id);
    if (!response->out_of_band && response->create && response->create->text.size() <= kept_create_bytes_max) {
        last_done_.push_back(std::move(*response));
        if (last_done_.size() > kept_creates_max) last_done_.pop_front();
    }
    return running_.erase(response);
}

void ReplyOwner::remember_done(std::string_view id)
{
    done_.emplace_back(id);
    if (done_.size() > done_kept) done_.pop_front();
}

bool ReplyOwner::was_done(std::string_view id) const { return std::find(done_.begin(), done_.end(), id) != done_.end(); }

}  // namespace repartee::conversation
