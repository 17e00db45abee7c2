#include "ogg_opus_stream.hpp"

#include "repartee/audio/pcm.hpp"

#include <opusenc.h>

#include <algorithm>
#include <array>

namespace repartee::audio {
namespace {

constexpr int bitrate_kbps_min = 6, bitrate_kbps_max = 256;
// Sound of one page, in 48 kHz units: 100 ms. The library's own second would be heard as a pause.
constexpr int page_48khz_samples = 4'800;

struct DestroyComments {
    void operator()(OggOpusComments* comments) const { ope_comments_destroy(comments); }
};
struct DestroyEncoder {
    void operator()(OggOpusEnc* encoder) const { ope_encoder_destroy(encoder); }
};

class OggOpusStream : public ReplyEncoder {
public:
    bool open(int bitrate_kbps)
    {
        const std::unique_ptr<OggOpusComments, DestroyComments> comments(ope_comments_create());
        if (!comments) return false;
        int error = OPE_OK;
        encoder_.reset(ope_encoder_create_pull(comments.get(), realtime_hz, 1, 0, &error));
        if (!encoder_ || error != OPE_OK) return false;
        return ope_encoder_ctl(encoder_.get(), OPE_SET_DECISION_DELAY(0)) == OPE_OK &&
               ope_encoder_ctl(encoder_.get(), OPE_SET_MUXING_DELAY(page_48khz_samples)) == OPE_OK &&
               ope_encoder_ctl(encoder_.get(), OPE_SET_COMMENT_PADDING(0)) == OPE_OK &&
               ope_encoder_ctl(encoder_.get(), OPUS_SET_BITRATE(bitrate_kbps * 1'000)) == OPE_OK;
    }

    Result<void> encode(std::span<const std::int16_t> samples, std::string& out) override
    {
        // So that pages are taken as they are made, and none waits in the library.
        constexpr std::size_t chunk_samples = realtime_hz / 10;
        if (!begun_) {
            begun_ = true;
            if (ope_encoder_flush_header(encoder_.get()) != OPE_OK) return failed();
            take_pages(out, false);
        }
        heard_ |= !samples.empty();
        while (!samples.empty()) {
            const auto chunk = samples.first(std::min(chunk_samples, samples.size()));
            samples = samples.subspan(chunk.size());
            if (ope_encoder_write(encoder_.get(), chunk.data(), static_cast<int>(chunk.size())) != OPE_OK) return failed();
            take_pages(out, false);
        }
        return {};
    }

    Result<void> finish(std::string& out) override
    {
        if (!heard_) {
            constexpr std::array<std::int16_t, realtime_hz / 50> silence{};
            if (const auto done = encode(silence, out); !done) return done.error();
        }
        if (ope_encoder_drain(encoder_.get()) != OPE_OK) return failed();
        take_pages(out, true);
        return {};
    }

private:
    static Error failed() { return Error{Code::internal, "The Opus encoder failed. Ask for WAV instead, and report this."}; }

    void take_pages(std::string& out, bool all)
    {
        unsigned char* page = nullptr;
        opus_int32 bytes = 0;
        while (ope_encoder_get_page(encoder_.get(), &page, &bytes, all ? 1 : 0) == 1)
            out.append(reinterpret_cast<const char*>(page), static_cast<std::size_t>(bytes));
    }

    std::unique_ptr<OggOpusEnc, DestroyEncoder> encoder_;
    bool begun_ = false, heard_ = false;
};

}  // namespace

Result<std::unique_ptr<ReplyEncoder>> create_ogg_opus_stream(int bitrate_kbps)
{
    if (bitrate_kbps < bitrate_kbps_min || bitrate_kbps > bitrate_kbps_max)
        return Error{Code::invalid_value, "Opus has no bit rate of " + std::to_string(bitrate_kbps) + " kbit/s here. Use " +
                                              std::to_string(bitrate_kbps_min) + " to " + std::to_string(bitrate_kbps_max) + "."};
    auto stream = std::make_unique<OggOpusStream>();
    if (!stream->open(bitrate_kbps)) return Error{Code::internal, "The Opus encoder could not be made. Ask for WAV instead, and report this."};
    return Result<std::unique_ptr<ReplyEncoder>>(std::move(stream));
}

}  // namespace repartee::audio
