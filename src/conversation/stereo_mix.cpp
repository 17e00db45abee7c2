#include "repartee/conversation/stereo_mix.hpp"
#include "repartee/audio/pcm.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace repartee::conversation {
namespace {

constexpr std::uint64_t frames_of_ms(std::int64_t ms) { return static_cast<std::uint64_t>(ms) * audio::realtime_hz / 1000; }
std::uint64_t frames_of(milliseconds time) { return frames_of_ms(std::max<std::int64_t>(time.count(), 0)); }

constexpr std::uint64_t block_frames = audio::realtime_hz;
// Networks deliver unevenly: less of a gap than this is none.
constexpr std::uint64_t user_gap_frames = frames_of_ms(200);
// The loudspeaker's place is reckoned in steps: less than this is rounding.
constexpr std::uint64_t character_gap_frames = frames_of_ms(30);
// After a stall audio comes all at once, and the line would lag behind for good: beyond this its pauses are shortened until it has caught up.
constexpr std::uint64_t lag_frames_max = frames_of_ms(1'000);
constexpr std::uint64_t pause_frames_kept = frames_of_ms(300);
constexpr int quiet_sample_max = 328;  // -40 dB of full scale

bool is_quiet(std::span<const std::byte> pcm)
{
    for (std::size_t at = 0; at + audio::sample_bytes <= pcm.size(); at += audio::sample_bytes) {
        std::int16_t sample = 0;
        std::memcpy(&sample, pcm.data() + at, sizeof sample);
        if (std::abs(int{sample}) > quiet_sample_max) return false;
    }
    return true;
}

}  // namespace

StereoMix::StereoMix(StereoMixSettings settings, Instant began) : settings_(settings), began_(began) {}

std::uint64_t StereoMix::frame_of(Instant at) const
{
    const auto since = std::chrono::duration_cast<std::chrono::microseconds>(at - began_).count();
    return since <= 0 ? 0 : static_cast<std::uint64_t>(since) * audio::realtime_hz / 1'000'000;
}

void StereoMix::put(Voice& voice, std::uint64_t frame, std::span<const std::byte> pcm, std::uint64_t frame_max)
{
    std::size_t count = pcm.size() / audio::sample_bytes;
    const std::size_t room = frame < frame_max ? static_cast<std::size_t>(std::min<std::uint64_t>(frame_max - frame, count)) : 0;
    dropped_bytes_ += (count - room) * audio::sample_bytes;
    count = room;
    while (count > 0) {
        // Pieces end where blocks do, so a piece goes with its block.
        const bool goes_on = !voice.pieces.empty() && voice.pieces.back().end() == frame && frame % block_frames != 0;
        if (!goes_on) {
            voice.pieces.push_back({frame, {}});
            voice.pieces.back().samples.reserve(static_cast<std::size_t>(block_frames - frame % block_frames));
        }
        auto& samples = voice.pieces.back().samples;
        const std::size_t part = std::min(count, static_cast<std::size_t>(block_frames - frame % block_frames));
        const std::size_t before = samples.size();
        samples.resize(before + part);
        std::memcpy(samples.data() + before, pcm.data(), part * audio::sample_bytes);
        pcm = pcm.subspan(part * audio::sample_bytes);
        count -= part;
        frame += part;
        voice.end = frame;
    }
}

void StereoMix::on_user(std::span<const std::byte> pcm, Instant arrived)
{
    const std::uint64_t frames = pcm.size() / audio::sample_bytes;
    if (ended_at_ || frames == 0) return;
    const std::uint64_t now = frame_of(arrived);
    const std::uint64_t spoken_from = now > frames ? now - frames : 0;
    std::uint64_t frame = user_.end;
    if (spoken_from > frame + user_gap_frames) frame = spoken_from;
    frame = std::max(frame, taken_);

    quiet_frames_ = is_quiet(pcm) ? quiet_frames_ + frames : 0;
    if (frame > now + lag_frames_max && quiet_frames_ > pause_frames_kept + frames) return;
    put(user_, frame, pcm, now + frames_of(settings_.user_ahead_max));
}

void StereoMix::on_character(std::span<const std::byte> pcm, Instant plays_at, Instant now)
{
    if (ended_at_) return;
    std::uint64_t frame = character_.end;
    if (const std::uint64_t planned = frame_of(plays_at); planned > frame + character_gap_frames) frame = planned;
    put(character_, std::max(frame, taken_), pcm, frame_of(now) + frames_of(settings_.character_ahead_max));
}

void StereoMix::on_cut(Instant at)
{
    const std::uint64_t frame = std::max(frame_of(at), taken_);
    auto& pieces = character_.pieces;
    while (!pieces.empty() && pieces.back().frame >= frame) pieces.pop_back();
    if (!pieces.empty() && pieces.back().end() > frame) pieces.back().samples.resize(static_cast<std::size_t>(frame - pieces.back().frame));
    character_.end = std::min(character_.end, frame);
}

std::uint64_t StereoMix::end(Instant now)
{
    if (ended_at_) return *ended_at_;
    on_cut(now);
    ended_at_ = std::max({frame_of(now), user_.end, taken_});
    return *ended_at_;
}

std::uint64_t StereoMix::first_sound() const
{
    std::uint64_t first = UINT64_MAX;
    for (const Voice* voice : {&user_, &character_})
        if (!voice->pieces.empty()) first = std::min(first, voice->pieces.front().frame);
    return first;
}

void StereoMix::copy(Voice& voice, Block& block, std::size_t side)
{
    const std::uint64_t end = block.frame + block.samples.size() / 2;
    while (!voice.pieces.empty() && voice.pieces.front().frame < end) {
        const Piece& piece = voice.pieces.front();
        std::size_t to = static_cast<std::size_t>(piece.frame - block.frame) * 2 + side;
        for (const std::int16_t sample : piece.samples) {
            block.samples[to] = sample;
            to += 2;
        }
        voice.pieces.pop_front();
    }
}

std::optional<StereoMix::Block> StereoMix::take(Instant now)
{
    const std::uint64_t first = first_sound();
    if (first == UINT64_MAX) return std::nullopt;
    const std::uint64_t block_end = (first / block_frames + 1) * block_frames;
    const std::uint64_t settled = frame_of(now) - std::min(frame_of(now), frames_of(settings_.settled_after));
    if (!ended_at_ && settled < block_end) return std::nullopt;

    Block block;
    block.frame = first;
    std::uint64_t end = first;
    for (const Voice* voice : {&user_, &character_})
        for (const Piece& piece : voice->pieces)
            if (piece.frame < block_end) end = std::max(end, piece.end());
    block.samples.resize(static_cast<std::size_t>(end - first) * 2);
    copy(user_, block, 0);
    copy(character_, block, 1);
    taken_ = block_end;
    return block;
}

}  // namespace repartee::conversation
