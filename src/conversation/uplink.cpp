#include "repartee/conversation/uplink.hpp"

#include "repartee/base/json.hpp"

#include <algorithm>
#include <cstring>

namespace repartee::conversation {
namespace {

// 1 s of audio an event: after a stall the backlog leaves in a few events instead of one that some server refuses.
constexpr std::size_t append_pcm_bytes_max = audio::bytes_of_ms(1000, audio::realtime_hz);

constexpr std::size_t kept_event_bytes_max = 1'024;

constexpr std::string_view clear_key = "clear";

template <class Bytes>
Bytes of_whole_samples(Bytes bytes)
{
    return bytes - bytes % audio::sample_bytes;
}

UplinkKept in_whole_samples(UplinkKept kept)
{
    kept.audio_bytes_max = of_whole_samples(kept.audio_bytes_max);
    kept.idle_bytes = of_whole_samples(std::min(kept.idle_bytes, kept.audio_bytes_max));
    return kept;
}

}  // namespace

Uplink::Uplink(int input_hz, std::size_t capacity_bytes, std::size_t events_max, std::size_t events_bytes_max, Kept kept)
    : input_hz_(input_hz),
      kept_(in_whole_samples(kept)),
      waiting_bytes_max_(audio::Ring(capacity_bytes).capacity()),
      ring_(waiting_bytes_max_ + kept_.audio_bytes_max),
      resampler_(input_hz, audio::realtime_hz),
      pinned_(events_max, events_bytes_max),
      urgent_(events_max + kept.replay_events_max, events_bytes_max + kept.replay_bytes_max),
      unconfirmed_(events_max, events_bytes_max),
      again_(events_max, events_bytes_max)
{
}

// ── from the client ──────────────────────────────────────────────────────────────────────────────────────────────────────────

bool Uplink::push_audio(std::span<const std::byte> pcm)
{
    if (resampler_.passes_through()) return write(pcm);
    in_.resize(pcm.size() / audio::sample_bytes);
    std::memcpy(in_.data(), pcm.data(), in_.size() * audio::sample_bytes);
    out_.clear();
    resampler_.process(in_, out_);
    return write(std::as_bytes(std::span(out_)));
}

bool Uplink::write(std::span<const std::byte> pcm)
{
    const std::uint64_t waiting = ring_.written() - reached_;
    if (waiting + pcm.size() > waiting_bytes_max_) return false;
    // Before, not when it has left: so the ring does not grow for the moment in between.
    if (sent_ == ring_.written()) let_go_of_old(pcm.size());
    return ring_.write(pcm);
}

bool Uplink::push_event(std::string event, std::string key) { return pinned_.push({std::move(event), std::move(key), ring_.written()}); }

bool Uplink::push_urgent(std::string event, std::string key) { return urgent_.push({std::move(event), std::move(key), std::nullopt}); }

void Uplink::end_turn()
{
    if (resampler_.passes_through()) return;
    out_.clear();
    resampler_.flush(out_);
    write(std::as_bytes(std::span(out_)));
    resampler_.reset();
}

void Uplink::drop_audio()
{
    resampler_.reset();
    if (is_audio_needed()) return;
    sent_ = reached_ = ring_.written();
    let_go(sent_);
    unconfirmed_.empty_texts(commit_key);
}

bool Uplink::clear_audio(std::string event)
{
    if (!is_audio_needed() && !unconfirmed_.contains(commit_key)) {
        drop_audio();
        return push_event(std::move(event));
    }
    resampler_.reset();
    return push_event(std::move(event), std::string(clear_key));
}

/// By an event that waits behind it.
bool Uplink::is_audio_needed() const { return !pinned_.empty() || (!again_.empty() && again_.events().back().position); }

bool Uplink::has_room() const { return has_room(audio::bytes_of_ms(piece_ms_max, input_hz_)); }

bool Uplink::has_room(std::size_t input_bytes) const
{
    // And a piece more: the resampler may let go of what it held back.
    const auto ms = audio::ms_of_bytes(input_bytes, input_hz_) + piece_ms_max;
    return waiting_bytes_max_ - (ring_.written() - reached_) >= audio::bytes_of_ms(ms, audio::realtime_hz);
}

// ── to the upstream ──────────────────────────────────────────────────────────────────────────────────────────────────────────

Uplink::Next Uplink::leave(Backlog& waiting)
{
    bool keep = kept_.audio_bytes_max > 0 && !waiting.front().key.empty();
    if (keep && waiting.front().key == clear_key && !unconfirmed_.contains(commit_key)) {
        // All that it clears has left and is wanted no more: so another upstream need not be told.
        let_go(sent_);
        keep = false;
    }
    if (keep) return {Next::Kind::event, unconfirmed_.take_from(waiting).text, {}, sent_};
    current_ = waiting.take().text;
    return {Next::Kind::event, current_, {}, sent_};
}

Uplink::Next Uplink::next()
{
    // The session's first event carries the whole persona. Let go of at once: what is allocated meanwhile would lie behind it.
    if (current_.capacity() > kept_event_bytes_max) std::string().swap(current_);
    const bool urgent_again = !again_.empty() && !again_.front().position;
    if (urgent_again && !held_) return leave(again_);
    if (!urgent_.empty()) return leave(urgent_);
    if (held_) return {};

    std::uint64_t sendable = ring_.written() - sent_;
    if (Backlog& waiting = again_.empty() ? pinned_ : again_; !waiting.empty()) {
        // drop_audio() may have moved past the place where an event was pinned, and what is kept may begin behind it.
        const std::uint64_t position = std::max(*waiting.front().position, sent_);
        if (position == sent_) return leave(waiting);
        sendable = std::min(sendable, position - sent_);
    }
    if (sendable == 0) {
        // While somebody speaks what is kept grows: a smaller block would only be left again.
        keep_from_ ? ring_.release_memory() : ring_.fit_memory();
        return {};
    }
    // What leaves again and what leaves for the first time do not mix: the second kind is recorded and counted.
    if (sent_ < reached_) sendable = std::min(sendable, reached_ - sent_);
    sendable = std::min<std::uint64_t>(sendable, append_pcm_bytes_max);
    const Next next{Next::Kind::audio, {}, ring_.readable_at(sent_, static_cast<std::size_t>(sendable)), sent_, sent_ < reached_};
    sent_ += sendable;
    reached_ = std::max(reached_, sent_);
    let_go_of_old(0);
    return next;
}

// ── what is kept for another upstream ────────────────────────────────────────────────────────────────────────────────────────

void Uplink::let_go(std::uint64_t position)
{
    position = std::min(position, sent_);
    if (position > ring_.consumed()) ring_.consume(static_cast<std::size_t>(position - ring_.consumed()));
}

/// What need not be kept when `more_bytes` come to it.
void Uplink::let_go_of_old(std::size_t more_bytes)
{
    const std::uint64_t keep_bytes = keep_from_ ? kept_.audio_bytes_max : kept_.idle_bytes;
    const std::uint64_t room = keep_bytes - std::min<std::uint64_t>(keep_bytes, more_bytes);
    const std::uint64_t newest = sent_ - std::min(sent_, room);
    let_go(keep_from_ ? std::max(newest, *keep_from_) : newest);
}

std::optional<std::uint64_t> Uplink::confirm(std::string_view key, std::size_t older)
{
    auto event = unconfirmed_.take(key, older);
    if (!event) event = again_.take(key);
    if (!event) return std::nullopt;
    if (key == commit_key && !unconfirmed_.contains(commit_key)) forget_clears();
    return event->position;
}

void Uplink::refuse(std::string_view event_id)
{
    const std::string quoted = "\"event_id\":" + json::to_text(json::value(event_id));
    const auto is_it = [&](const Backlog::Event& event) { return event.text.find(quoted) != std::string::npos; };
    if (unconfirmed_.drop_if(is_it) + again_.drop_if(is_it) > 0 && !unconfirmed_.contains(commit_key)) forget_clears();
}

/// No commit needs the audio any more that was cleared behind it.
void Uplink::forget_clears()
{
    while (const auto clear = unconfirmed_.take(clear_key)) let_go(*clear->position);
}

std::size_t Uplink::refuse_all_unconfirmed()
{
    unconfirmed_.drop_emptied();
    forget_clears();
    const std::size_t refused = unconfirmed_.size() + again_.size();
    unconfirmed_.clear();
    again_.clear();
    return refused;
}

void Uplink::keep_from(std::uint64_t position)
{
    keep_from_ = of_whole_samples(position);
    let_go_of_old(0);
    ring_.fit_memory();
}

void Uplink::keep_idle()
{
    keep_from_.reset();
    let_go_of_old(0);
    ring_.fit_memory();
}

std::array<std::span<const std::byte>, 2> Uplink::kept(std::uint64_t from, std::uint64_t to) const
{
    if (from >= to || to > ring_.written()) return {};
    return ring_.readable_at(from, static_cast<std::size_t>(to - from));
}

void Uplink::rewind(std::uint64_t position)
{
    sent_ = std::clamp(of_whole_samples(position), ring_.consumed(), sent_);
    unconfirmed_.drop_emptied();
    again_.put_before(unconfirmed_);
    again_.put_unpinned_first();
}

}  // namespace repartee::conversation
