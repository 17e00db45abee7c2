#include "repartee/audio/mp3.hpp"

#include <lame/lame.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>

namespace repartee::audio {
namespace {

struct CloseEncoder {
    void operator()(lame_global_flags* encoder) const { lame_close(encoder); }
};
using Encoder = std::unique_ptr<lame_global_flags, CloseEncoder>;

constexpr int rates_hz[] = {8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000};

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

Encoder make_encoder(int sample_rate_hz, int bitrate_kbps)
{
    Encoder encoder(lame_init());
    if (!encoder) return nullptr;
    lame_set_errorf(encoder.get(), stay_silent);
    lame_set_debugf(encoder.get(), stay_silent);
    lame_set_msgf(encoder.get(), stay_silent);
    lame_set_num_channels(encoder.get(), 1);
    lame_set_mode(encoder.get(), MONO);
    lame_set_in_samplerate(encoder.get(), sample_rate_hz);
    lame_set_out_samplerate(encoder.get(), sample_rate_hz);
    lame_set_VBR(encoder.get(), vbr_off);
    lame_set_brate(encoder.get(), bitrate_kbps);
    lame_set_bWriteVbrTag(encoder.get(), 1);
    lame_set_write_id3tag_automatic(encoder.get(), 0);
    if (lame_init_params(encoder.get()) < 0) return nullptr;
    return encoder;
}

}  // namespace

Result<std::string> encode_mp3(std::span<const std::int16_t> samples, int sample_rate_hz, int bitrate_kbps)
{
    if (!contains(rates_hz, sample_rate_hz))
        return Error{Code::invalid_value,
                     "MP3 has no sample rate of " + std::to_string(sample_rate_hz) + " Hz. Use one of " + listed(rates_hz) + "."};
    if (const auto allowed = bitrates_kbps(sample_rate_hz); !contains(allowed, bitrate_kbps))
        return Error{Code::invalid_value, "MP3 of " + std::to_string(sample_rate_hz) + " Hz has no bit rate of " +
                                              std::to_string(bitrate_kbps) + " kbit/s. Use one of " + listed(allowed) + "."};

    const Encoder encoder = make_encoder(sample_rate_hz, bitrate_kbps);
    const Error failed{Code::internal, "The MP3 encoder failed. Ask for WAV instead, and report this."};
    if (!encoder) return failed;

    constexpr std::size_t chunk_samples = 1 << 15;
    constexpr std::size_t room_bytes = chunk_samples * 5 / 4 + 7200;  // lame.h: the worst case of one call
    std::string mp3;
    const auto make_room = [&mp3] {
        const std::size_t end = mp3.size();
        mp3.resize(end + room_bytes);
        return end;
    };
    for (std::size_t at = 0; at < samples.size(); at += chunk_samples) {
        const auto chunk = samples.subspan(at, std::min(chunk_samples, samples.size() - at));
        const std::size_t end = make_room();
        const int bytes = lame_encode_buffer(encoder.get(), chunk.data(), nullptr, static_cast<int>(chunk.size()),
                                             reinterpret_cast<unsigned char*>(mp3.data() + end), static_cast<int>(room_bytes));
        if (bytes < 0) return failed;
        mp3.resize(end + static_cast<std::size_t>(bytes));
    }
    const std::size_t end = make_room();
    const int bytes =
        lame_encode_flush(encoder.get(), reinterpret_cast<unsigned char*>(mp3.data() + end), static_cast<int>(room_bytes));
    if (bytes < 0) return failed;
    mp3.resize(end + static_cast<std::size_t>(bytes));

    // Lame left the first frame empty; only now are the length and the padding known that it tells.
    std::string info(room_bytes, '\0');
    const std::size_t info_bytes = lame_get_lametag_frame(encoder.get(), reinterpret_cast<unsigned char*>(info.data()), info.size());
    if (info_bytes > info.size() || info_bytes > mp3.size()) return failed;
    std::memcpy(mp3.data(), info.data(), info_bytes);
    return mp3;
}

}  // namespace repartee::audio
