#include "user_audio.hpp"

#include <algorithm>

namespace repartee::engine {
namespace {

// Longer than any padding, and enough that a client may still commit by hand what the detector did not take for speech.
constexpr std::int64_t quiet_ms_kept_min = 12'000;
constexpr std::int64_t quiet_margin_ms = 1'000;

}  // namespace

UserAudio::UserAudio(const realtime::SessionConfig& session, std::size_t samples_max)
    : format_(session.input_format), decoder_(session.input_format), buffer_(samples_max)
{
    configure(session);
}

void UserAudio::configure(const realtime::SessionConfig& session)
{
    if (session.input_format != format_) {
        format_ = session.input_format;
        decoder_ = InputDecoder(format_);
    }
    const realtime::TurnDetection& turns = session.turn_detection;
    if (turns.type == realtime::TurnDetection::Type::none) return detector_.reset();
    if (detector_) detector_->configure(turns);
    else detector_.emplace(turns, buffer_.end());
    const std::int64_t quiet_ms = std::max(turns.prefix_padding_ms, turns.idle_timeout_ms.value_or(0)) + quiet_margin_ms;
    quiet_samples_kept_ = static_cast<std::uint64_t>(std::max(quiet_ms, quiet_ms_kept_min) * samples_per_ms);
}

void UserAudio::append(std::span<const std::byte> chunk, std::vector<TurnEdge>& edges)
{
    decoded_.clear();
    decoder_.decode(chunk, decoded_);
    buffer_.append(decoded_);
    if (detector_) detector_->process(decoded_, edges);
}

void UserAudio::drop_old_quiet()
{
    if (!detector_ || detector_->speaking() || buffer_.size() <= quiet_samples_kept_) return;
    buffer_.drop_before(buffer_.end() - quiet_samples_kept_);
}

void UserAudio::forget_turn()
{
    if (detector_) detector_->forget_turn();
}

}  // namespace repartee::engine
