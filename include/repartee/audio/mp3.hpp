#pragma once
#include "repartee/base/error.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace repartee::audio {

/// Encodes PCM16 mono as MP3 (libmp3lame, constant bit rate, with an Info header so that players know the length).
/// Rates: 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100 or 48000 Hz.
Result<std::string> encode_mp3(std::span<const std::int16_t> samples, int sample_rate_hz, int bitrate_kbps = 64);

}  // namespace repartee::audio
