#include "turn_detector.hpp"

#include "audio_codec.hpp"

#include <algorithm>

namespace repartee::engine {
namespace {

constexpr int speech_frames_to_start = 2;
constexpr std::int64_t semantic_padding_ms = 300;
constexpr double semantic_threshold = 0.5;

std::int64_t semantic_silence_ms(std::string_view eagerness)
{
    if (eagerness == "low") return 1200;
    if (eagerness == "high") return 500;
    return 800;
}

}  // namespace

TurnDetector::TurnDetector(const realtime::TurnDetection& settings, std::uint64_t at_sample) : frame_begin_(at_sample)
{
    frame_.reserve(audio::VoiceDetector::frame_samples);
    configure(settings);
}

void TurnDetector::configure(const realtime::TurnDetection& settings)
{
    const bool semantic = settings.type == realtime::TurnDetection::Type::semantic_vad;
    threshold_ = semantic ? semantic_threshold : settings.threshold;
    padding_samples_ = static_cast<std::uint64_t>((semantic ? semantic_padding_ms : settings.prefix_padding_ms) * samples_per_ms);
    silence_ms_max_ = semantic ? semantic_silence_ms(settings.eagerness) : settings.silence_duration_ms;
}

void TurnDetector::forget_turn()
{
    speaking_ = false;
    speech_frames_ = 0;
    silence_ms_ = 0;
}

void TurnDetector::process(std::span<const std::int16_t> samples, std::vector<TurnEdge>& edges)
{
    while (!samples.empty()) {
        const std::size_t n = std::min(samples.size(), audio::VoiceDetector::frame_samples - frame_.size());
        frame_.insert(frame_.end(), samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(n));
        samples = samples.subspan(n);
        if (frame_.size() < audio::VoiceDetector::frame_samples) return;
        process_frame(edges);
        frame_begin_ += frame_.size();
        frame_.clear();
    }
}

void TurnDetector::process_frame(std::vector<TurnEdge>& edges)
{
    const bool speech = voice_.process(frame_) >= threshold_;
    speech_frames_ = speech ? speech_frames_ + 1 : 0;
    const std::uint64_t frame_end = frame_begin_ + frame_.size();

    if (!speaking_) {
        if (speech_frames_ < speech_frames_to_start) return;
        speaking_ = true;
        silence_ms_ = 0;
        const std::uint64_t speech_begin = frame_end - speech_frames_to_start * audio::VoiceDetector::frame_samples;
        edges.push_back({TurnEdge::Kind::started, speech_begin - std::min(speech_begin, padding_samples_)});
        return;
    }

    silence_ms_ = speech ? 0 : silence_ms_ + audio::VoiceDetector::frame_ms;
    if (speech || silence_ms_ < silence_ms_max_) return;
    forget_turn();
    edges.push_back({TurnEdge::Kind::stopped, frame_end});
}

}  // namespace repartee::engine
