#include "repartee/conversation/user_turns.hpp"

#include "repartee/audio/pcm.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace repartee::conversation {
namespace {

constexpr milliseconds burst_span{300};
// A service under load answers to a burst later than to a stream.
constexpr milliseconds burst_kept{2'000};
// By then it has found a voice in what it was sent again, or there is none.
constexpr milliseconds again_kept{5'000};

}  // namespace

bool UserTurns::on_leaving(std::uint64_t position, std::size_t bytes, Instant now)
{
    if (bytes == 0) return false;
    bool changed = false;
    if (again_ && position >= again_->to) {
        if (!again_left_at_) again_left_at_ = now;
        if (now - *again_left_at_ > again_kept) {
            forget_again();
            changed = true;
        }
    }
    if (!burst_at_ || now - *burst_at_ > (in_burst_ ? burst_kept : burst_span)) {
        burst_at_ = now;
        burst_from_ = position;
        changed = std::exchange(in_burst_, false) || changed;
    }
    const auto ms = std::chrono::duration_cast<milliseconds>(now - *burst_at_).count();
    if (in_burst_ || position + bytes - burst_from_ <= settings_.idle_bytes + audio::bytes_of_ms(ms, audio::realtime_hz)) return changed;
    in_burst_ = true;
    return true;
}

// ── what the service says ────────────────────────────────────────────────────────────────────────────────────────────────────

bool UserTurns::is_news(std::string_view item_id, Phase phase)
{
    const bool known = !item_id.empty() && item_id == newest_;
    if (known && phase <= phase_) return false;
    newest_ = item_id;
    phase_ = phase;
    return true;
}

bool UserTurns::on_started(std::string_view item_id, std::uint64_t position, std::int64_t began_ms)
{
    if (!is_news(item_id, Phase::started)) return false;
    if (turns_again_ > 0) --turns_again_;
    // One that was never committed came to nothing.
    if (!turns_.empty() && !turns_.back().committed) turns_.pop_back();
    // Its padding may reach into the turn before, which is not said again.
    turns_.push_back({.item_id = std::string(item_id), .from = std::max(position, end_of_last()), .began_ms = began_ms, .speaking = true});
    turns_.back().to = turns_.back().from;
    return true;
}

bool UserTurns::on_stopped(std::string_view item_id, std::uint64_t position)
{
    if (!is_news(item_id, Phase::stopped)) return false;
    if (!is_speaking()) return true;
    turns_.back().speaking = false;
    turns_.back().to = std::max(position, turns_.back().from);
    return true;
}

bool UserTurns::on_committed(std::string_view item_id, Place place, bool commit_left)
{
    if (!is_news(item_id, Phase::committed)) return false;
    if (turns_.empty() || turns_.back().committed) {
        const std::uint64_t from = std::max(place.from, end_of_last());
        turns_.push_back({.from = from, .to = std::max(from, place.to)});
    }
    Turn& turn = turns_.back();
    if (turn.speaking) turn.to = std::max(place.to, turn.from);
    turn.item_id = item_id;
    turn.speaking = false;
    turn.committed = true;
    turn.commit_left = commit_left;
    if (again_) {
        again_->from = std::max(again_->from, turn.to);
        if (again_->from >= again_->to) forget_again();
    }
    while (turns_.size() > 1 && (turns_.front().answered || turns_.size() > turns_max)) settle_first();
    settle();
    return true;
}

void UserTurns::on_cleared()
{
    if (!turns_.empty() && !turns_.back().committed) turns_.pop_back();
    forget_again();
}

void UserTurns::forget_again()
{
    again_.reset();
    turns_again_ = 0;
}

void UserTurns::on_words_known(std::string_view item_id)
{
    for (Turn& turn : turns_) turn.known = turn.known || turn.item_id == item_id;
    settle();
}

void UserTurns::on_response(std::string_view response_id)
{
    for (Turn& turn : turns_)
        if (turn.committed && turn.response.empty()) turn.response = response_id;
}

void UserTurns::on_answered(std::string_view response_id)
{
    if (turns_.empty()) return;
    for (Turn& turn : turns_) turn.answered = turn.answered || (turn.committed && turn.response == response_id);
    settle();
}

void UserTurns::on_answer_dropped(std::string_view response_id)
{
    for (Turn& turn : turns_) {
        if (turn.response != response_id) continue;
        turn.answered = false;
        turn.response.clear();
    }
}

// ── what is settled ──────────────────────────────────────────────────────────────────────────────────────────────────────────

void UserTurns::settle_first()
{
    settled_to_ = std::max(settled_to_, turns_.front().to);
    settled_commits_ += turns_.front().commit_left;
    turns_.pop_front();
}

/// In order: what stands behind a turn that is said again is said again too.
void UserTurns::settle()
{
    const auto is_settled = [&](const Turn& turn) { return turn.committed && (turn.known || (turn.answered && !settings_.transcribes)); };
    while (!turns_.empty() && is_settled(turns_.front())) settle_first();
}

std::size_t UserTurns::take_settled_commits() { return std::exchange(settled_commits_, 0); }

std::size_t UserTurns::open_commits() const
{
    return static_cast<std::size_t>(std::count_if(turns_.begin(), turns_.end(), [](const Turn& turn) { return turn.commit_left; }));
}

UserTurns::Again UserTurns::on_upstream_lost(Place place)
{
    const auto first = std::find_if(turns_.begin(), turns_.end(), [](const Turn& turn) { return !turn.answered && !turn.known; });
    for (auto turn = turns_.begin(); turn != first; ++turn) settled_commits_ += std::exchange(turn->commit_left, false);

    Again again;
    if (first != turns_.end() || again_) {
        again.from = again_ ? again_->from : first->from;
        if (first != turns_.end()) again.from = std::min(again.from, first->from);
        for (auto turn = first; turn != turns_.end(); ++turn)
            if (turn->committed) again.items.push_back(turn->item_id);
        turns_again_ += static_cast<std::size_t>(std::distance(first, turns_.end()));
        turns_.erase(first, turns_.end());
        again_ = Place{again.from, place.to};
    } else {
        // Of what was sent last the service may have said nothing yet.
        const std::uint64_t newest = in_burst_ ? burst_from_ : place.to - std::min<std::uint64_t>(place.to, settings_.idle_bytes);
        again.from = by_commits_ ? end_of_last() : std::max(end_of_last(), newest);
    }
    again.from = std::clamp(again.from, std::min(place.from, place.to), place.to);
    newest_.clear();
    again_left_at_.reset();
    burst_at_.reset();
    in_burst_ = false;
    return again;
}

std::optional<std::uint64_t> UserTurns::keep_from() const
{
    std::optional<std::uint64_t> from;
    const auto also = [&from](std::uint64_t position) { from = std::min(position, from.value_or(position)); };
    if (!turns_.empty()) also(turns_.front().from);
    if (again_) also(again_->from);
    if (in_burst_) also(std::max(burst_from_, end_of_last()));
    if (by_commits_) also(end_of_last());
    return from;
}

std::optional<UserTurns::Place> UserTurns::place_of(std::string_view item_id) const
{
    for (const Turn& turn : turns_)
        if (turn.committed && !turn.known && turn.item_id == item_id) return Place{turn.from, turn.to};
    return std::nullopt;
}

}  // namespace repartee::conversation
