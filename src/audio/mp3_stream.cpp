#include "mp3_stream.hpp"

#include "repartee/audio/pcm.hpp"

#include <lame/lame.h>

#include <algorithm>
#include <array>
#include <cstdarg>

namespace repartee::audio {
namespace {

// MPEG 2 layer III: what 24 kHz can have.
constexpr int bitrates_kbps[] = {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160};
constexpr std::size_t frame_samples = 576;

Error failed() { return Error{Code::internal, "The MP3 encoder failed. Ask for WAV instead, and report this."}; }

struct CloseEncoder {
    void operator()(lame_global_flags* encoder) const { lame_close(encoder); }
};

void stay_silent(const char*, va_list) {}

class Mp3Stream : public ReplyEncoder {
public:
    bool open(int bitrate_kbps)
    {
        encoder_.reset(lame_init());
        if (!encoder_) return false;
        lame_set_errorf(encoder_.get(), stay_silent);
        lame_set_debugf(encoder_.get(), stay_silent);
        lame_set_msgf(encoder_.get(), stay_silent);
        lame_set_num_channels(encoder_.get(), 1);
        lame_set_mode(encoder_.get(), MONO);
        lame_set_in_samplerate(encoder_.get(), realtime_hz);
        lame_set_out_samplerate(encoder_.get(), realtime_hz);
        lame_set_VBR(encoder_.get(), vbr_off);
        lame_set_brate(encoder_.get(), bitrate_kbps);
        lame_set_bWriteVbrTag(encoder_.get(), 0);  // its frame could be filled in at the end only
        lame_set_disable_reservoir(encoder_.get(), 1);  // each frame stands alone, so that what came plays when the rest does not
        lame_set_write_id3tag_automatic(encoder_.get(), 0);
        return lame_init_params(encoder_.get()) >= 0;
    }

    Result<void> encode(std::span<const std::int16_t> samples, std::string& out) override
    {
        constexpr std::size_t chunk_samples = 1 << 15;
        heard_ |= !samples.empty();
        while (!samples.empty()) {
            const auto chunk = samples.first(std::min(chunk_samples, samples.size()));
            samples = samples.subspan(chunk.size());
            const std::size_t room_bytes = chunk.size() * 5 / 4 + 7200;  // lame.h: the worst case of one call
            const std::size_t end = out.size();
            out.resize(end + room_bytes);
            const int bytes = lame_encode_buffer(encoder_.get(), chunk.data(), nullptr, static_cast<int>(chunk.size()),
                                                 reinterpret_cast<unsigned char*>(out.data() + end), static_cast<int>(room_bytes));
            out.resize(end + static_cast<std::size_t>(std::max(bytes, 0)));
            if (bytes < 0) return failed();
        }
        return {};
    }

    Result<void> finish(std::string& out) override
    {
        if (!heard_) {
            constexpr std::array<std::int16_t, frame_samples> silence{};
            if (const auto done = encode(silence, out); !done) return done.error();
        }
        constexpr std::size_t room_bytes = 7200;
        const std::size_t end = out.size();
        out.resize(end + room_bytes);
        const int bytes = lame_encode_flush(encoder_.get(), reinterpret_cast<unsigned char*>(out.data() + end), static_cast<int>(room_bytes));
        out.resize(end + static_cast<std::size_t>(std::max(bytes, 0)));
        if (bytes < 0) return failed();
        return {};
    }

private:
    std::unique_ptr<lame_global_flags, CloseEncoder> encoder_;
    bool heard_ = false;
};

}  // namespace

Result<std::unique_ptr<ReplyEncoder>> create_mp3_stream(int bitrate_kbps)
{
    if (std::ranges::find(bitrates_kbps, bitrate_kbps) == std::end(bitrates_kbps)) {
        std::string list;
        for (const int known : bitrates_kbps) list += (list.empty() ? "" : ", ") + std::to_string(known);
        return Error{Code::invalid_value, "MP3 of 24000 Hz has no bit rate of " + std::to_string(bitrate_kbps) + " kbit/s. Use one of " + list + "."};
    }
    auto stream = std::make_unique<Mp3Stream>();
    if (!stream->open(bitrate_kbps)) return failed();
    return Result<std::unique_ptr<ReplyEncoder>>(std::move(stream));
}

}  // namespace repartee::audio
