#pragma once
#include "repartee/base/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// Speech on its way to a client that wants a file format, made while the speech is made. Pure.
namespace repartee::audio {

enum class ReplyFormat { mp3, wav, opus, pcm };

std::optional<ReplyFormat> parse_reply_format(std::string_view word);  ///< "mp3", "wav", "opus", "ogg", "pcm", "pcm16"; any case
/// From an Accept header: the first of audio/mpeg (audio/mp3), audio/wav (x-wav, wave, vnd.wave), audio/ogg (opus), audio/pcm (L16) by q; nullopt:
/// none named.
std::optional<ReplyFormat> accepted_reply_format(std::string_view accept_header);
std::string_view content_type(ReplyFormat format);     ///< audio/mpeg, audio/wav, audio/ogg; codecs=opus, audio/pcm; rate=24000; channels=1
std::string_view file_extension(ReplyFormat format);   ///< mp3, wav, ogg, pcm

/// 24 kHz PCM16 mono in, bytes of the format out, as soon as they can be: MP3 after 40 ms of sound, Ogg/Opus after 110 ms, WAV and PCM at once.
class ReplyEncoder {
public:
    virtual ~ReplyEncoder() = default;
    /// Appends to `out`; the first call begins with the header, when the format has one. Code::internal: the encoder failed.
    virtual Result<void> encode(std::span<const std::int16_t> samples, std::string& out) = 0;
    /// The end, once: appends what is left. Of a reply without a sample: a valid, silent file.
    virtual Result<void> finish(std::string& out) = 0;
};

/// `bitrate_kbps`: mp3 and opus only. WAV says 0xFFFFFFFF for lengths it does not know yet.
Result<std::unique_ptr<ReplyEncoder>> create_reply_encoder(ReplyFormat format, int bitrate_kbps = 64);

}  // namespace repartee::audio
