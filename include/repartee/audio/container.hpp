#pragma once
#include <cstddef>
#include <span>
#include <string_view>

/// What kind of file somebody's recording is, by its first bytes: names and content types lie. Pure.
namespace repartee::audio {

enum class Container { unknown, wav, mp3, ogg, webm, mp4, flac, aac };

/// Enough to decide for every kind.
inline constexpr std::size_t signature_bytes = 64;

/// wav RIFF…WAVE (also RF64) · mp3 "ID3", or two consistent frame headers (one when fewer bytes are there) · ogg "OggS" · webm EBML 1A 45 DF A3
/// with a DocType of webm or matroska · mp4 "ftyp" at 4 (M4A, MP4) · flac "fLaC" · aac ADTS FF F1/F9.
Container detect_container(std::span<const std::byte> beginning);

/// As a transcription service wants it: "webm" → "webm", "audio/webm"; mp4 → "m4a", "audio/mp4"; unknown → "", "application/octet-stream".
std::string_view file_extension(Container container);
std::string_view content_type(Container container);

}  // namespace repartee::audio
