#pragma once
#include "repartee/audio/resampler.hpp"
#include "repartee/realtime/session_config.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

/// Between the formats of the wire (24 kHz PCM, G.711) and the engine's own 24 kHz samples.
namespace repartee::engine {

inline constexpr std::int64_t samples_per_ms = 24;

/// One incoming stream. A sample cut in two by the end of a chunk is completed by the next chunk.
class InputDecoder {
public:
    explicit InputDecoder(realtime::AudioFormat format);

    /// Appends 24 kHz samples to `out`.
    void decode(std::span<const std::byte> chunk, std::vector<std::int16_t>& out);
    /// Appends what the rate converter still holds: for the end of a stream.
    void finish(std::vector<std::int16_t>& out);

private:
    void decode_pcm(std::span<const std::byte> chunk, std::vector<std::int16_t>& out);
    void decode_g711(std::span<const std::byte> chunk, std::vector<std::int16_t>& out);

    realtime::AudioFormat format_;
    std::optional<std::byte> half_sample_;
    std::optional<audio::Resampler> to_24khz_;
    std::vector<std::int16_t> at_8khz_;
};

/// One outgoing stream.
class OutputEncoder {
public:
    explicit OutputEncoder(realtime::AudioFormat format);

    /// Appends bytes in the format to `out`.
    void encode(std::span<const std::int16_t> samples, std::vector<std::byte>& out);
    void finish(std::vector<std::byte>& out);
    /// 250 ms: an event of about 16 kB of JSON with PCM, as the service sizes them.
    std::size_t delta_bytes_max() const;

private:
    void append_g711(std::vector<std::byte>& out);

    realtime::AudioFormat format_;
    std::optional<audio::Resampler> to_8khz_;
    std::vector<std::int16_t> at_8khz_;
};

/// A whole recording at once.
std::vector<std::byte> encode_recording(std::span<const std::int16_t> samples, realtime::AudioFormat format);
std::vector<std::int16_t> decode_recording(std::span<const std::byte> bytes, realtime::AudioFormat format);

}  // namespace repartee::engine
