#include "repartee/conversation/downlink.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/audio/pcm.hpp"
#include "repartee/realtime/server_event.hpp"

#include <algorithm>
#include <cstring>

namespace repartee::conversation {
namespace {

constexpr std::size_t cut_items_kept = 16;
constexpr std::size_t frame_bytes_max = audio::bytes_of_ms(200, audio::realtime_hz);
// A client that stops reporting has long played the rest by then.
constexpr milliseconds report_grace{1'000};

std::int64_t ms_of_samples(std::uint64_t samples) { return static_cast<std::int64_t>(samples * 1000 / audio::realtime_hz); }

}  // namespace

Downlink::Downlink(const DownlinkSettings& settings)
    : settings_(settings),
      ring_(settings.capacity_bytes),
      resampler_(audio::realtime_hz, settings.output_hz),
      pacer_(audio::realtime_hz, settings.lead)
{
    // A frame longer than the lead could never leave.
    if (settings_.lead) settings_.frame = std::min(settings_.frame, *settings_.lead);
}

bool Downlink::push_event(std::string event)
{
    const bool too_many = events_.size() >= settings_.events_max;
    const bool too_much = !events_.empty() && events_bytes_ + event.size() > settings_.events_bytes_max;
    if (too_many || too_much) return false;
    events_bytes_ += event.size();
    events_.push_back(std::move(event));
    return true;
}

void Downlink::push_event_first(std::string event)
{
    events_bytes_ += event.size();
    events_.push_front(std::move(event));
}

Downlink::Item* Downlink::find(std::string_view item_id)
{
    const auto found = std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.item_id == item_id; });
    return found == items_.end() ? nullptr : &*found;
}

bool Downlink::was_cut(std::string_view item_id) const
{
    return std::find(cut_items_.begin(), cut_items_.end(), item_id) != cut_items_.end();
}

Result<void> Downlink::push_audio(const realtime::AudioDelta& delta)
{
    if (was_cut(delta.item_id)) return {};
    const std::size_t bytes_max = audio::base64_decoded_bytes_max(delta.audio_base64.size());
    if (ring_.free_space() < bytes_max)
        return Error{Code::too_large, "The upstream sent more reply audio than limits.downlink_buffer_ms allows."};

    const auto decoded = audio::base64_decode(delta.audio_base64, ring_.reserve(bytes_max).data());
    if (!decoded)
        return Error{Code::invalid_audio,
                     "The upstream's audio is not base64 at character " + std::to_string(decoded.error_at) + "; the piece was left out."};
    if (decoded.bytes == 0) return {};

    Item* item = find(delta.item_id);
    if (!item) {
        for (Item& earlier : items_)
            if (!earlier.ended) end_item(earlier.item_id, {});
        items_.push_back({std::string(delta.item_id), std::string(delta.response_id), delta.content_index});
        item = &items_.back();
        marks_.push_back({ring_.written(), Mark::Kind::start, item->item_id, {}});
    }
    item->received_bytes += decoded.bytes;
    ring_.commit(decoded.bytes);
    return {};
}

void Downlink::end_item(std::string_view item_id, std::string done_event)
{
    Item* item = find(item_id);
    if (!item || item->ended) {
        if (!done_event.empty()) push_event(std::move(done_event));
        return;
    }
    if (item->received_bytes % audio::sample_bytes != 0) {
        // Half a sample at the end would shift every later one.
        const std::byte zero{0};
        ring_.write({&zero, 1});
        ++item->received_bytes;
    }
    item->ended = true;
    marks_.push_back({ring_.written(), Mark::Kind::end, item->item_id, std::move(done_event)});
}

void Downlink::end_items_of(std::string_view response_id)
{
    for (Item& item : items_)
        if (!item.ended && (item.response_id == response_id || item.response_id.empty())) end_item(item.item_id, {});
}

void Downlink::on_playback(std::string_view item_id, std::int64_t played_ms, Instant now)
{
    Item* item = find(item_id);
    if (!item) return;
    item->reported_ms = played_ms;
    item->reported_at = now;
}

std::uint64_t Downlink::heard_samples(const Item& item, Instant now) const
{
    if (!item.started) return 0;
    if (item.reported_ms) return std::min<std::uint64_t>(audio::bytes_of_ms(*item.reported_ms, audio::realtime_hz) / audio::sample_bytes, item.sent_samples);
    const std::uint64_t position = pacer_.played(now);
    return position <= item.pacer_begin ? 0 : std::min(position - item.pacer_begin, item.sent_samples);
}

bool Downlink::heard_to_the_end(const Item& item, Instant now) const
{
    const std::uint64_t length = item.received_bytes / audio::sample_bytes;
    if (!item.ended || item.sent_samples < length) return false;
    if (ms_of_samples(heard_samples(item, now)) >= ms_of_samples(length)) return true;
    if (!item.reported_ms) return false;
    const milliseconds left{ms_of_samples(length) - *item.reported_ms};
    return now - item.reported_at > left + report_grace;
}

