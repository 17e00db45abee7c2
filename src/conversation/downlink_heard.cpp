// How much of each item the loudspeaker has played: what the client reports, else the pacer's model. Nobody hears an item before the one in front
// of it.
#include "repartee/audio/pcm.hpp"
#include "repartee/conversation/downlink.hpp"

#include <algorithm>

namespace repartee::conversation {
namespace {

constexpr std::uint64_t samples_per_ms = audio::realtime_hz / 1000;
// A client that stops reporting has long played the rest by then …
constexpr milliseconds report_grace{1'000};
// … unless its connection has died without a word: then it may come back for it.
constexpr milliseconds silent_loss{10'000};
// What a client that reports every now and then leaves unreported at an item's end.
constexpr milliseconds report_interval_max{250};
// Nobody asks for that many at once; who never asks costs no more.
constexpr std::size_t heard_kept = 256;

std::uint64_t samples_of_ms(std::int64_t ms) { return static_cast<std::uint64_t>(ms) * samples_per_ms; }

}  // namespace

std::int64_t Downlink::ms_at(const Item& item, std::uint64_t offset) const
{
    return static_cast<std::int64_t>((item.earlier_samples + (offset - item.begin) / audio::sample_bytes) / samples_per_ms);
}

/// Within the item, and at a whole sample.
std::uint64_t Downlink::offset_at(const Item& item, std::int64_t ms) const
{
    const std::uint64_t samples = samples_of_ms(ms);
    const std::uint64_t length = (end_of(item) - item.begin) / audio::sample_bytes;
    return item.begin + std::min(samples > item.earlier_samples ? samples - item.earlier_samples : 0, length) * audio::sample_bytes;
}

/// Where the loudspeaker is by the pacer's model, not asking what the client reported.
std::uint64_t Downlink::played_offset(Instant now) const
{
    return send_offset_ - (pacer_.sent() - pacer_.played(now)) * audio::sample_bytes;
}

/// Right for the first item that was not heard to its end, and those before it.
std::uint64_t Downlink::heard_offset(const Item& item, Instant now) const
{
    const std::uint64_t sent = std::clamp(send_offset_, item.begin, end_of(item));
    if (item.reported_ms) return std::min(offset_at(item, *item.reported_ms), sent);
    return std::clamp(played_offset(now), item.begin, sent);
}

bool Downlink::is_heard(const Item& item, Belief belief, Instant now) const
{
    if (leaves_again(item)) return false;
    const Instant asked = client_lost_at_.value_or(now);  // who is known to be away is not expected to report
    const bool waits_for_report = belief == Belief::certain && client_reports_ && !item.reported_ms;
    const milliseconds patience = belief == Belief::likely || settings_.resume.events_max == 0 ? report_grace : silent_loss;
    if (waits_for_report) return item.phase == Phase::passed && asked - item.ends_at > patience;
    const std::int64_t audio_ms = ms_of(item);
    if (ms_at(item, heard_offset(item, now)) >= audio_ms) return true;
    if (!item.reported_ms) return false;
    const milliseconds left{audio_ms - *item.reported_ms};
    const bool is_a_last_bit = belief == Belief::reported && left <= report_interval_max;
    return asked - item.reported_at > left + (is_a_last_bit ? report_grace : patience);
}

/// Behind it nothing may be let go: the client may be behind the model, and say so.
std::uint64_t Downlink::certain_offset(const Item& item, Instant now) const
{
    if (client_reports_ && !item.reported_ms) return item.begin;
    return std::clamp(std::min(heard_offset(item, now), played_offset(now)), item.begin, end_of(item));
}

Downlink::Items::const_iterator Downlink::first_unheard(Belief belief, Instant now) const
{
    return std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return !is_heard(item, belief, now); });
}

bool Downlink::is_speaking(Instant now) const { return first_unheard(Belief::likely, now) != items_.end(); }

bool Downlink::plays(std::string_view response_id, Instant now) const
{
    return std::any_of(first_unheard(Belief::likely, now), items_.end(), [&](const Item& item) { return item.response_id == response_id; });
}

std::optional<Instant> Downlink::quiet_at(Instant now) const
{
    if (pacer_.played(now) == pacer_.sent()) return std::nullopt;
    return pacer_.time_of(pacer_.sent());
}

void Downlink::on_playback(std::string_view item_id, std::int64_t played_ms, Instant now)
{
    client_reports_ = true;
    if (stands_still()) return;
    Item* item = find_played(item_id, played_ms, send_offset_);
    if (!item) return;
    note_report(*item, played_ms, now);
    if (played_ms > 0 && send_offset_ > item->begin) report_earlier_than(*item, now);
}

/// The stretch of it where so much of it has been played, if that had been sent.
Downlink::Item* Downlink::find_played(std::string_view item_id, std::int64_t played_ms, std::uint64_t sent)
{
    const auto is_meant = [&](const Item& item) { return item.item_id == item_id && item.begin <= sent && ms_at(item, item.begin) <= played_ms; };
    const auto found = std::find_if(items_.rbegin(), items_.rend(), is_meant);
    return found == items_.rend() ? nullptr : &*found;
}

void Downlink::note_report(Item& item, std::int64_t played_ms, Instant now)
{
    item.reported_ms = played_ms;
    item.reported_at = now;
}

void Downlink::report_earlier_than(const Item& item, Instant now)
{
    for (Item& earlier : items_) {
        if (&earlier == &item) return;
        note_report(earlier, ms_of(earlier), now);
    }
}

std::vector<Downlink::Cut> Downlink::cuts(Instant now) const
{
    std::vector<Cut> cuts;
    const auto first = first_unheard(Belief::likely, now);
    for (auto item = first; item != items_.end(); ++item) {
        const auto is_same = [&](const Cut& cut) { return cut.item_id == item->item_id && cut.content_index == item->content_index; };
        const auto cut_before = std::find_if(cuts.begin(), cuts.end(), is_same);
        if (cut_before != cuts.end())
            cut_before->ended = item->ended;
        else
            cuts.push_back({item->item_id, item->content_index, ms_at(*item, item == first ? heard_offset(*item, now) : item->begin), item->ended});
    }
    return cuts;
}

void Downlink::note_heard(Heard heard)
{
    if (heard_.size() == heard_kept) heard_.erase(heard_.begin());
    heard_.push_back(std::move(heard));
}

/// Parts with the items that were heard for certain; with the oldest in any case when they are too many.
void Downlink::settle(Instant now)
{
    while (!items_.empty() && items_.front().phase == Phase::passed && !leaves_again(items_.front())) {
        const bool too_many = items_.size() > 2 * settings_.events_max;
        if (!too_many && !is_heard(items_.front(), Belief::certain, now)) return;
        Item item = std::move(items_.front());
        items_.pop_front();
        if (ms_of(item) > report_interval_max.count()) client_reports_ = item.reported_ms.has_value();
        if (!find(item.item_id)) note_heard({std::move(item.item_id), ms_of(item), ms_of(item), false});
    }
}

std::vector<Downlink::Heard> Downlink::take_heard(Instant now)
{
    settle(now);
    return std::exchange(heard_, {});
}

void Downlink::let_go_of_heard(Instant now)
{
    settle(now);
    std::uint64_t keep_from = send_offset_;
    if (keeps_unheard_ && !items_.empty()) {
        const Item& oldest = items_.front();
        keep_from = std::min(keep_from, offset_at(oldest, ms_at(oldest, certain_offset(oldest, now))));
        const std::uint64_t kept_max = audio::bytes_of_ms(settings_.resume.audio_max.count(), audio::realtime_hz);
        if (!settings_.suspends && send_offset_ - keep_from > kept_max) keep_from = send_offset_ - kept_max;
    }
    if (keep_from > ring_.consumed()) ring_.consume(static_cast<std::size_t>(keep_from - ring_.consumed()));
    const bool mostly_empty = ring_.size() < ring_.memory_bytes() / 4;
    if (mostly_empty && ring_.size() > 0) ring_.fit_memory();
}

}  // namespace repartee::conversation
