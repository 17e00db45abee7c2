#include "repartee/audio/wav.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <string_view>

namespace repartee::audio {
namespace {

constexpr std::size_t riff_header_bytes = 12;
constexpr std::size_t chunk_header_bytes = 8;
constexpr std::size_t fmt_bytes = 16;
constexpr std::size_t extensible_fmt_bytes = 40;
constexpr std::uint32_t tag_pcm = 1;
constexpr std::uint32_t tag_extensible = 0xFFFE;
constexpr std::uint32_t sample_rate_max_hz = 768'000;
constexpr std::uint32_t channels_max = 64;
constexpr std::uint32_t size_not_known = 0xFFFF'FFFF;

using Bytes = std::span<const std::byte>;

std::uint32_t u16(Bytes bytes, std::size_t at)
{
    return std::to_integer<std::uint32_t>(bytes[at]) | std::to_integer<std::uint32_t>(bytes[at + 1]) << 8;
}

std::uint32_t u32(Bytes bytes, std::size_t at) { return u16(bytes, at) | u16(bytes, at + 2) << 16; }

bool has_tag(Bytes bytes, std::size_t at, std::string_view tag)
{
    return bytes.size() >= at + tag.size() && std::memcmp(bytes.data() + at, tag.data(), tag.size()) == 0;
}

Error bad(std::string message) { return Error{Code::invalid_audio, std::move(message)}; }

Result<WavFormat> parse_fmt(Bytes fmt)
{
    if (fmt.size() < fmt_bytes) return bad("The WAV file's fmt chunk is cut short. Send a whole WAV file.");
    std::uint32_t tag = u16(fmt, 0);
    if (tag == tag_extensible && fmt.size() >= extensible_fmt_bytes) tag = u16(fmt, 24);  // the sub-format begins with the plain tag
    if (tag != tag_pcm)
        return bad("The WAV file's encoding (format tag " + std::to_string(tag) + ") is not PCM. Convert it to 16-bit PCM.");

    const std::uint32_t channels = u16(fmt, 2);
    const std::uint32_t sample_rate_hz = u32(fmt, 4);
    const std::uint32_t bits = u16(fmt, 14);
    if (bits != 16) return bad("The WAV file has " + std::to_string(bits) + " bits per sample. Convert it to 16-bit PCM.");
    if (channels == 0 || channels > channels_max)
        return bad("The WAV file says it has " + std::to_string(channels) + " channels. Send mono or stereo.");
    if (sample_rate_hz == 0 || sample_rate_hz > sample_rate_max_hz)
        return bad("The WAV file says its sample rate is " + std::to_string(sample_rate_hz) + " Hz. Send audio of 8000 to 48000 Hz.");

    WavFormat format;
    format.sample_rate_hz = static_cast<int>(sample_rate_hz);
    format.channels = static_cast<int>(channels);
    format.bits_per_sample = static_cast<int>(bits);
    return format;
}

}  // namespace

Result<WavFormat> parse_wav(std::span<const std::byte> file)
{
    if (!has_tag(file, 0, "RIFF") || !has_tag(file, 8, "WAVE"))
        return bad("This is not a WAV file: it does not begin with RIFF…WAVE. Send 16-bit PCM in a WAV file.");

    std::optional<WavFormat> format;
    std::size_t at = riff_header_bytes;
    while (file.size() - at >= chunk_header_bytes) {
        const std::size_t size = u32(file, at + 4);
        const std::size_t body = at + chunk_header_bytes;
        const std::size_t there = std::min(size, file.size() - body);
        if (has_tag(file, at, "fmt ") && !format) {
            Result<WavFormat> parsed = parse_fmt(file.subspan(body, there));
            if (!parsed) return parsed;
            format = *parsed;
        } else if (has_tag(file, at, "data")) {
            if (!format) return bad("The WAV file's samples come before its fmt chunk. Convert the file again.");
            const bool streamed = size == 0 || size == size_not_known;
            const std::size_t frame_bytes = static_cast<std::size_t>(format->channels) * 2;
            const std::size_t bytes = streamed ? file.size() - body : there;
            format->data_offset = body;
            format->data_bytes = bytes - bytes % frame_bytes;
            return *format;
        }
        const std::size_t padded = size + size % 2;
        if (padded > file.size() - body) break;
        at = body + padded;
    }
    return bad(format ? "The WAV file has no data chunk. Send a whole WAV file." : "The WAV file has no fmt chunk. Send a whole WAV file.");
}

std::string make_wav(std::span<const std::int16_t> samples, int sample_rate_hz)
{
    static_assert(std::endian::native == std::endian::little, "samples and header fields are copied as they are");
    const auto data_bytes = static_cast<std::uint32_t>(std::min<std::size_t>(samples.size_bytes(), 0xFFFF'FF00));  // a WAV ends at 4 GiB

    std::string file;
    file.reserve(riff_header_bytes + chunk_header_bytes * 2 + fmt_bytes + data_bytes);
    const auto put = [&file](auto value) { file.append(reinterpret_cast<const char*>(&value), sizeof value); };
    file += "RIFF";
    put(static_cast<std::uint32_t>(4 + chunk_header_bytes + fmt_bytes + chunk_header_bytes + data_bytes));
    file += "WAVEfmt ";
    put(static_cast<std::uint32_t>(fmt_bytes));
    put(static_cast<std::uint16_t>(tag_pcm));
    put(std::uint16_t{1});
    put(static_cast<std::uint32_t>(sample_rate_hz));
    put(static_cast<std::uint32_t>(sample_rate_hz * 2));
    put(std::uint16_t{2});
    put(std::uint16_t{16});
    file += "data";
    put(data_bytes);
    file.append(reinterpret_cast<const char*>(samples.data()), data_bytes);
    return file;
}

}  // namespace repartee::audio
