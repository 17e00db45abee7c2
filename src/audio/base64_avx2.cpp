#if defined(__x86_64__)

#include "base64_kernels.hpp"

#include <immintrin.h>

// After Wojciech Muła and Daniel Lemire, "Faster Base64 Encoding and Decoding Using AVX2 Instructions" (2018).
namespace repartee::audio {
namespace {

constexpr std::size_t block_bytes = 24;
constexpr std::size_t block_characters = 32;

__m256i both_lanes(__m128i lane) { return _mm256_broadcastsi128_si256(lane); }

/// 4 bytes, 24 bytes of a block, 4 bytes → 32 values of 6 bits. So laid, each lane holds half of the block, and one load is enough.
__m256i split_into_sextets(__m256i bytes)
{
    const __m256i groups = _mm256_shuffle_epi8(bytes, _mm256_setr_epi8(5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14,  //
                                                                       1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
    const __m256i first_and_third =
        _mm256_mulhi_epu16(_mm256_and_si256(groups, _mm256_set1_epi32(0x0FC0'FC00)), _mm256_set1_epi32(0x0400'0040));
    const __m256i second_and_fourth =
        _mm256_mullo_epi16(_mm256_and_si256(groups, _mm256_set1_epi32(0x003F'03F0)), _mm256_set1_epi32(0x0100'0010));
    return _mm256_or_si256(first_and_third, second_and_fourth);
}

/// The alphabet is five runs; each value gets the offset of its run. 0: 'A'…; 1: 'a'…; 2 to 11: a digit each; 12: '+'; 13: '/'.
__m256i sextets_to_ascii(__m256i sextets)
{
    const __m256i offsets = both_lanes(_mm_setr_epi8('A', 'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
                                                     '0' - 52, '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 0, 0));
    const __m256i is_past_upper_case = _mm256_cmpgt_epi8(sextets, _mm256_set1_epi8(25));
    const __m256i run = _mm256_sub_epi8(_mm256_subs_epu8(sextets, _mm256_set1_epi8(51)), is_past_upper_case);
    return _mm256_add_epi8(sextets, _mm256_shuffle_epi8(offsets, run));
}

/// False when a character is outside the alphabet.
bool look_up(const char* in, __m256i& sextets)
{
    const __m256i faults_of_low = both_lanes(
        _mm_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1A, 0x1B, 0x1B, 0x1B, 0x1A));
    const __m256i faults_of_high = both_lanes(
        _mm_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10));
    const __m256i offsets = both_lanes(_mm_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i low_nibble_mask = _mm256_set1_epi8(0x0F);

    const __m256i characters = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in));
    const __m256i high = _mm256_and_si256(_mm256_srli_epi32(characters, 4), low_nibble_mask);
    const __m256i low = _mm256_and_si256(characters, low_nibble_mask);
    const __m256i is_slash = _mm256_cmpeq_epi8(characters, _mm256_set1_epi8('/'));
    sextets = _mm256_add_epi8(characters, _mm256_shuffle_epi8(offsets, _mm256_add_epi8(is_slash, high)));
    return _mm256_testz_si256(_mm256_shuffle_epi8(faults_of_low, low), _mm256_shuffle_epi8(faults_of_high, high)) != 0;
}

/// 32 values of 6 bits → 24 bytes in the low part of the register.
__m256i join_sextets(__m256i sextets)
{
    const __m256i twelve_bits = _mm256_maddubs_epi16(sextets, _mm256_set1_epi32(0x0140'0140));
    const __m256i groups = _mm256_madd_epi16(twelve_bits, _mm256_set1_epi32(0x0001'1000));
    const __m256i bytes =
        _mm256_shuffle_epi8(groups, both_lanes(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1)));
    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
}

void store_24(std::byte* out, __m256i bytes)
{
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(bytes));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 16), _mm256_extracti128_si256(bytes, 1));
}

}  // namespace

std::size_t base64_encode_avx2(const std::byte* in, std::size_t n, char* out) noexcept
{
    constexpr std::size_t before = 4;  // a load begins so many bytes before its block
    constexpr std::size_t group_bytes = 6;
    std::size_t i = 0;
    std::size_t o = 0;
    if (n >= 32 + 2) {
        // The first groups by themselves: nothing may be read before the input.
        o = base64_encode_scalar(in, group_bytes, out);
        for (i = group_bytes; n - i >= block_bytes + before; i += block_bytes, o += block_characters) {
            const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i - before));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + o), sextets_to_ascii(split_into_sextets(bytes)));
        }
    }
    return o + base64_encode_scalar(in + i, n - i, out + o);
}

Base64Decoded base64_decode_avx2(const char* in, std::size_t n, std::byte* out) noexcept
{
    // All but a last group that is padded or not whole.
    const std::size_t plain = n == 0 ? 0 : n % 4 != 0 ? n - n % 4 : in[n - 1] == '=' ? n - 4 : n;
    // A store of 32 bytes is 8 too many: so many characters must be left that `out` has room for them.
    constexpr std::size_t characters_needed = 44;
    static_assert(characters_needed / 4 * 3 >= 32);

    std::size_t i = 0;
    std::size_t o = 0;
    __m256i sextets;
    for (; plain - i >= characters_needed; i += block_characters, o += block_bytes) {
        if (!look_up(in + i, sextets)) break;
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + o), join_sextets(sextets));
    }
    for (; plain - i >= block_characters; i += block_characters, o += block_bytes) {
        if (!look_up(in + i, sextets)) break;
        store_24(out + o, join_sextets(sextets));
    }
    Base64Decoded rest = base64_decode_scalar(in + i, n - i, out + o);
    rest.bytes += o;
    if (rest.error_at != Base64Decoded::no_error) rest.error_at += i;
    return rest;
}

}  // namespace repartee::audio

#endif
