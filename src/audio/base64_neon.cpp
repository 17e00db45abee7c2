#if defined(__aarch64__)

#include "base64_kernels.hpp"

#include <arm_neon.h>

// Loads and stores that take every third or fourth byte sort the groups, so that a register holds the same place of 16 groups; tables of
// 64 bytes translate.
namespace repartee::audio {
namespace {

constexpr std::size_t block_bytes = 48;
constexpr std::size_t block_characters = 64;

alignas(16) constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned char bad = 0x80;

struct Bytes64 {
    alignas(16) unsigned char at[64];
};

/// The values of 64 ASCII characters, from `from` on; `bad` for those outside the alphabet.
constexpr Bytes64 values_from(unsigned from)
{
    Bytes64 values{};
    for (unsigned char& value : values.at) value = bad;
    for (unsigned i = 0; i < 64; ++i) {
        const unsigned character = static_cast<unsigned char>(alphabet[i]);
        if (character >= from && character < from + 64) values.at[character - from] = static_cast<unsigned char>(i);
    }
    return values;
}
constexpr Bytes64 values_of_low_half = values_from(0);
constexpr Bytes64 values_of_high_half = values_from(64);

uint8x16x4_t load_table(const void* from) { return vld1q_u8_x4(static_cast<const uint8_t*>(from)); }

uint8x16x4_t encode_block(uint8x16x3_t bytes, uint8x16x4_t characters)
{
    const uint8x16_t low_6_bits = vdupq_n_u8(0x3F);
    const uint8x16_t first = vshrq_n_u8(bytes.val[0], 2);
    const uint8x16_t second = vandq_u8(vsliq_n_u8(vshrq_n_u8(bytes.val[1], 4), bytes.val[0], 4), low_6_bits);
    const uint8x16_t third = vandq_u8(vsliq_n_u8(vshrq_n_u8(bytes.val[2], 6), bytes.val[1], 2), low_6_bits);
    const uint8x16_t fourth = vandq_u8(bytes.val[2], low_6_bits);
    return {{vqtbl4q_u8(characters, first), vqtbl4q_u8(characters, second), vqtbl4q_u8(characters, third),
             vqtbl4q_u8(characters, fourth)}};
}

struct Tables {
    uint8x16x4_t low_half, high_half;
};

/// A look-up outside of a table's 64 gives zero, or leaves what was there: one of the two tables has the character, but for those that
/// are not ASCII.
uint8x16_t to_sextets(const Tables& values, uint8x16_t characters)
{
    return vqtbx4q_u8(vqtbl4q_u8(values.low_half, characters), values.high_half, veorq_u8(characters, vdupq_n_u8(64)));
}

}  // namespace

std::size_t base64_encode_neon(const std::byte* in, std::size_t n, char* out) noexcept
{
    const uint8x16x4_t characters = load_table(alphabet);
    std::size_t i = 0;
    std::size_t o = 0;
    for (; n - i >= block_bytes; i += block_bytes, o += block_characters) {
        const uint8x16x3_t bytes = vld3q_u8(reinterpret_cast<const uint8_t*>(in + i));
        vst4q_u8(reinterpret_cast<uint8_t*>(out + o), encode_block(bytes, characters));
    }
    return o + base64_encode_scalar(in + i, n - i, out + o);
}

Base64Decoded base64_decode_neon(const char* in, std::size_t n, std::byte* out) noexcept
{
    const Tables values{load_table(values_of_low_half.at), load_table(values_of_high_half.at)};
    // All but a last group that is padded or not whole.
    const std::size_t plain = n == 0 ? 0 : n % 4 != 0 ? n - n % 4 : in[n - 1] == '=' ? n - 4 : n;
    std::size_t i = 0;
    std::size_t o = 0;
    for (; plain - i >= block_characters; i += block_characters, o += block_bytes) {
        const uint8x16x4_t characters = vld4q_u8(reinterpret_cast<const uint8_t*>(in + i));
        const uint8x16_t first = to_sextets(values, characters.val[0]);
        const uint8x16_t second = to_sextets(values, characters.val[1]);
        const uint8x16_t third = to_sextets(values, characters.val[2]);
        const uint8x16_t fourth = to_sextets(values, characters.val[3]);
        // The top bit is set in `bad`, and in a character that is not ASCII.
        const uint8x16_t any_sextet = vorrq_u8(vorrq_u8(first, second), vorrq_u8(third, fourth));
        const uint8x16_t any_character =
            vorrq_u8(vorrq_u8(characters.val[0], characters.val[1]), vorrq_u8(characters.val[2], characters.val[3]));
        if (vmaxvq_u8(vorrq_u8(any_sextet, any_character)) >= bad) break;

        const uint8x16x3_t bytes{{vsliq_n_u8(vshrq_n_u8(second, 4), first, 2), vsliq_n_u8(vshrq_n_u8(third, 2), second, 4),
                                  vsliq_n_u8(fourth, third, 6)}};
        vst3q_u8(reinterpret_cast<uint8_t*>(out + o), bytes);
    }
    Base64Decoded rest = base64_decode_scalar(in + i, n - i, out + o);
    rest.bytes += o;
    if (rest.error_at != Base64Decoded::no_error) rest.error_at += i;
    return rest;
}

}  // namespace repartee::audio

#endif
