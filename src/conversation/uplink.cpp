#include "repartee/conversation/uplink.hpp"

#include "repartee/audio/pcm.hpp"

#include <algorithm>
#include <cstring>

namespace repartee::conversation {
namespace {

// 1 s of audio an event: after a stall the backlog leaves in a few events instead of one that some server refuses.
constexpr std::size_t append_pcm_bytes_max = audio::bytes_of_ms(1000, audio::realtime_hz);

constexpr std::size_t kept_event_bytes_max = 1'024;

}  // namespace

Uplink::Uplink(int input_hz, std::size_t capacity_bytes, std::size_t events_max, std::size_t events_bytes_max)
    : ring_(capacity_bytes), resampler_(input_hz, audio::realtime_hz), events_max_(events_max), events_bytes_max_(events_bytes_max)
{
}

bool Uplink::push_audio(std::span<const std::byte> pcm)
{
    if (resampler_.passes_through()) return ring_.write(pcm);
    in_.resize(pcm.size() / audio::sample_bytes);
    std::memcpy(in_.data(), pcm.data(), in_.size() * audio::sample_bytes);
    out_.clear();
    resampler_.process(in_, out_);
    return ring_.write(std::as_bytes(std::span(out_)));
}

bool Uplink::push_event(std::string event)
{
    const bool too_much = !pinned_.empty() && pinned_bytes_ + event.size() > events_bytes_max_;
    if (pinned_.size() >= events_max_ || too_much) return false;
    pinned_bytes_ += event.size();
    pinned_.push_back({ring_.written(), std::move(event)});
    return true;
}

bool Uplink::push_urgent(std::string event)
{
    const bool too_much = !urgent_.empty() && urgent_bytes_ + event.size() > events_bytes_max_;
    if (urgent_.size() >= events_max_ || too_much) return false;
    urgent_bytes_ += event.size();
    urgent_.push_back(std::move(event));
    return true;
}

void Uplink::end_turn()
{
    if (resampler_.passes_through()) return;
    out_.clear();
    resampler_.flush(out_);
    ring_.write(std::as_bytes(std::span(out_)));
    resampler_.reset();
}

void Uplink::drop_audio()
{
    if (pinned_.empty()) ring_.consume(ring_.size());
    resampler_.reset();
}

bool Uplink::has_room() const
{
    // Twice the length: the resampler may let go of what it held back.
    return ring_.free_space() >= audio::bytes_of_ms(2 * piece_ms_max, audio::realtime_hz);
}

Uplink::Next Uplink::next()
{
    if (!urgent_.empty()) {
        current_ = std::move(urgent_.front());
        urgent_.pop_front();
        urgent_bytes_ -= current_.size();
        return {Next::Kind::event, current_};
    }
    if (held_) return {};
    std::size_t sendable = ring_.size();
    if (!pinned_.empty()) {
        // drop_audio() may have moved past the place where an event was pinned.
        const std::uint64_t position = ring_.consumed();
        const std::uint64_t offset = std::max(pinned_.front().offset, position);
        if (offset == position) {
            current_ = std::move(pinned_.front().text);
            pinned_.pop_front();
            pinned_bytes_ -= current_.size();
            return {Next::Kind::event, current_};
        }
        sendable = std::min<std::uint64_t>(sendable, offset - position);
    }
    if (sendable == 0) {
        ring_.release_memory();
        return {};
    }
    sendable = std::min(sendable, append_pcm_bytes_max);
    // The session's first event carries the whole persona: that memory is not kept for the length of a conversation.
    if (current_.capacity() > kept_event_bytes_max) std::string().swap(current_);
    const auto parts = ring_.readable(sendable);
    ring_.consume(sendable);
    return {Next::Kind::audio, {}, parts};
}

}  // namespace repartee::conversation
