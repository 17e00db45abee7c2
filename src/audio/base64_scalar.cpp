#include "base64_kernels.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace repartee::audio {
namespace {

constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t bad = 0x8000'0000;  // no sum of four sextets reaches it, so one test a group is enough

using Pair = std::array<char, 2>;

/// Two characters for every 12 bits: half as many look-ups as one character for 6.
constexpr auto pairs = [] {
    std::array<Pair, 4096> table{};
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = {alphabet[i >> 6], alphabet[i & 63]};
    return table;
}();

/// The value of a character, already shifted to its place in a group of four.
template <int Shift>
constexpr auto values = [] {
    std::array<std::uint32_t, 256> table{};
    table.fill(bad);
    for (std::uint32_t i = 0; i < 64; ++i) table[static_cast<unsigned char>(alphabet[i])] = i << Shift;
    return table;
}();

std::uint32_t byte_at(const std::byte* in, std::size_t i) { return std::to_integer<std::uint32_t>(in[i]); }

std::uint32_t value_of(char c) { return values<0>[static_cast<unsigned char>(c)]; }

std::uint32_t group_of(const char* in)
{
    return values<18>[static_cast<unsigned char>(in[0])] | values<12>[static_cast<unsigned char>(in[1])] |
           values<6>[static_cast<unsigned char>(in[2])] | values<0>[static_cast<unsigned char>(in[3])];
}

void store_three(std::uint32_t group, std::byte* out)
{
    out[0] = static_cast<std::byte>(group >> 16);
    out[1] = static_cast<std::byte>(group >> 8);
    out[2] = static_cast<std::byte>(group);
}

/// How many of the first `count` characters are in the alphabet.
std::size_t good_characters(const char* in, std::size_t count)
{
    std::size_t i = 0;
    while (i < count && value_of(in[i]) != bad) ++i;
    return i;
}

/// The last group of a whole input, the only one that may be padded.
Base64Decoded decode_last_group(const char* in, std::byte* out)
{
    const std::size_t padding = in[3] != '=' ? 0 : in[2] != '=' ? 1 : 2;
    const std::size_t characters = 4 - padding;
    const std::size_t good = good_characters(in, characters);
    if (good < characters) return {0, good};

    const std::uint32_t unused_bits = padding == 0 ? 0 : padding == 1 ? 0x3 : 0xF;
    if (value_of(in[characters - 1]) & unused_bits) return {0, characters - 1};

    std::uint32_t group = 0;
    for (std::size_t i = 0; i < characters; ++i) group |= value_of(in[i]) << (18 - 6 * i);
    for (std::size_t i = 0; i < 3 - padding; ++i) out[i] = static_cast<std::byte>(group >> (16 - 8 * i));
    return {3 - padding};
}

}  // namespace

std::size_t base64_encode_scalar(const std::byte* in, std::size_t n, char* out) noexcept
{
    const char* const start = out;
    std::size_t i = 0;
    for (; n - i >= 3; i += 3, out += 4) {
        const std::uint32_t group = byte_at(in, i) << 16 | byte_at(in, i + 1) << 8 | byte_at(in, i + 2);
        std::memcpy(out, &pairs[group >> 12], 2);
        std::memcpy(out + 2, &pairs[group & 0xFFF], 2);
    }
    if (i == n) return static_cast<std::size_t>(out - start);

    const bool two_left = n - i == 2;
    const std::uint32_t group = byte_at(in, i) << 16 | (two_left ? byte_at(in, i + 1) << 8 : 0);
    std::memcpy(out, &pairs[group >> 12], 2);
    out[2] = two_left ? alphabet[group >> 6 & 63] : '=';
    out[3] = '=';
    return static_cast<std::size_t>(out + 4 - start);
}

Base64Decoded base64_decode_scalar(const char* in, std::size_t n, std::byte* out) noexcept
{
    if (n == 0) return {};
    const std::size_t incomplete = n % 4;
    const std::size_t plain = incomplete ? n - incomplete : n - 4;

    std::size_t written = 0;
    for (std::size_t i = 0; i < plain; i += 4, written += 3) {
        const std::uint32_t group = group_of(in + i);
        if (group & bad) return {written, i + good_characters(in + i, 4)};
        store_three(group, out + written);
    }
    if (incomplete) return {written, plain};

    Base64Decoded last = decode_last_group(in + plain, out + written);
    last.bytes += written;
    if (last.error_at != Base64Decoded::no_error) last.error_at += plain;
    return last;
}

}  // namespace repartee::audio
