#include "lame_encoder.hpp"

#include <algorithm>
#include <cstdarg>

namespace repartee::audio {
namespace {

constexpr int rates_hz[] = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000};
constexpr std::size_t held_back_bytes_max = 7200;  // lame.h: what the library may still have of earlier calls

/// What the MPEG version of a rate knows: 2.5 below 16 kHz, 2 below 32 kHz, 1 above.
std::span<const int> bitrates_kbps(int sample_rate_hz)
{
    static constexpr int mpeg1[] = {32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320};
    static constexpr int mpeg2[] = {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160};
    static constexpr int mpeg2_5[] = {8, 16, 24, 32, 40, 48, 56, 64};
    if (sample_rate_hz >= 32000) return mpeg1;
    if (sample_rate_hz >= 16000) return mpeg2;
    return mpeg2_5;
}

std::string listed(std::span<const int> values)
{
    std::string list;
    for (int value : values) list += (list.empty() ? "" : ", ") + std::to_string(value);
    return list;
}

bool contains(std::span<const int> values, int value) { return std::find(values.begin(), values.end(), value) != values.end(); }

void stay_silent(const char*, va_list) {}

Error failed() { return Error{Code::internal, "The MP3 encoder failed. Ask for WAV instead, and report this."}; }

/// Appends what `call(place, room_bytes)` writes, which is at most `room_bytes`; it answers how much, or below 0.
template <class Call>
Result<void> append(std::string& out, std::size_t room_bytes, const Call& call)
{
    const std::size_t end = out.size();
    out.resize(end + room_bytes);
    const int bytes = call(reinterpret_cast<unsigned char*>(out.data() + end), static_cast<int>(room_bytes));
    out.resize(end + static_cast<std::size_t>(std::max(bytes, 0)));
    if (bytes < 0) return failed();
    return {};
}

}  // namespace

Result<LameEncoder> LameEncoder::create(int sample_rate_hz, int bitrate_kbps, Output output)
{
    if (!contains(rates_hz, sample_rate_hz))
        return Error{Code::invalid_value,
                     "MP3 has no sample rate of " + std::to_string(sample_rate_hz) + " Hz. Use one of " + listed(rates_hz) + "."};
    if (const auto allowed = bitrates_kbps(sample_rate_hz); !contains(allowed, bitrate_kbps))
        return Error{Code::invalid_value, "MP3 of " + std::to_string(sample_rate_hz) + " Hz has no bit rate of " +
                                              std::to_string(bitrate_kbps) + " kbit/s. Use one of " + listed(allowed) + "."};

    LameEncoder made(lame_init());
    lame_global_flags* const encoder = made.encoder_.get();
    if (!encoder) return failed();
    lame_set_errorf(encoder, stay_silent);
    lame_set_debugf(encoder, stay_silent);
    lame_set_msgf(encoder, stay_silent);
    lame_set_num_channels(encoder, 1);
    lame_set_mode(encoder, MONO);
    lame_set_in_samplerate(encoder, sample_rate_hz);
    lame_set_out_samplerate(encoder, sample_rate_hz);
    lame_set_VBR(encoder, vbr_off);
    lame_set_brate(encoder, bitrate_kbps);
    lame_set_bWriteVbrTag(encoder, output == Output::file);
    lame_set_disable_reservoir(encoder, output == Output::stream);
    lame_set_write_id3tag_automatic(encoder, 0);
    if (lame_init_params(encoder) < 0) return failed();
    return made;
}

Result<void> LameEncoder::encode(std::span<const std::int16_t> samples, std::string& out)
{
    constexpr std::size_t chunk_samples = 1 << 15;
    while (!samples.empty()) {
        const auto chunk = samples.first(std::min(chunk_samples, samples.size()));
        samples = samples.subspan(chunk.size());
        const std::size_t room_bytes = chunk.size() * 5 / 4 + held_back_bytes_max;
        const auto encoded = append(out, room_bytes, [&](unsigned char* place, int room) {
            return lame_encode_buffer(encoder_.get(), chunk.data(), nullptr, static_cast<int>(chunk.size()), place, room);
        });
        if (!encoded) return encoded;
    }
    return {};
}

Result<void> LameEncoder::flush(std::string& out)
{
    return append(out, held_back_bytes_max, [&](unsigned char* place, int room) { return lame_encode_flush(encoder_.get(), place, room); });
}

Result<void> LameEncoder::put_info(std::string& file)
{
    // What it needs, also when that is more than there is.
    const std::size_t bytes = lame_get_lametag_frame(encoder_.get(), reinterpret_cast<unsigned char*>(file.data()), file.size());
    if (bytes > file.size()) return failed();
    return {};
}

}  // namespace repartee::audio
