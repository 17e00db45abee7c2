#include "repartee/audio/container.hpp"

#include <algorithm>
#include <cstring>

namespace repartee::audio {
namespace {

using Bytes = std::span<const std::byte>;

unsigned u8(Bytes bytes, std::size_t at) { return std::to_integer<unsigned>(bytes[at]); }

bool has(Bytes bytes, std::size_t at, std::string_view tag)
{
    return bytes.size() >= at + tag.size() && std::memcmp(bytes.data() + at, tag.data(), tag.size()) == 0;
}

/// Bytes of the MPEG layer III frame whose header stands at `at`; 0: none does.
std::size_t mp3_frame_bytes(Bytes bytes, std::size_t at)
{
    constexpr unsigned mpeg1_kbps[] = {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0};
    constexpr unsigned mpeg2_kbps[] = {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0};
    constexpr unsigned mpeg1_hz[] = {44'100, 48'000, 32'000, 0};
    if (bytes.size() < at + 4 || u8(bytes, at) != 0xFF) return 0;
    const unsigned second = u8(bytes, at + 1), third = u8(bytes, at + 2);
    const unsigned version = second >> 3 & 3;  // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    if ((second & 0xE0) != 0xE0 || version == 1 || (second >> 1 & 3) != 1) return 0;
    const unsigned kbps = (version == 3 ? mpeg1_kbps : mpeg2_kbps)[third >> 4];
    const unsigned hz = mpeg1_hz[third >> 2 & 3] / (version == 3 ? 1U : version == 2 ? 2U : 4U);
    if (kbps == 0 || hz == 0) return 0;
    const unsigned samples = version == 3 ? 1'152 : 576;
    return samples / 8 * kbps * 1'000 / hz + (third >> 1 & 1);
}

/// The same of an AAC frame with an ADTS header.
std::size_t adts_frame_bytes(Bytes bytes, std::size_t at)
{
    constexpr std::size_t header_bytes = 7;
    if (bytes.size() < at + header_bytes || u8(bytes, at) != 0xFF || (u8(bytes, at + 1) & 0xF6) != 0xF0) return 0;
    if ((u8(bytes, at + 2) >> 2 & 15) > 12) return 0;  // no such sample rate
    const std::size_t size = (u8(bytes, at + 3) & 3U) << 11 | u8(bytes, at + 4) << 3 | u8(bytes, at + 5) >> 5;
    return size < header_bytes ? 0 : size;
}

using FrameBytes = std::size_t (*)(Bytes, std::size_t);

/// A frame, and another behind it when so much is there: two bytes alone may be anything.
bool begins_with_frames(Bytes bytes, FrameBytes frame_bytes, std::size_t header_bytes)
{
    const std::size_t first = frame_bytes(bytes, 0);
    if (first == 0) return false;
    if (bytes.size() < first + header_bytes) return true;
    return frame_bytes(bytes, first) != 0 && (u8(bytes, 1) & 0xFE) == (u8(bytes, first + 1) & 0xFE);
}

bool is_id3(Bytes bytes)
{
    if (!has(bytes, 0, "ID3")) return false;
    for (std::size_t i = 6; i < std::min<std::size_t>(bytes.size(), 10); ++i)
        if (u8(bytes, i) >= 0x80) return false;
    return true;
}

bool is_webm(Bytes bytes)
{
    if (!has(bytes, 0, "\x1A\x45\xDF\xA3")) return false;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), signature_bytes));
    constexpr std::string_view doc_type = "\x42\x82";
    const std::size_t at = text.find(doc_type);
    if (at == std::string_view::npos) return false;
    const std::string_view value = text.substr(std::min(at + doc_type.size() + 1, text.size()));
    return value.starts_with("webm") || value.starts_with("matroska");
}

}  // namespace

Container detect_container(std::span<const std::byte> beginning)
{
    if ((has(beginning, 0, "RIFF") || has(beginning, 0, "RF64")) && has(beginning, 8, "WAVE")) return Container::wav;
    if (has(beginning, 0, "OggS")) return Container::ogg;
    if (has(beginning, 0, "fLaC")) return Container::flac;
    if (has(beginning, 4, "ftyp")) return Container::mp4;
    if (is_webm(beginning)) return Container::webm;
    if (is_id3(beginning) || begins_with_frames(beginning, mp3_frame_bytes, 4)) return Container::mp3;
    if (begins_with_frames(beginning, adts_frame_bytes, 7)) return Container::aac;
    return Container::unknown;
}

std::string_view file_extension(Container container)
{
    switch (container) {
    case Container::wav: return "wav";
    case Container::mp3: return "mp3";
    case Container::ogg: return "ogg";
    case Container::webm: return "webm";
    case Container::mp4: return "m4a";
    case Container::flac: return "flac";
    case Container::aac: return "aac";
    case Container::unknown: break;
    }
    return "";
}

std::string_view content_type(Container container)
{
    switch (container) {
    case Container::wav: return "audio/wav";
    case Container::mp3: return "audio/mpeg";
    case Container::ogg: return "audio/ogg";
    case Container::webm: return "audio/webm";
    case Container::mp4: return "audio/mp4";
    case Container::flac: return "audio/flac";
    case Container::aac: return "audio/aac";
    case Container::unknown: break;
    }
    return "application/octet-stream";
}

}  // namespace repartee::audio
