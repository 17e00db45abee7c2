#include "repartee/audio/mp3.hpp"

#include "lame_encoder.hpp"

namespace repartee::audio {

Result<std::string> encode_mp3(std::span<const std::int16_t> samples, int sample_rate_hz, int bitrate_kbps)
{
    auto encoder = LameEncoder::create(sample_rate_hz, bitrate_kbps, LameEncoder::Output::file);
    if (!encoder) return encoder.error();
    std::string mp3;
    if (const auto encoded = encoder->encode(samples, mp3); !encoded) return encoded.error();
    if (const auto flushed = encoder->flush(mp3); !flushed) return flushed.error();
    // Only now are the length and the padding known that it tells.
    if (const auto put = encoder->put_info(mp3); !put) return put.error();
    return mp3;
}

}  // namespace repartee::audio
