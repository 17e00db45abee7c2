#pragma once
#include "repartee/audio/container.hpp"
#include "repartee/audio/resampler.hpp"
#include "repartee/base/error.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace repartee::audio {

/// What a speech service sends, byte piece by byte piece, into 24 kHz mono samples. WAV is recognised whatever was asked for, its rate and channels
/// are taken from its header and its length ignored (0 and 0xFFFFFFFF are usual); anything without a known signature is headerless PCM16 mono at
/// `raw_hz`. A sample cut in two between two pieces is put together again; a last odd byte is dropped. A second WAV header amid the stream (a file
/// a fragment) is skipped when it stands at a piece's start. Pure.
class SpeechStream {
public:
    explicit SpeechStream(int raw_hz);

    /// Appends to `out`. Code::invalid_audio: a broken WAV header. Nothing is appended once foreign() is set.
    Result<void> feed(std::span<const std::byte> bytes, std::vector<std::int16_t>& out);
    /// The end: appends what the rate converter holds. Code::invalid_audio when nothing, or only a header, came.
    Result<void> finish(std::vector<std::int16_t>& out);

    /// The service sends another kind of file (MP3, Ogg …), to be collected and decoded by somebody else. May turn out at the end only, when little
    /// came.
    std::optional<Container> foreign() const { return foreign_; }
    /// All that was fed until foreign() was set, once; what comes later need not be fed.
    std::string take_foreign();

private:
    bool read_beginning(bool whole);
    bool read_wav_header(bool whole);
    void begin(int hz, int channels);
    void convert(std::vector<std::int16_t>& out);

    int raw_hz_;
    std::vector<std::byte> unread_;  ///< the beginning until it is understood, then a part of a sample
    std::optional<Resampler> to_24khz_;  ///< none: the beginning is not understood yet
    int channels_ = 1;
    bool heard_ = false;
    std::optional<Container> foreign_;
    std::optional<Error> error_;
    std::vector<std::int16_t> at_source_rate_;
};

}  // namespace repartee::audio
