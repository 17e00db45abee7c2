#pragma once
#include "repartee/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace repartee::audio {

struct WavFormat {
    int sample_rate_hz = 0;
    int channels = 0;
    int bits_per_sample = 0;
    std::size_t data_offset = 0;  ///< where samples begin
    std::size_t data_bytes = 0;   ///< clamped to what is there; streamed files say 0 or 0xFFFFFFFF: then all that follows
};

/// Reads the header of a RIFF/WAVE file, PCM16 only; skips unknown chunks. Code::invalid_audio names what is wrong.
Result<WavFormat> parse_wav(std::span<const std::byte> file);

/// A whole PCM16 mono WAV file as bytes.
std::string make_wav(std::span<const std::int16_t> samples, int sample_rate_hz);

}  // namespace repartee::audio
