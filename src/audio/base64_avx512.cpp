#if defined(__x86_64__)

#include "base64_kernels.hpp"

#include <immintrin.h>

// GCC 12's own _mm512_undefined_epi32() sets off these warnings wherever an intrinsic is inlined (GCC bug 105593).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

// After Wojciech Muła and Daniel Lemire, "Base64 encoding and decoding at almost the speed of a memory copy" (2019). Masked loads and
// stores do the end with the same code, padding included; the scalar kernel only has to say where an error is.
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

/// The three low bytes of every dword, most significant first, then 16 times the highest, which is zero.
constexpr Bytes64 pack_order = [] {
    Bytes64 order{};
    for (unsigned char& from : order.at) from = 3;
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

__m512i spread(__m512i bytes) { return _mm512_permutexvar_epi8(load(spread_order.at), bytes); }

/// Looks at the low 6 bits of every byte only.
__m512i to_ascii(__m512i sextets) { return _mm512_permutexvar_epi8(sextets, load(alphabet)); }

__m512i encode_block(__m512i bytes)
{
    return to_ascii(_mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x3036'242A'1016'040A), spread(bytes)));
}

/// The same with shifts, which leave the shuffle port free: a turn with one block of each kind is faster than with two of either.
__m512i encode_block_by_shifts(__m512i bytes)
{
    const __m512i groups = spread(bytes);
    const __m512i first_and_third = _mm512_srlv_epi16(groups, _mm512_set1_epi32(0x0006'000A));
    const __m512i second_and_fourth = _mm512_sllv_epi16(groups, _mm512_set1_epi32(0x0008'0004));
    constexpr int low_byte_of_first_else_second = 0xE4;
    return to_ascii(_mm512_ternarylogic_epi32(first_and_third, second_and_fourth, _mm512_set1_epi16(0xFF), low_byte_of_first_else_second));
}

/// At most 48 bytes, the last ones of the input.
std::size_t encode_end(const std::byte* in, std::size_t n, char* out)
{
    if (n == 0) return 0;  // even a store of nothing touches the page
    const __mmask64 filled = first(n / 3 * 4 + (n % 3 != 0 ? n % 3 + 1 : 0));
    const std::size_t written = (n + 2) / 3 * 4;
    const __m512i characters = encode_block(_mm512_maskz_loadu_epi8(first(n), in));
    _mm512_mask_storeu_epi8(out, first(written), _mm512_mask_blend_epi8(filled, _mm512_set1_epi8('='), characters));
    return written;
}

struct Block {
    __m512i characters, sextets;
};

Block look_up(__m512i characters)
{
    return {characters, _mm512_permutex2var_epi8(load(values_of_low_half.at), characters, load(values_of_high_half.at))};
}

__m512i add_faults(__m512i faults, const Block& block)
{
    constexpr int any = 0xFE;
    return _mm512_ternarylogic_epi32(faults, block.sextets, block.characters, any);
}

/// The look-up ignores a character's top bit; a character that has it is as bad as one whose value says so.
__m512i faults_of(const Block& block) { return _mm512_or_si512(block.sextets, block.characters); }

bool any_fault(__m512i faults) { return _mm512_movepi8_mask(faults) != 0; }

/// 64 values of 6 bits → 48 bytes in the low part of the register.
__m512i join_sextets(__m512i sextets)
{
    const __m512i twelve_bits = _mm512_maddubs_epi16(sextets, _mm512_set1_epi32(0x0140'0140));
    const __m512i groups = _mm512_madd_epi16(twelve_bits, _mm512_set1_epi32(0x0001'1000));
    return _mm512_permutexvar_epi8(load(pack_order.at), groups);
}

/// Just the bytes of the block: stores that overlap halve the speed in the L2 cache.
void store_block(std::byte* out, const Block& block) { _mm512_mask_storeu_epi32(out, 0x0FFF, join_sextets(block.sextets)); }

/// At most 64 characters, the last ones of the input, whole groups. False: an error somewhere, nothing is written.
bool decode_end(const char* in, std::size_t n, std::byte* out, std::size_t& written)
{
    const std::size_t padding = in[n - 1] != '=' ? 0 : in[n - 2] != '=' ? 1 : 2;
    const Block block = look_up(_mm512_mask_loadu_epi8(_mm512_set1_epi8('A'), first(n - padding), in));
    if (any_fault(faults_of(block))) return false;

    const __m512i bytes = join_sextets(block.sextets);
    written = n / 4 * 3 - padding;
    // 'A' is zero: what is not after the last byte are the unused bits before the padding.
    if ((_mm512_test_epi8_mask(bytes, bytes) & ~first(written)) != 0) return false;
    _mm512_mask_storeu_epi8(out, first(written), bytes);
    return true;
}

}  // namespace

std::size_t base64_encode_avx512(const std::byte* in, std::size_t n, char* out) noexcept
{
    constexpr std::size_t bytes_read = block_bytes + 64;  // by a turn of two blocks
    std::size_t i = 0;
    std::size_t o = 0;
    for (; n - i >= bytes_read; i += 2 * block_bytes, o += 2 * block_characters) {
        _mm512_storeu_si512(out + o, encode_block(load(in + i)));
        _mm512_storeu_si512(out + o + block_characters, encode_block_by_shifts(load(in + i + block_bytes)));
    }
    for (; n - i > block_bytes; i += block_bytes, o += block_characters)
        _mm512_storeu_si512(out + o, encode_block(_mm512_maskz_loadu_epi32(0x0FFF, in + i)));
    return o + encode_end(in + i, n - i, out + o);
}

Base64Decoded base64_decode_avx512(const char* in, std::size_t n, std::byte* out) noexcept
{
    std::size_t i = 0;
    std::size_t o = 0;
    // The last group, which may be padded, is left to the end.
    for (; n - i > 4 * block_characters; i += 4 * block_characters, o += 4 * block_bytes) {
        const Block a = look_up(load(in + i));
        const Block b = look_up(load(in + i + block_characters));
        const Block c = look_up(load(in + i + 2 * block_characters));
        const Block d = look_up(load(in + i + 3 * block_characters));
        if (any_fault(_mm512_or_si512(add_faults(faults_of(a), b), add_faults(faults_of(c), d)))) break;
        store_block(out + o, a);
        store_block(out + o + block_bytes, b);
        store_block(out + o + 2 * block_bytes, c);
        store_block(out + o + 3 * block_bytes, d);
    }
    for (; n - i > block_characters; i += block_characters, o += block_bytes) {
        const Block block = look_up(load(in + i));
        if (any_fault(faults_of(block))) break;
        store_block(out + o, block);
    }
    std::size_t written = 0;
    const std::size_t left = n - i;
    if (left != 0 && left <= block_characters && left % 4 == 0 && decode_end(in + i, left, out + o, written)) return {o + written};

    Base64Decoded rest = base64_decode_scalar(in + i, left, out + o);
    rest.bytes += o;
    if (rest.error_at != Base64Decoded::no_error) rest.error_at += i;
    return rest;
}

}  // namespace repartee::audio

#endif
