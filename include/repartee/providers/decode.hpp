#pragma once
#include "repartee/providers/gate.hpp"
#include "repartee/providers/messages.hpp"

#include <chrono>
#include <string>

namespace repartee::providers {

struct DecodeSettings {
    std::string program = "ffmpeg";
    std::chrono::milliseconds limit{15'000};   ///< of one file, the wait for a place included
    std::size_t programs_max = 4;              ///< at once, of one worker
    std::size_t memory_bytes_max = 512 << 20;  ///< of one run of the program
    std::int64_t audio_ms_max = 600'000;       ///< a longer file is refused
};

/// Files of any known container into samples. WAV (PCM16) is read in process; everything else by the program ffmpeg, run bounded in time, memory,
/// output and number: it reads hostile input, and a program that dies takes nothing with it. The demuxer is named from the signature, so that a
/// file cannot make ffmpeg open another (playlists).
class AudioDecoder {
public:
    explicit AudioDecoder(DecodeSettings settings);

    /// 24 kHz PCM16 mono. Code::invalid_audio (unknown kind, or what ffmpeg says of it), Code::too_large, Code::not_configured (no ffmpeg),
    /// Code::timeout, Code::busy, Code::cancelled.
    Task<std::vector<std::int16_t>> decode(std::string file, audio::Container container, Stop stop);
    bool available() const;

private:
    DecodeSettings settings_;
    Gate gate_;
};

/// The arguments behind the program's name. Pure.
std::vector<std::string> ffmpeg_arguments(audio::Container container, int output_hz, std::int64_t audio_ms_max);

}  // namespace repartee::providers
