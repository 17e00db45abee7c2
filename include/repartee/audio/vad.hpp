#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace repartee::audio {

/// How likely is a person speaking? Energy above an adaptive noise floor, with a zero-crossing and low-band check against hum and hiss.
/// Pure and deterministic; works on 24 kHz PCM16, 20 ms frames (480 samples).
///
/// Sound that begins is speech until it proves to be steady: hiss and pure tones within 0.7 s, anything else within 2.6 s. Speech itself is
/// never so steady, so the floor stays below it however long it lasts. At the start of a stream, when the floor is not yet known, only
/// sound with a pitch is speech: the noise of a room that a microphone opens to is not.
class VoiceDetector {
public:
    static constexpr std::size_t frame_samples = 480;
    static constexpr int frame_ms = 20;

    /// Probability of speech, 0…1, of one frame of exactly frame_samples. Silence < 0.1; clear speech > 0.9.
    float process(std::span<const std::int16_t> frame);
    void reset();

private:
    static constexpr std::size_t history_frames = 128;
    static constexpr std::size_t decimation = 4;
    static constexpr std::size_t pitch_samples = frame_samples / decimation;

    struct Biquad {
        float z1 = 0, z2 = 0;
    };
    struct Frame {
        float level_db;         ///< without what lies below the voice
        float whole_level_db;
        float crossings;        ///< zero crossings per sample
    };
    Frame measure(std::span<const std::int16_t> samples);
    void remember(const Frame& frame);
    bool is_voiced() const;
    void adapt_floor(float level_db);
    struct Spread {
        float mean_db, deviation_db;
    };
    Spread spread_of_last(std::size_t frames) const;

    std::array<Biquad, 2> high_pass_{};
    bool last_was_negative_ = false;
    std::array<float, 2 * pitch_samples> decimated_{};  ///< the last two frames at 6 kHz
    std::size_t frames_heard_ = 0;                      ///< of any sound at all
    std::size_t voiced_until_ = 0;                      ///< in frames_seen_
    std::array<float, history_frames> levels_db_{};
    std::size_t frames_seen_ = 0;
    float crossings_ = 0.0F;  ///< averaged over some frames
    float noise_floor_db_ = -66.0F;
    float smoothed_ = 0.0F;
};

}  // namespace repartee::audio
