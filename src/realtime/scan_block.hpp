#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/// 16 bytes at once, with what every CPU of its kind has. Not defined elsewhere: then the scan looks at single bytes.
namespace repartee::realtime::scan {

#if defined(__SSE2__)
#define REPARTEE_SCAN_BLOCKS 1

using Block = __m128i;
inline Block load_block(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
inline Block filled_block(char c) { return _mm_set1_epi8(c); }
inline Block lesser(Block a, Block b) { return _mm_min_epu8(a, b); }
inline Block either(Block a, Block b) { return _mm_or_si128(a, b); }
inline Block flipped(Block a, Block bits) { return _mm_xor_si128(a, bits); }
/// 0xFF where the bytes are equal.
inline Block equal(Block a, Block b) { return _mm_cmpeq_epi8(a, b); }
/// Of a block of 0 and 0xFF, the place of the first 0xFF; 16 when there is none.
inline std::size_t first_marked(Block marks) { return static_cast<std::size_t>(std::countr_zero(0x1'0000U | static_cast<unsigned>(_mm_movemask_epi8(marks)))); }
inline bool any_marked(Block marks) { return _mm_movemask_epi8(marks) != 0; }

#elif defined(__aarch64__)
#define REPARTEE_SCAN_BLOCKS 1

using Block = uint8x16_t;
inline Block load_block(const char* at) { return vld1q_u8(reinterpret_cast<const std::uint8_t*>(at)); }
inline Block filled_block(char c) { return vdupq_n_u8(static_cast<std::uint8_t>(c)); }
inline Block lesser(Block a, Block b) { return vminq_u8(a, b); }
inline Block either(Block a, Block b) { return vorrq_u8(a, b); }
inline Block flipped(Block a, Block bits) { return veorq_u8(a, bits); }
/// 0xFF where the bytes are equal.
inline Block equal(Block a, Block b) { return vceqq_u8(a, b); }
/// Four bits a byte, in order.
inline std::uint64_t mark_bits(Block marks) { return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(marks), 4)), 0); }
/// Of a block of 0 and 0xFF, the place of the first 0xFF; 16 when there is none.
inline std::size_t first_marked(Block marks) { return static_cast<std::size_t>(std::countr_zero(mark_bits(marks))) / 4; }
inline bool any_marked(Block marks) { return mark_bits(marks) != 0; }

#endif

}  // namespace repartee::realtime::scan
