#include "mp3_stream.hpp"

#include "lame_encoder.hpp"
#include "repartee/audio/pcm.hpp"

#include <array>
#include <utility>

namespace repartee::audio {
namespace {

constexpr std::size_t frame_samples = 576;  // MPEG 2 layer III: what 24 kHz has

class Mp3Stream : public ReplyEncoder {
public:
    explicit Mp3Stream(LameEncoder encoder) : encoder_(std::move(encoder)) {}

    Result<void> encode(std::span<const std::int16_t> samples, std::string& out) override
    {
        heard_ |= !samples.empty();
        return encoder_.encode(samples, out);
    }

    Result<void> finish(std::string& out) override
    {
        if (!heard_) {
            constexpr std::array<std::int16_t, frame_samples> silence{};
            if (const auto done = encode(silence, out); !done) return done.error();
        }
        return encoder_.flush(out);
    }

private:
    LameEncoder encoder_;
    bool heard_ = false;
};

}  // namespace

Result<std::unique_ptr<ReplyEncoder>> create_mp3_stream(int bitrate_kbps)
{
    auto encoder = LameEncoder::create(realtime_hz, bitrate_kbps, LameEncoder::Output::stream);
    if (!encoder) return encoder.error();
    return Result<std::unique_ptr<ReplyEncoder>>(std::make_unique<Mp3Stream>(std::move(*encoder)));
}

}  // namespace repartee::audio
