#include "repartee/audio/speech_stream.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/audio/wav.hpp"

#include <cstring>

namespace repartee::audio {
namespace {

constexpr std::size_t wav_header_bytes_max = 64 << 10;
// Two frames of MP3 or AAC: headerless samples may begin as one does.
constexpr std::size_t frames_bytes = 4 << 10;
// Fewer would multiply what is sent, more says nothing about speech.
constexpr int source_hz_min = 4'000, source_hz_max = 192'000;

bool begins_wav(std::span<const std::byte> bytes)
{
    return bytes.size() >= 12 && std::memcmp(bytes.data(), "RIFF", 4) == 0 && std::memcmp(bytes.data() + 8, "WAVE", 4) == 0;
}

}  // namespace

SpeechStream::SpeechStream(int raw_hz) : raw_hz_(raw_hz) {}

Result<void> SpeechStream::feed(std::span<const std::byte> bytes, std::vector<std::int16_t>& out)
{
    if (error_) return *error_;
    if (foreign_) return {};
    if (to_24khz_ && unread_.empty() && begins_wav(bytes)) {
        to_24khz_->flush(out);
        to_24khz_.reset();
    }
    unread_.insert(unread_.end(), bytes.begin(), bytes.end());
    if (!to_24khz_ && !read_beginning(false)) {
        if (error_) return *error_;
        return {};
    }
    convert(out);
    return {};
}

Result<void> SpeechStream::finish(std::vector<std::int16_t>& out)
{
    if (error_) return *error_;
    if (foreign_) return {};
    if (!to_24khz_ && !unread_.empty() && read_beginning(true)) convert(out);
    if (error_) return *error_;
    if (foreign_) return {};
    if (to_24khz_) to_24khz_->flush(out);
    if (!heard_) return Error{Code::invalid_audio, "The speech service sent no sound. Check its voice and its audio format."};
    return {};
}

std::string SpeechStream::take_foreign()
{
    std::string bytes(reinterpret_cast<const char*>(unread_.data()), unread_.size());
    unread_ = {};
    return bytes;
}

/// False: more bytes are needed, or none will help.
bool SpeechStream::read_beginning(bool whole)
{
    if (unread_.size() < signature_bytes && !whole) return false;
    const Container container = detect_container(unread_);
    const bool by_frames = (container == Container::mp3 || container == Container::aac) && std::to_integer<int>(unread_.front()) == 0xFF;
    if (by_frames && unread_.size() < frames_bytes && !whole) return false;
    if (container == Container::wav) return read_wav_header(whole);
    if (container != Container::unknown) {
        foreign_ = container;
        return false;
    }
    begin(raw_hz_, 1);
    return true;
}

bool SpeechStream::read_wav_header(bool whole)
{
    const auto format = parse_wav(unread_);
    if (!format) {
        // Not all of it may be there yet.
        if (whole || unread_.size() >= wav_header_bytes_max) error_ = format.error();
        return false;
    }
    if (format->sample_rate_hz < source_hz_min || format->sample_rate_hz > source_hz_max) {
        error_ = Error{Code::invalid_audio, "The WAV file says its sample rate is " + std::to_string(format->sample_rate_hz) +
                                                " Hz. Send audio of 4000 to 192000 Hz."};
        return false;
    }
    unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(format->data_offset));
    begin(format->sample_rate_hz, format->channels);
    return true;
}

void SpeechStream::begin(int hz, int channels)
{
    channels_ = channels;
    to_24khz_.emplace(hz, realtime_hz);
}

void SpeechStream::convert(std::vector<std::int16_t>& out)
{
    const auto channels = static_cast<std::size_t>(channels_);
    const std::size_t frames = unread_.size() / (channels * sample_bytes);
    if (frames == 0) return;
    heard_ = true;
    at_source_rate_.resize(frames * channels);
    std::memcpy(at_source_rate_.data(), unread_.data(), at_source_rate_.size() * sample_bytes);
    unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(at_source_rate_.size() * sample_bytes));
    if (channels_ > 1) {
        for (std::size_t frame = 0; frame < frames; ++frame) {
            int sum = 0;
            for (std::size_t channel = 0; channel < channels; ++channel) sum += at_source_rate_[frame * channels + channel];
            at_source_rate_[frame] = static_cast<std::int16_t>(sum / channels_);
        }
        at_source_rate_.resize(frames);
    }
    to_24khz_->process(at_source_rate_, out);
}

}  // namespace repartee::audio
