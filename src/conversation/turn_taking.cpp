#include "repartee/conversation/turn_taking.hpp"

#include <algorithm>

namespace repartee::conversation {
namespace {

// Shorter than this, a voice may have been none when nothing else says how long a backchannel is.
constexpr milliseconds false_interruption_max{600};
// Transcripts of a word or two come within a second; longer, and the character's silence or the queued answer would be heard.
constexpr milliseconds transcript_wait{1'500};
constexpr std::size_t voices_max = 4;

void earliest(std::optional<Instant>& wake, Instant at)
{
    if (!wake || at < *wake) wake = at;
}

}  // namespace

bool TurnTaking::decides() const
{
    const bool lenient = settings_.echo_guard.count() > 0 || settings_.backchannel_max.count() > 0 || settings_.go_on_after_false_interruption;
    return service_.interrupts && lenient;
}

milliseconds TurnTaking::short_max(bool guarded) const
{
    milliseconds longest = settings_.backchannel_max;
    if (guarded) longest = std::max(longest, settings_.echo_guard);
    if (settings_.go_on_after_false_interruption && settings_.backchannel_max.count() == 0) longest = std::max(longest, false_interruption_max);
    return longest;
}

TurnTaking::Voices::iterator TurnTaking::find(std::string_view item_id)
{
    const auto known = std::find_if(voices_.begin(), voices_.end(), [&](const Voice& v) { return !item_id.empty() && v.item_id == item_id; });
    if (known != voices_.end()) return known;
    // A service that names the item late, or never: what goes on can only be the newest.
    const bool newest_fits = !voices_.empty() && !voices_.back().lost && (item_id.empty() || voices_.back().item_id.empty());
    return newest_fits ? std::prev(voices_.end()) : voices_.end();
}

TurnTaking::Decision TurnTaking::on_speech_started(std::string_view item_id, Instant now, Reply reply, Instant reply_began)
{
    const bool told_again = !item_id.empty() && std::any_of(voices_.begin(), voices_.end(), [&](const Voice& v) { return v.item_id == item_id; });
    if (told_again) return {};
    begin_turn(now);
    quiet_since_.reset();
    if (suspended_) reply = Reply::speaking;
    if (reply == Reply::none || !service_.interrupts) return {};
    if (reply == Reply::thinking || !decides()) {
        on_reply_ended();
        return {Step::cut, std::string(item_id)};
    }

    const bool guarded = now - reply_began < settings_.echo_guard;
    const bool go_on = settings_.go_on_after_false_interruption;
    if (!guarded && !go_on && settings_.backchannel_max.count() == 0) {
        on_reply_ended();
        return {Step::cut, std::string(item_id)};
    }
    Voice voice{.item_id = std::string(item_id), .began = now, .guarded = guarded, .decide_at = now + short_max(guarded) + service_.silence};
    if (guarded && go_on) voice.suspend_at = reply_began + settings_.echo_guard;
    voices_.push_back(std::move(voice));
    if (voices_.size() > voices_max) voices_.erase(voices_.begin());
    if (guarded || !go_on || suspended_) return {};
    suspended_ = true;
    return {Step::suspend};
}

TurnTaking::Decision TurnTaking::on_speech_stopped(std::string_view item_id, std::int64_t speech_ms, Instant now, Reply reply)
{
    end_turn();
    note_silence(reply);
    if (!service_.transcribes) idle_prompts_ = 0;
    const auto voice = find(item_id);
    if (voice == voices_.end() || voice->over) return {};
    if (voice->item_id.empty()) voice->item_id = item_id;
    voice->over = true;
    voice->speech_ms = speech_ms;
    voice->suspend_at.reset();
    if (milliseconds(speech_ms) >= short_max(voice->guarded)) return it_is_a_turn(voice, reply);
    if (voice->said) return settle(voice, *voice->said, reply);
    if (!service_.transcribes) return settle(voice, Said::backchannel, reply);
    voice->decide_at = now + transcript_wait;
    return {};
}

TurnTaking::Decision TurnTaking::on_transcript(std::string_view item_id, std::string_view text, Instant, Reply reply)
{
    note_silence(reply);
    const Said said = judge(text);
    if (said != Said::nothing) idle_prompts_ = 0;
    const auto voice = find(item_id);
    if (voice == voices_.end()) return {};
    if (voice->item_id.empty()) voice->item_id = item_id;
    if (voice->over) return settle(voice, said, reply);
    if (said == Said::stop || (said == Said::words && !voice->guarded)) return it_is_a_turn(voice, reply);
    voice->said = said;
    return {};
}

TurnTaking::Decision TurnTaking::on_transcript_failed(std::string_view item_id, Instant, Reply reply)
{
    note_silence(reply);
    const auto voice = find(item_id);
    return voice == voices_.end() || !voice->over ? Decision{} : settle(voice, Said::backchannel, reply);
}

TurnTaking::Decision TurnTaking::settle(Voices::iterator voice, Said said, Reply reply)
{
    const bool reply_goes_on = suspended_ || (reply != Reply::none && !voice->reply_over);
    const bool echo = voice->guarded && milliseconds(voice->speech_ms) < settings_.echo_guard;
    // An echo has the character's own words; it does not tell itself to stop.
    if (said == Said::stop || (said == Said::words && !echo)) return it_is_a_turn(voice, reply);
    // "Yes" to the end of a reply is an answer to it.
    if (said == Said::backchannel && !echo && !reply_goes_on) return it_is_a_turn(voice, reply);
    return it_is_no_turn(voice);
}

TurnTaking::Decision TurnTaking::it_is_a_turn(Voices::iterator voice, Reply reply)
{
    const bool reply_goes_on = suspended_ || (reply != Reply::none && !voice->reply_over);
    std::string item_id = voice->lost ? std::string() : std::move(voice->item_id);
    voices_.erase(voice);
    if (!reply_goes_on) return {};
    on_reply_ended();
    return {Step::cut, std::move(item_id)};
}

TurnTaking::Decision TurnTaking::it_is_no_turn(Voices::iterator voice)
{
    const bool lost = voice->lost;
    std::string item_id = lost ? std::string() : std::move(voice->item_id);
    voices_.erase(voice);
    if (suspended_ && voices_.empty()) {
        suspended_ = false;
        return {Step::go_on, std::move(item_id)};
    }
    return {lost ? Step::nothing : Step::drop_turn, std::move(item_id)};
}

void TurnTaking::note_silence(Reply reply)
{
    if (reply == Reply::none) on_next_reply();
}

void TurnTaking::on_next_reply()
{
    if (suspended_) return;
    for (Voice& voice : voices_) voice.reply_over = true;
}

TurnTaking::Decision TurnTaking::on_tick(Instant now, Reply reply, bool quiet)
{
    note_silence(reply);
    for (std::size_t i = 0; i < voices_.size();) {
        const auto voice = voices_.begin() + static_cast<std::ptrdiff_t>(i);
        if (voice->suspend_at && *voice->suspend_at <= now) {
            voice->suspend_at.reset();
            if (!suspended_ && reply != Reply::none) {
                suspended_ = true;
                return {Step::suspend};
            }
        }
        if (voice->decide_at > now) {
            ++i;
            continue;
        }
        const bool too_long = !voice->over || milliseconds(voice->speech_ms) >= short_max(voice->guarded);
        const Decision decision = too_long ? it_is_a_turn(voice, reply) : settle(voice, Said::backchannel, reply);
        if (decision.step != Step::nothing) return decision;
    }
    if (const Decision limit = turn_limits(now); limit.step != Step::nothing) return limit;
    return silence(now, quiet && voices_.empty() && !turn_began_);
}

TurnTaking::Decision TurnTaking::turn_limits(Instant now)
{
    if (!turn_began_ || settings_.turn_max.count() == 0) return {};
    if (now - *turn_began_ >= settings_.turn_max) {
        begin_turn(now);  // the service may go on with the same voice and not say so
        return {Step::end_turn};
    }
    if (!warn_at_ || *warn_at_ > now) return {};
    warn_at_.reset();
    return {Step::warn_turn};
}

TurnTaking::Decision TurnTaking::silence(Instant now, bool quiet)
{
    if (!quiet) {
        quiet_since_.reset();
        return {};
    }
    if (!quiet_since_) quiet_since_ = now;
    const bool due = settings_.idle_prompt.count() > 0 && idle_prompts_ < settings_.idle_prompts_max && now - *quiet_since_ >= settings_.idle_prompt;
    if (!due) return {};
    ++idle_prompts_;
    quiet_since_ = now;
    return {Step::prompt_idle};
}

std::optional<Instant> TurnTaking::wake_at() const
{
    std::optional<Instant> wake;
    for (const Voice& voice : voices_) {
        earliest(wake, voice.decide_at);
        if (voice.suspend_at) earliest(wake, *voice.suspend_at);
    }
    if (turn_began_ && settings_.turn_max.count() > 0) earliest(wake, *turn_began_ + settings_.turn_max);
    if (warn_at_) earliest(wake, *warn_at_);
    if (quiet_since_ && settings_.idle_prompt.count() > 0 && idle_prompts_ < settings_.idle_prompts_max)
        earliest(wake, *quiet_since_ + settings_.idle_prompt);
    return wake;
}

void TurnTaking::on_user_active(Instant now)
{
    idle_prompts_ = 0;
    if (quiet_since_) quiet_since_ = now;
}

void TurnTaking::on_reply_ended()
{
    voices_.clear();
    suspended_ = false;
}

void TurnTaking::on_upstream_lost(Instant now)
{
    end_turn();
    for (Voice& voice : voices_) {
        voice.lost = true;
        voice.suspend_at.reset();
        if (voice.over) continue;
        voice.over = true;
        voice.speech_ms = std::chrono::duration_cast<milliseconds>(now - voice.began).count();
        voice.decide_at = now + transcript_wait;
    }
}

milliseconds TurnTaking::turn_left(Instant now) const
{
    if (!turn_began_ || settings_.turn_max.count() == 0) return milliseconds(0);
    return std::max(milliseconds(0), settings_.turn_max - std::chrono::duration_cast<milliseconds>(now - *turn_began_));
}

void TurnTaking::begin_turn(Instant now)
{
    turn_began_ = now;
    warn_at_.reset();
    if (settings_.warning.count() > 0 && settings_.warning < settings_.turn_max) warn_at_ = now + settings_.turn_max - settings_.warning;
}

void TurnTaking::end_turn()
{
    turn_began_.reset();
    warn_at_.reset();
}

}  // namespace repartee::conversation
