#if defined(__x86_64__)

#include "base64_kernels.hpp"

#include <immintrin.h>

// GCC 12's own _mm512_undefined_epi32() sets off this warning wherever an intrinsic is inlined (GCC bug 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

// After Wojciech Muła and Daniel Lemire, "Base64 encoding and decoding at almost the speed of a memory copy" (2019). Masked loads and
// stores do the tail with the same code; only the last group, which may be padded, is left to the scalar kernel.
namespace repartee::audio {
namespace {

constexpr std::size_t block_bytes = 48;
constexpr std::size_t block_characters = 64;

__mmask64 first(std::size_t count) { return count >= 64 ? ~__mmask64{0} : (__mmask64{1} << count) - 1; }

__m512i load(const void* in) { return _mm512_loadu_si512(in); }

alignas(64) constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct Bytes64 {
    alignas(64) unsigned char at[64];
};

/// Of 48 bytes b: b1 b0 b2 b1, b4 b3 b5 b4, … so that every dword holds the 24 bits of one group.
constexpr Bytes64 spread_order = [] {
    Bytes64 order{};
    for (unsigned group = 0; group < 16; ++group) {
        const unsigned char from = static_cast<unsigned char>(group * 3);
        order.at[group * 4] = static_cast<unsigned char>(from + 1);
        order.at[group * 4 + 1] = from;
        order.at[group * 4 + 2] = static_cast<unsigned char>(from + 2);
        order.at[group * 4 + 3] = static_cast<unsigned char>(from + 1);
    }
    return order;
}();

/// The three low bytes of every dword, most significant first.
constexpr Bytes64 pack_order = [] {
    Bytes64 order{};
    for (unsigned group = 0; group < 16; ++group)
        for (unsigned i = 0; i < 3; ++i) order.at[group * 3 + i] = static_cast<unsigned char>(group * 4 + 2 - i);
    return order;
}();

constexpr unsigned char bad = 0x80;

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

__m512i encode_block(__m512i bytes)
{
    const __m512i groups = _mm512_permutexvar_epi8(load(spread_order.at), bytes);
    const __m512i sextets = _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x3036'242A'1016'040A), groups);
    return _mm512_permutexvar_epi8(sextets, load(alphabet));  // looks at the low 6 bits only
}

/// 64 characters → 48 bytes in the low part of the register. False when a character is outside the alphabet.
bool decode_block(__m512i characters, __m512i& bytes)
{
    const __m512i sextets = _mm512_permutex2var_epi8(load(values_of_low_half.at), characters, load(values_of_high_half.at));
    // The look-up ignores a character's top bit; a character that has it is as bad as one whose value says so.
    if (_mm512_movepi8_mask(_mm512_or_si512(sextets, characters)) != 0) return false;

    const __m512i twelve_bits = _mm512_maddubs_epi16(sextets, _mm512_set1_epi32(0x0140'0140));
    const __m512i groups = _mm512_madd_epi16(twelve_bits, _mm512_set1_epi32(0x0001'1000));
    bytes = _mm512_permutexvar_epi8(load(pack_order.at), groups);
    return true;
}

}  // namespace

std::size_t base64_encode_avx512(const std::byte* in, std::size_t n, char* out) noexcept
{
    std::size_t i = 0;
    std::size_t o = 0;
    for (; n - i >= 64; i += block_bytes, o += block_characters)  // reads 64 bytes to use 48
        _mm512_storeu_si512(out + o, encode_block(load(in + i)));
    while (n - i >= 3) {
        const std::size_t left = n - i;
        const std::size_t whole = left >= block_bytes ? block_bytes : left - left % 3;
        const __m512i characters = encode_block(_mm512_maskz_loadu_epi8(first(whole), in + i));
        _mm512_mask_storeu_epi8(out + o, first(whole / 3 * 4), characters);
        i += whole;
        o += whole / 3 * 4;
    }
    return o + base64_encode_scalar(in + i, n - i, out + o);
}

Base64Decoded base64_decode_avx512(const char* in, std::size_t n, std::byte* out) noexcept
{
    // A block stores 64 bytes, 16 more than it decodes: so many characters must be left that `out` has room for them.
    constexpr std::size_t characters_needed = 84;
    static_assert(characters_needed / 4 * 3 + 3 >= 64 && characters_needed - block_characters >= 4, "room, and the last group is left");

    std::size_t i = 0;
    std::size_t o = 0;
    __m512i bytes;
    for (; n - i >= characters_needed; i += block_characters, o += block_bytes) {
        if (!decode_block(load(in + i), bytes)) break;
        _mm512_storeu_si512(out + o, bytes);
    }
    while (n - i > 4) {
        const std::size_t before_last_group = (n - i - 1) / 4 * 4;
        const std::size_t whole = before_last_group >= block_characters ? block_characters : before_last_group;
        const __m512i characters = _mm512_mask_loadu_epi8(_mm512_set1_epi8('A'), first(whole), in + i);
        if (!decode_block(characters, bytes)) break;
        _mm512_mask_storeu_epi8(out + o, first(whole / 4 * 3), bytes);
        i += whole;
        o += whole / 4 * 3;
    }
    Base64Decoded rest = base64_decode_scalar(in + i, n - i, out + o);
    rest.bytes += o;
    if (rest.error_at != Base64Decoded::no_error) rest.error_at += i;
    return rest;
}

}  // namespace repartee::audio

#endif
