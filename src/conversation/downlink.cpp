#include "repartee/conversation/downlink.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/audio/pcm.hpp"

#include <algorithm>

namespace repartee::conversation {

Downlink::Downlink(const DownlinkSettings& settings)
    : settings_(settings),
      keeps_unheard_(settings.suspends || settings.resume.events_max > 0),
      ring_(settings.capacity_bytes),
      resampler_(audio::realtime_hz, settings.output_hz),
      pacer_(audio::realtime_hz, settings.lead),
      events_(settings.events_max, settings.events_bytes_max),
      journal_(settings.resume.events_max, settings.resume.events_bytes_max),
      sending_(items_.end())
{
    // A frame longer than the lead could never leave.
    if (settings_.lead) settings_.frame = std::min(settings_.frame, *settings_.lead);
}

bool Downlink::push_event(std::string event)
{
    if (!client_lost_at_) return events_.push(std::move(event));
    events_dropped_ += events_.push_newest({std::move(event)});
    return true;
}

void Downlink::push_event_first(std::string event)
{
    // While the client is away nobody takes anything out: this must not grow either.
    if (client_lost_at_ && events_.size() >= settings_.events_max)
        push_event(std::move(event));
    else
        events_.push_first(std::move(event));
}

/// The newest stretch of it.
const Downlink::Item* Downlink::find(std::string_view item_id) const
{
    const auto found = std::find_if(items_.rbegin(), items_.rend(), [&](const Item& item) { return item.item_id == item_id; });
    return found == items_.rend() ? nullptr : &*found;
}

bool Downlink::was_cut(std::string_view item_id) const
{
    return std::find(cut_items_.begin(), cut_items_.end(), item_id) != cut_items_.end();
}

bool Downlink::has_unsent() const
{
    if (!events_.empty()) return true;
    if (stands_still() && send_offset_ < ring_.written()) return true;
    return sending_ != items_.end() && (sending_->phase != Phase::begun || sending_->ended || send_offset_ < ring_.written());
}

/// Audio that left and is kept takes no room: it makes way.
std::size_t Downlink::room_bytes() const
{
    return ring_.capacity() - static_cast<std::size_t>(ring_.written() - std::max(send_offset_, ring_.consumed()));
}

void Downlink::make_room(std::size_t bytes)
{
    if (ring_.free_space() >= bytes) return;
    const std::size_t whole_samples = (bytes - ring_.free_space() + 1) / audio::sample_bytes * audio::sample_bytes;
    const std::uint64_t kept = send_offset_ > ring_.consumed() ? send_offset_ - ring_.consumed() : 0;
    ring_.consume(static_cast<std::size_t>(std::min<std::uint64_t>(whole_samples, kept)));
}

Result<void> Downlink::push_audio(const realtime::AudioDelta& delta)
{
    if (was_cut(delta.item_id)) return {};
    const bool goes_on = !items_.empty() && !items_.back().ended && items_.back().item_id == delta.item_id;
    if (!goes_on && !items_.empty()) end_item(items_.back().item_id, {});

    const std::size_t bytes_max = audio::base64_decoded_bytes_max(delta.audio_base64.size());
    if (room_bytes() < bytes_max)
        return Error{Code::too_large, "The upstream sent more reply audio than limits.downlink_buffer_ms allows."};
    make_room(bytes_max);
    const auto decoded = audio::base64_decode(delta.audio_base64, ring_.reserve(bytes_max).data());
    if (!decoded)
        return Error{Code::invalid_audio,
                     "The upstream's audio is not base64 at character " + std::to_string(decoded.error_at) + "; the piece was left out."};
    if (decoded.bytes == 0) return {};

    if (!goes_on) add_item(delta);
    ring_.commit(decoded.bytes);
    return {};
}

void Downlink::add_item(const realtime::AudioDelta& delta)
{
    Item item{++serials_, std::string(delta.item_id), std::string(delta.response_id), delta.content_index};
    item.begin = ring_.written();
    if (const Item* earlier = find(delta.item_id); earlier && earlier->content_index == delta.content_index)
        item.earlier_samples = earlier->earlier_samples + (earlier->end - earlier->begin) / audio::sample_bytes;
    items_.push_back(std::move(item));
    if (sending_ == items_.end()) --sending_;
    ++items_to_send_;
}

void Downlink::end_item(std::string_view item_id, std::string done_event)
{
    Item* item = find(item_id);
    const bool is_over = !item || item->phase == Phase::passed || (item->ended && !item->done_event.empty());
    if (is_over) {
        if (!done_event.empty()) push_event(std::move(done_event));
        return;
    }
    item->done_event = std::move(done_event);
    if (item->ended) return;
    if ((ring_.written() - item->begin) % audio::sample_bytes != 0) {
        // Half a sample at the end would shift every later one. Whole ones leave, so there is always room for the other half.
        const std::byte zero{0};
        ring_.write({&zero, 1});
    }
    item->end = ring_.written();
    item->ended = true;
}

void Downlink::end_items_of(std::string_view response_id)
{
    if (items_.empty() || items_.back().ended) return;
    const Item& open = items_.back();
    if (open.response_id == response_id || open.response_id.empty()) end_item(open.item_id, {});
}

std::vector<std::string> Downlink::drop_waiting(std::string_view response_id)
{
    std::vector<std::string> dropped;
    // Announced: it is to be sent again, and part of it has been let go.
    const auto is_untouched = [&](const Item& item) { return item.response_id == response_id && item.phase == Phase::waiting && !item.announced; };
    while (!items_.empty() && is_untouched(items_.back())) {
        Item& item = items_.back();
        ring_.take_back(static_cast<std::size_t>(ring_.written() - item.begin));
        if (!item.done_event.empty()) push_event(std::move(item.done_event));  // the client still learns that the item is over
        cut_items_.push_back(item.item_id);
        dropped.push_back(std::move(item.item_id));
        if (sending_ == std::prev(items_.end())) sending_ = items_.end();
        items_.pop_back();
        --items_to_send_;
    }
    while (cut_items_.size() > cut_items_kept) cut_items_.pop_front();
    return dropped;
}

std::int64_t Downlink::received_ms(std::string_view item_id) const
{
    const Item* item = find(item_id);
    return item ? ms_of(*item) : 0;
}

std::vector<std::string> Downlink::unfinished_items() const
{
    if (items_.empty() || items_.back().ended) return {};
    return {items_.back().item_id};
}

}  // namespace repartee::conversation