void Downlink::forget_heard(Instant now)
{
    while (!items_.empty() && heard_to_the_end(items_.front(), now)) items_.pop_front();
}

bool Downlink::is_speaking(Instant now) const
{
    return std::any_of(items_.begin(), items_.end(), [&](const Item& item) { return !heard_to_the_end(item, now); });
}

std::vector<Downlink::Cut> Downlink::interrupt(Instant now)
{
    forget_heard(now);
    std::vector<Cut> cuts;
    for (const Item& item : items_) {
        if (heard_to_the_end(item, now)) continue;
        cuts.push_back({item.item_id, item.content_index, ms_of_samples(heard_samples(item, now)), item.ended});
        cut_items_.push_back(item.item_id);
    }
    while (cut_items_.size() > cut_items_kept) cut_items_.pop_front();
    items_.clear();
    for (Mark& mark : marks_)
        if (!mark.event.empty()) push_event(std::move(mark.event));  // the client still learns that the item is over
    marks_.clear();
    ring_.consume(ring_.size());
    ring_.release_memory();
    resampler_.reset();
    pacer_.on_cleared(now);
    return cuts;
}

Downlink::Next Downlink::text(std::string event)
{
    current_text_ = std::move(event);
    return {Next::Kind::text, current_text_, {}, {}};
}

Downlink::Next Downlink::samples(std::size_t ring_bytes, Instant now)
{
    const auto parts = ring_.readable(ring_bytes);
    // At the client's rate already: sent from where it lies; what wraps makes a frame of its own.
    const bool in_place = resampler_.passes_through() && parts[0].size() % audio::sample_bytes == 0;
    if (in_place) ring_bytes = parts[0].size();
    const std::uint64_t count = ring_bytes / audio::sample_bytes;
    pacer_.on_sent(count, now);
    if (Item* item = find(sending_item_)) item->sent_samples += count;
    ring_.consume(ring_bytes);
    if (in_place) return {Next::Kind::binary, {}, parts[0], {}};

    in_.resize(count);
    auto* to = reinterpret_cast<std::byte*>(in_.data());
    std::memcpy(to, parts[0].data(), parts[0].size());
    if (!parts[1].empty()) std::memcpy(to + parts[0].size(), parts[1].data(), parts[1].size());
    out_.clear();
    resampler_.process(in_, out_);
    return {Next::Kind::binary, {}, std::as_bytes(std::span(out_)), {}};
}

std::optional<Downlink::Next> Downlink::pass_mark(Instant now)
{
    Mark& mark = marks_.front();
    Item* item = find(mark.item_id);
    if (mark.kind == Mark::Kind::start) {
        sending_item_ = std::move(mark.item_id);
        marks_.pop_front();
        if (!item) return std::nullopt;
        item->started = true;
        item->pacer_begin = pacer_.sent();
        return text(realtime::server_event("audio.start", {{"item_id", item->item_id},
                                                           {"response_id", item->response_id},
                                                           {"content_index", item->content_index},
                                                           {"output_rate", settings_.output_hz}}));
    }
    if (!mark.flushed) {
        mark.flushed = true;
        out_.clear();
        resampler_.flush(out_);
        resampler_.reset();
        if (!out_.empty()) return Next{Next::Kind::binary, {}, std::as_bytes(std::span(out_)), {}};
    }
    const std::int64_t audio_ms = item ? ms_of_samples(item->received_bytes / audio::sample_bytes) : 0;
    std::string done_event = std::move(mark.event);
    std::string end_event = realtime::server_event("audio.end", {{"item_id", mark.item_id}, {"audio_ms", audio_ms}});
    marks_.pop_front();
    forget_heard(now);
    if (!done_event.empty()) push_event_first(std::move(done_event));
    return text(std::move(end_event));
}

Downlink::Next Downlink::next(Instant now)
{
    if (!events_.empty()) {
        std::string event = std::move(events_.front());
        events_.pop_front();
        events_bytes_ -= event.size();
        return text(std::move(event));
    }
    std::size_t available = ring_.size();
    while (!marks_.empty()) {
        if (marks_.front().offset > ring_.consumed()) {
            available = std::min<std::uint64_t>(available, marks_.front().offset - ring_.consumed());
            break;
        }
        if (auto next = pass_mark(now)) return *next;
    }
    const std::uint64_t waiting = available / audio::sample_bytes;
    if (waiting == 0) {
        ring_.release_memory();
        return {};
    }
    const std::uint64_t wanted = std::min<std::uint64_t>(waiting, audio::bytes_of_ms(settings_.frame.count(), audio::realtime_hz) / audio::sample_bytes);
    const std::uint64_t allowed = pacer_.allowance(now);
    if (allowed < wanted) return {Next::Kind::nothing, {}, {}, pacer_.when_allowed(wanted, now)};
    const std::uint64_t count = std::min<std::uint64_t>({waiting, allowed, frame_bytes_max / audio::sample_bytes});
    return samples(static_cast<std::size_t>(count) * audio::sample_bytes, now);
}

}  // namespace repartee::conversation
