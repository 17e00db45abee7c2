#include "audio_codec.hpp"

#include "g711.hpp"
#include "repartee/audio/pcm.hpp"

namespace repartee::engine {
namespace {

using Type = realtime::AudioFormat::Type;

constexpr int g711_hz = 8'000;
constexpr std::size_t delta_ms = 250;

std::int16_t little_endian_sample(std::byte low, std::byte high)
{
    return static_cast<std::int16_t>(std::to_integer<unsigned>(low) | std::to_integer<unsigned>(high) << 8);
}

}  // namespace

InputDecoder::InputDecoder(realtime::AudioFormat format) : format_(format)
{
    if (format_.type != Type::pcm) to_24khz_.emplace(g711_hz, audio::realtime_hz);
}

void InputDecoder::decode(std::span<const std::byte> chunk, std::vector<std::int16_t>& out)
{
    if (format_.type == Type::pcm) return decode_pcm(chunk, out);
    decode_g711(chunk, out);
}

void InputDecoder::decode_pcm(std::span<const std::byte> chunk, std::vector<std::int16_t>& out)
{
    if (chunk.empty()) return;
    out.reserve(out.size() + (chunk.size() + 1) / 2);
    if (half_sample_) {
        out.push_back(little_endian_sample(*half_sample_, chunk.front()));
        half_sample_.reset();
        chunk = chunk.subspan(1);
    }
    for (; chunk.size() >= 2; chunk = chunk.subspan(2))
        out.push_back(little_endian_sample(chunk[0], chunk[1]));
    if (!chunk.empty()) half_sample_ = chunk.front();
}

void InputDecoder::decode_g711(std::span<const std::byte> chunk, std::vector<std::int16_t>& out)
{
    const auto decode_one = format_.type == Type::pcmu ? decode_mulaw : decode_alaw;
    at_8khz_.clear();
    at_8khz_.reserve(chunk.size());
    for (const std::byte code : chunk)
        at_8khz_.push_back(decode_one(std::to_integer<std::uint8_t>(code)));
    to_24khz_->process(at_8khz_, out);
}

void InputDecoder::finish(std::vector<std::int16_t>& out)
{
    half_sample_.reset();
    if (to_24khz_) to_24khz_->flush(out);
}

OutputEncoder::OutputEncoder(realtime::AudioFormat format) : format_(format)
{
    if (format_.type != Type::pcm) to_8khz_.emplace(audio::realtime_hz, g711_hz);
}

std::size_t OutputEncoder::delta_bytes_max() const
{
    return format_.type == Type::pcm ? audio::bytes_of_ms(delta_ms, audio::realtime_hz) : delta_ms * g711_hz / 1000;
}

void OutputEncoder::encode(std::span<const std::int16_t> samples, std::vector<std::byte>& out)
{
    if (!to_8khz_) {
        out.reserve(out.size() + samples.size() * audio::sample_bytes);
        for (const std::int16_t sample : samples) {
            const auto bits = static_cast<std::uint16_t>(sample);
            out.push_back(static_cast<std::byte>(bits & 0xFF));
            out.push_back(static_cast<std::byte>(bits >> 8));
        }
        return;
    }
    at_8khz_.clear();
    to_8khz_->process(samples, at_8khz_);
    append_g711(out);
}

void OutputEncoder::finish(std::vector<std::byte>& out)
{
    if (!to_8khz_) return;
    at_8khz_.clear();
    to_8khz_->flush(at_8khz_);
    append_g711(out);
}

void OutputEncoder::append_g711(std::vector<std::byte>& out)
{
    const auto encode_one = format_.type == Type::pcmu ? encode_mulaw : encode_alaw;
    for (const std::int16_t sample : at_8khz_)
        out.push_back(static_cast<std::byte>(encode_one(sample)));
}

std::vector<std::byte> encode_recording(std::span<const std::int16_t> samples, realtime::AudioFormat format)
{
    OutputEncoder encoder(format);
    std::vector<std::byte> bytes;
    encoder.encode(samples, bytes);
    encoder.finish(bytes);
    return bytes;
}

std::vector<std::int16_t> decode_recording(std::span<const std::byte> bytes, realtime::AudioFormat format)
{
    InputDecoder decoder(format);
    std::vector<std::int16_t> samples;
    decoder.decode(bytes, samples);
    decoder.finish(samples);
    return samples;
}

}  // namespace repartee::engine
