#include "repartee/engine/utterances.hpp"

#include "realtime/audio_codec.hpp"
#include "realtime/input_buffer.hpp"
#include "realtime/turn_detector.hpp"

#include <algorithm>

namespace repartee::engine {
namespace {

constexpr std::uint64_t frame_samples = audio::VoiceDetector::frame_samples;
// Speech is known two frames after it began, and a third may be under way.
constexpr std::uint64_t detection_samples = 3 * frame_samples;
constexpr std::int64_t utterance_ms_min = 100;

std::uint64_t samples_of(std::int64_t ms) { return static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 0) * samples_per_ms); }

realtime::TurnDetection detection_of(const UtteranceSettings& settings)
{
    realtime::TurnDetection detection;
    detection.threshold = settings.threshold;
    detection.prefix_padding_ms = std::max<std::int64_t>(settings.prefix_padding_ms, 0);
    detection.silence_duration_ms = std::max<std::int64_t>(settings.silence_ms, 0);
    return detection;
}

}  // namespace

struct UtteranceCutter::State {
    explicit State(const UtteranceSettings& settings)
        : padding(samples_of(settings.prefix_padding_ms)), silence(samples_of(settings.silence_ms)),
          longest(samples_of(std::max(settings.utterance_ms_max, utterance_ms_min))), detector(detection_of(settings), 0),
          heard(static_cast<std::size_t>(padding + detection_samples + std::max(longest, padding) + frame_samples))
    {
    }

    void push_frame(std::span<const std::int16_t> samples, std::vector<Utterance>& out)
    {
        heard.append(samples);
        edges.clear();
        detector.process(samples, edges);
        for (const TurnEdge& edge : edges) {
            if (edge.kind == TurnEdge::Kind::started) {
                begin = std::max(edge.at_sample, heard.begin());
                goes_on = false;
            } else if (!goes_on || edge.at_sample > begin + silence) {
                emit(edge.at_sample, out);
            } else {
                heard.drop_before(edge.at_sample);  // cut at its greatest length, and nothing was said behind the cut
            }
        }
        if (!detector.speaking()) {
            const std::uint64_t kept = padding + detection_samples;
            heard.drop_before(heard.end() - std::min(heard.end(), kept));
        } else if (heard.end() - begin >= longest) {
            emit(heard.end(), out);
            begin = heard.end();
            goes_on = true;
        }
    }

    void emit(std::uint64_t end, std::vector<Utterance>& out)
    {
        if (end <= begin) return;
        Utterance utterance;
        utterance.samples = heard.take(begin, end);
        utterance.start_ms = static_cast<std::int64_t>(begin) / samples_per_ms;
        utterance.end_ms = static_cast<std::int64_t>(end) / samples_per_ms;
        out.push_back(std::move(utterance));
    }

    std::uint64_t padding, silence, longest;
    TurnDetector detector;
    InputBuffer heard;
    std::uint64_t begin = 0;  ///< of what is being said
    bool goes_on = false;     ///< it is the rest of a longer one
    std::vector<TurnEdge> edges;
};

UtteranceCutter::UtteranceCutter(UtteranceSettings settings) : state_(std::make_unique<State>(settings)) {}
UtteranceCutter::~UtteranceCutter() = default;
UtteranceCutter::UtteranceCutter(UtteranceCutter&&) noexcept = default;

void UtteranceCutter::push(std::span<const std::int16_t> samples, std::vector<Utterance>& out)
{
    // Frame by frame, so that what is held stays bounded however much comes at once.
    while (!samples.empty()) {
        const auto frame = samples.first(std::min<std::size_t>(samples.size(), frame_samples));
        state_->push_frame(frame, out);
        samples = samples.subspan(frame.size());
    }
}

void UtteranceCutter::flush(std::vector<Utterance>& out)
{
    if (state_->detector.speaking()) state_->emit(state_->heard.end(), out);
    state_->detector.forget_turn();
    state_->heard.clear();
}

bool UtteranceCutter::speaking() const { return state_->detector.speaking(); }

}  // namespace repartee::engine
