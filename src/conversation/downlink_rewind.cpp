// Stopping for good, standing still, and sending again what was not heard.
#include "repartee/audio/pcm.hpp"
#include "repartee/base/ids.hpp"
#include "repartee/base/json.hpp"
#include "repartee/conversation/downlink.hpp"
#include "repartee/realtime/event_type.hpp"

#include <algorithm>

namespace repartee::conversation {
namespace {

// A client that does not say what it got last, may have missed what was on its way.
constexpr milliseconds on_its_way{2'000};

/// Who comes back had the token in it, and it is void now.
bool greets(std::string_view event)
{
    const std::string_view type = realtime::peek_type(event);
    return type == "session.created" || type == "session.resumed";
}

/// An event that is told for the second time. With the old id, nobody would know what a client has that says it had this one last.
std::string with_new_id(const std::string& text)
{
    auto event = json::parse_object(text);
    if (!event) return text;
    (*event)["event_id"] = make_id("event_");
    return json::to_text(*event);
}

}  // namespace

std::vector<Downlink::Cut> Downlink::interrupt(Instant now)
{
    std::vector<Cut> cut = cuts(now);
    const auto first_cut = first_unheard(Belief::likely, now);
    for (auto item = items_.cbegin(); item != first_cut; ++item) {
        const bool goes_on = std::any_of(std::next(item), items_.cend(), [&](const Item& later) { return later.item_id == item->item_id; });
        if (!goes_on) note_heard({item->item_id, ms_of(*item), ms_of(*item), false});
        if (item->phase < Phase::end_told) push_event(end_event(*item));
    }
    for (const Cut& item : cut) {
        note_heard({item.item_id, item.heard_ms, received_ms(item.item_id), true});
        cut_items_.push_back(item.item_id);
    }
    while (cut_items_.size() > cut_items_kept) cut_items_.pop_front();
    for (Item& item : items_)
        if (!item.done_told && !item.done_event.empty()) push_event(std::move(item.done_event));  // the client still learns that the item is over
    drop_audio(now);
    return cut;
}

void Downlink::drop_audio(Instant now)
{
    items_.clear();
    sending_ = items_.end();
    items_to_send_ = 0;
    ring_.consume(ring_.size());
    if (ring_.written() % audio::sample_bytes != 0) {
        const std::byte half{0};
        ring_.write({&half, 1});
        ring_.consume(1);
    }
    ring_.release_memory();
    send_offset_ = farthest_sent_ = ring_.written();
    resampler_.reset();
    pacer_.on_cleared(now);
    suspended_ = false;
}

std::vector<Downlink::Cut> Downlink::suspend(Instant now)
{
    std::vector<Cut> cut = cuts(now);
    if (cut.empty() || suspended_) return cut;
    if (!stands_still()) stand_before(first_unheard(Belief::likely, now), now);
    suspended_ = true;
    return cut;
}

void Downlink::go_on(Instant)
{
    if (!std::exchange(suspended_, false)) return;
    for (Item& item : items_)
        if (leaves_again(item) && std::exchange(item.done_told, false)) item.done_event = with_new_id(item.done_event);
    if (client_lost_at_) return;
    skip_what_is_gone();
    send_again();
}

/// Before what was not heard of this item, at a whole ms, so that both sides mean the same place.
void Downlink::stand_before(Items::const_iterator item, Instant now)
{
    farthest_sent_ = std::max(farthest_sent_, send_offset_);
    std::uint64_t place = send_offset_;
    if (item != items_.cend()) place = std::min(place, offset_at(*item, ms_at(*item, heard_offset(*item, now))));
    pacer_.on_cleared_at(pacer_.sent() - (send_offset_ - place) / audio::sample_bytes, now);
    send_offset_ = place;
}

void Downlink::on_client_lost(Instant now)
{
    if (client_lost_at_) return;
    settle(now);
    if (!stands_still()) stand_before(first_unheard(Belief::reported, now), now);
    client_lost_at_ = now;
}

Downlink::Again Downlink::on_client_back(const ClientPosition& position, Instant now)
{
    on_client_lost(now);  // its new connection may be noticed before the end of the old one
    place_client(position, now);
    skip_what_is_gone();
    const Instant lost_at = *std::exchange(client_lost_at_, std::nullopt);
    Again again = take_missed_events(position, lost_at);
    const std::uint64_t samples = send_offset_ < farthest_sent_ ? (farthest_sent_ - send_offset_) / audio::sample_bytes : 0;
    again.audio_ms = static_cast<std::int64_t>(samples * 1000 / audio::realtime_hz);
    if (!suspended_) send_again();
    return again;
}

void Downlink::place_client(const ClientPosition& position, Instant now)
{
    if (!position.item_id) return;
    Item* const item = find_played(*position.item_id, position.played_ms, farthest_sent_);
    if (!item) {
        // An earlier one, heard or cut off long ago: then nothing that came later has reached its loudspeaker.
        if (!items_.empty()) send_offset_ = std::min(send_offset_, items_.front().begin);
        return;
    }
    const std::int64_t sent_ms = ms_at(*item, std::min(farthest_sent_, end_of(*item)));
    const std::int64_t played_ms = std::clamp<std::int64_t>(position.played_ms, 0, sent_ms);
    const std::uint64_t place = offset_at(*item, played_ms);
    if (suspended_ && place >= send_offset_) return;  // the audio.clear that told it where it stands may have been lost
    send_offset_ = place;
    // One word at its return does not mean that it goes on reporting.
    if (item->reported_ms) note_report(*item, played_ms, now);
    report_earlier_than(*item, now);
}

/// The journal's, but for what leaves again by itself because it belongs to audio that does.
Downlink::Again Downlink::take_missed_events(const ClientPosition& position, Instant lost_at)
{
    Again again;
    auto missed = position.last_event_id ? journal_.take_behind(*position.last_event_id) : journal_.take_since(lost_at - on_its_way);
    const auto first_again = std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return leaves_again(item); });
    for (; !missed.entries.empty(); missed.entries.pop_back()) {
        Journal::Entry& entry = missed.entries.back();
        const auto item = std::find_if(first_again, items_.end(), [&](const Item& it) { return it.serial == entry.item; });
        if (item == items_.end() && !greets(entry.text)) {
            events_.push_first(std::move(entry.text));
            ++again.events;
        } else if (item != items_.end() && entry.text == item->done_event) {
            item->done_told = false;
            ++again.events;
        }
    }
    again.events_lost = missed.fallen_out + std::exchange(events_dropped_, 0);
    // Some room must be left, or the next event finds none before the client had a chance to read.
    const std::size_t events_max = settings_.events_max - settings_.events_max / 4;
    const std::size_t bytes_max = settings_.events_bytes_max - settings_.events_bytes_max / 4;
    for (; events_.size() > 1 && (events_.size() > events_max || events_.bytes() > bytes_max); ++again.events_lost) events_.take();
    return again;
}

/// Audio that is not kept any more cannot leave again. On at a whole ms, as audio.start says it.
void Downlink::skip_what_is_gone()
{
    if (send_offset_ >= ring_.consumed()) return;
    send_offset_ = ring_.consumed();
    for (const Item& item : items_) {
        if (send_offset_ < item.begin || send_offset_ >= end_of(item)) continue;
        const std::uint64_t whole_ms = offset_at(item, ms_at(item, send_offset_));
        if (whole_ms < send_offset_) send_offset_ = std::min(offset_at(item, ms_at(item, send_offset_) + 1), farthest_sent_);
    }
}

void Downlink::send_again()
{
    resampler_.reset();
    for (Item& item : items_)
        if (leaves_again(item)) item.phase = Phase::waiting;
    sending_ = std::find_if(items_.begin(), items_.end(), [](const Item& item) { return item.phase != Phase::passed; });
    items_to_send_ = static_cast<std::size_t>(std::distance(sending_, items_.end()));
}

}  // namespace repartee::conversation
