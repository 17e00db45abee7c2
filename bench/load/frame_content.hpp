#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

/// What the audio of a measurement consists of: frames that say whose they are and which, followed by noise that follows from that, so that
/// the receiver knows every byte.
namespace repartee::bench {

enum class Stream : std::uint32_t {
    microphone = 0x7fa5c3d1,  ///< a client's frames
    reply = 0x6e91b7f3,       ///< an upstream's, in cells of reply_cell_bytes
};

inline constexpr std::uint32_t speech_flag = 1;  ///< in FrameTag::flags of a microphone's frame: the person speaks

struct FrameTag {
    Stream stream = Stream::microphone;
    std::uint32_t session = 0;
    std::uint32_t sequence = 0;   ///< a reply's: its number in the upper half, the cell's in the lower
    std::uint32_t cells = 0;      ///< of the whole reply
    std::uint32_t cause = 0;      ///< of a reply: the microphone's frame that brought it about
    std::uint32_t flags = 0;

    bool operator==(const FrameTag&) const = default;
};

// With a checksum behind it: a spoilt number must not look like a lost frame.
inline constexpr std::size_t tag_bytes = sizeof(FrameTag) + sizeof(std::uint32_t);
inline constexpr std::size_t reply_cell_bytes = 960;  // 20 ms at 24 kHz

constexpr std::uint32_t reply_sequence(std::uint32_t reply, std::uint32_t cell) { return reply << 16 | cell; }
constexpr std::uint32_t reply_of(std::uint32_t sequence) { return sequence >> 16; }
constexpr std::uint32_t cell_of(std::uint32_t sequence) { return sequence & 0xffff; }

void write_frame(const FrameTag& tag, std::span<std::byte> frame);
/// nullopt: that is no tag.
std::optional<FrameTag> read_tag(std::span<const std::byte, tag_bytes> bytes);

/// Whether `bytes` are the noise of `tag` from its `offset` on. Returns how many bytes are right before the first that is not.
std::size_t matching_noise(const FrameTag& tag, std::size_t offset, std::span<const std::byte> bytes);

}  // namespace repartee::bench
