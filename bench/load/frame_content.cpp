#include "frame_content.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace repartee::bench {
namespace {

static_assert(std::endian::native == std::endian::little, "tags are copied as they lie in memory");
static_assert(sizeof(FrameTag) == 6 * sizeof(std::uint32_t), "a tag has no padding");

constexpr std::size_t word_bytes = sizeof(std::uint64_t);
constexpr std::size_t block_words = 8;

std::uint64_t key_of(const FrameTag& tag)
{
    const auto mix = [](std::uint64_t state, std::uint64_t more) {
        state = (state ^ more) * 0x9e3779b97f4a7c15;
        return state ^ state >> 29;
    };
    std::uint64_t key = mix(static_cast<std::uint64_t>(tag.stream), tag.session);
    key = mix(key, tag.sequence);
    key = mix(key, static_cast<std::uint64_t>(tag.cells) << 32 | tag.cause);
    return mix(key, tag.flags);
}

std::uint32_t checksum_of(std::uint64_t key) { return static_cast<std::uint32_t>(key >> 32); }

/// Only additions, shifts and XORs: eight words at a time are a few vector instructions.
std::uint64_t word_at(std::uint64_t key, std::uint64_t index)
{
    std::uint64_t word = key + index * 0xd1342543de82ef95;
    word ^= word >> 31;
    word += word << 21;
    return word ^ word >> 17;
}

std::array<std::uint64_t, block_words> block_at(std::uint64_t key, std::uint64_t first_index)
{
    std::array<std::uint64_t, block_words> words;
    for (std::size_t i = 0; i < block_words; ++i) words[i] = word_at(key, first_index + i);
    return words;
}

std::byte noise_byte(std::uint64_t key, std::size_t offset)
{
    return static_cast<std::byte>(word_at(key, offset / word_bytes) >> (8 * (offset % word_bytes)) & 0xff);
}

}  // namespace

void write_frame(const FrameTag& tag, std::span<std::byte> frame)
{
    const std::uint64_t key = key_of(tag);
    const std::uint32_t checksum = checksum_of(key);
    std::memcpy(frame.data(), &tag, sizeof tag);
    std::memcpy(frame.data() + sizeof tag, &checksum, sizeof checksum);
    const std::span<std::byte> noise = frame.subspan(tag_bytes);
    std::size_t at = 0;
    for (; noise.size() - at >= block_words * word_bytes; at += block_words * word_bytes) {
        const auto words = block_at(key, at / word_bytes);
        std::memcpy(noise.data() + at, words.data(), sizeof words);
    }
    for (; at < noise.size(); ++at) noise[at] = noise_byte(key, at);
}

std::optional<FrameTag> read_tag(std::span<const std::byte, tag_bytes> bytes)
{
    FrameTag tag;
    std::uint32_t checksum;
    std::memcpy(&tag, bytes.data(), sizeof tag);
    std::memcpy(&checksum, bytes.data() + sizeof tag, sizeof checksum);
    if (checksum != checksum_of(key_of(tag))) return std::nullopt;
    return tag;
}

std::size_t matching_noise(const FrameTag& tag, std::size_t offset, std::span<const std::byte> bytes)
{
    const std::uint64_t key = key_of(tag);
    std::size_t at = 0;
    const auto bytewise_until = [&](std::size_t end) {
        while (at < end && bytes[at] == noise_byte(key, offset + at)) ++at;
        return at == end;
    };
    const std::size_t to_word = (word_bytes - offset % word_bytes) % word_bytes;
    if (!bytewise_until(std::min(to_word, bytes.size()))) return at;
    for (; bytes.size() - at >= block_words * word_bytes; at += block_words * word_bytes) {
        std::array<std::uint64_t, block_words> given;
        std::memcpy(given.data(), bytes.data() + at, sizeof given);
        const auto expected = block_at(key, (offset + at) / word_bytes);
        std::uint64_t difference = 0;
        for (std::size_t i = 0; i < block_words; ++i) difference |= given[i] ^ expected[i];
        if (difference != 0) break;
    }
    bytewise_until(bytes.size());
    return at;
}

}  // namespace repartee::bench
