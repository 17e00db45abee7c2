// What leaves next.
#include "repartee/audio/pcm.hpp"
#include "repartee/conversation/downlink.hpp"
#include "repartee/realtime/server_event.hpp"

#include <algorithm>
#include <cstring>

namespace repartee::conversation {
namespace {

constexpr std::size_t frame_bytes_max = audio::bytes_of_ms(200, audio::realtime_hz);

}  // namespace

Downlink::Next Downlink::next(Instant now)
{
    if (!stands_still() && sending_ != items_.end() && sending_->phase == Phase::end_told) return done_of_item(now);
    if (!events_.empty()) return text(events_.take().text, now);
    if (stands_still()) return {};
    let_go_of_heard(now);
    if (auto border = pass_borders(now)) return *border;

    const std::uint64_t waiting = sending_ == items_.end() ? 0 : (end_of(*sending_) - send_offset_) / audio::sample_bytes;
    if (waiting == 0) {
        ring_.release_memory();
        return {};
    }
    const std::uint64_t frame = audio::bytes_of_ms(settings_.frame.count(), audio::realtime_hz) / audio::sample_bytes;
    const std::uint64_t wanted = std::min(waiting, frame);
    const std::uint64_t allowed = pacer_.allowance(now);
    if (allowed < wanted) return {Next::Kind::nothing, {}, {}, pacer_.when_allowed(wanted, now)};
    const std::uint64_t count = std::min<std::uint64_t>({waiting, allowed, frame_bytes_max / audio::sample_bytes});
    return samples(static_cast<std::size_t>(count) * audio::sample_bytes, now);
}

/// The beginnings and ends of items that lie at the sender's place.
std::optional<Downlink::Next> Downlink::pass_borders(Instant now)
{
    while (sending_ != items_.end()) {
        if (sending_->phase == Phase::waiting) return begin_item(now);
        if (leaves_again(*sending_)) return std::nullopt;
        if (sending_->phase == Phase::flushed) return end_of_item(now);
        if (auto rest = rest_of_filter()) return rest;
    }
    return std::nullopt;
}

Downlink::Next Downlink::begin_item(Instant now)
{
    Item& item = *sending_;
    json::object members{{"item_id", item.item_id},
                         {"response_id", item.response_id},
                         {"content_index", item.content_index},
                         {"output_rate", settings_.output_hz}};
    const std::int64_t offset_ms = ms_at(item, send_offset_);
    if (item.announced || offset_ms > 0) members["offset_ms"] = offset_ms;
    item.phase = Phase::begun;
    item.announced = true;
    item.reported_at = now;  // until its loudspeaker has begun again, the client has nothing to report
    return text(realtime::server_event("audio.start", std::move(members)), now, item.serial);
}

std::optional<Downlink::Next> Downlink::rest_of_filter()
{
    sending_->phase = Phase::flushed;
    out_.clear();
    resampler_.flush(out_);
    resampler_.reset();
    if (out_.empty()) return std::nullopt;
    return Next{Next::Kind::binary, {}, std::as_bytes(std::span(out_)), {}, {}, pacer_.time_of(pacer_.sent())};
}

std::string Downlink::end_event(const Item& item) const
{
    return realtime::server_event("audio.end", {{"item_id", item.item_id}, {"audio_ms", ms_of(item)}});
}

Downlink::Next Downlink::end_of_item(Instant now)
{
    const Item& item = *sending_;
    std::string event = end_event(item);
    const std::uint64_t serial = item.serial;
    sending_->ends_at = pacer_.time_of(pacer_.sent());
    if (item.done_told || item.done_event.empty())
        leave_item();
    else
        sending_->phase = Phase::end_told;
    return text(std::move(event), now, serial);
}

Downlink::Next Downlink::done_of_item(Instant now)
{
    sending_->done_told = true;
    std::string event = sending_->done_event;  // kept: it belongs behind the audio, which may leave again
    const std::uint64_t serial = sending_->serial;
    leave_item();
    return text(std::move(event), now, serial);
}

void Downlink::leave_item()
{
    sending_->phase = Phase::passed;
    ++sending_;
    --items_to_send_;
}

Downlink::Next Downlink::text(std::string event, Instant now, std::uint64_t item)
{
    if (journal_.is_kept()) return {Next::Kind::text, journal_.add(std::move(event), now, item), {}, {}};
    current_text_ = std::move(event);
    return {Next::Kind::text, current_text_, {}, {}};
}

Downlink::Next Downlink::samples(std::size_t ring_bytes, Instant now)
{
    auto parts = ring_.readable_at(send_offset_, ring_bytes);
    // At the client's rate already: sent from where it lies; what wraps makes a frame of its own.
    const bool in_place = resampler_.passes_through() && parts[0].size() % audio::sample_bytes == 0;
    if (in_place) {
        ring_bytes = parts[0].size();
        parts[1] = {};
    }
    const std::uint64_t count = ring_bytes / audio::sample_bytes;
    const std::uint64_t place = pacer_.sent();
    pacer_.on_sent(count, now);
    const Instant plays_at = pacer_.time_of(place);
    send_offset_ += ring_bytes;
    if (in_place) return {Next::Kind::binary, {}, parts[0], {}, parts, plays_at};

    in_.resize(count);
    auto* to = reinterpret_cast<std::byte*>(in_.data());
    std::memcpy(to, parts[0].data(), parts[0].size());
    if (!parts[1].empty()) std::memcpy(to + parts[0].size(), parts[1].data(), parts[1].size());
    out_.clear();
    resampler_.process(in_, out_);
    return {Next::Kind::binary, {}, std::as_bytes(std::span(out_)), {}, parts, plays_at};
}

}  // namespace repartee::conversation
