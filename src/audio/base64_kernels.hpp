#pragma once
#include "repartee/audio/base64.hpp"

/// What the base64 kernels share. Private to src/audio.
///
/// Where decoding fails, every kernel says the same:
///   - the first character outside the alphabet; `=` is outside of it, except as the last one or two characters of the input;
///   - else the character before the padding whose unused bits are not zero;
///   - else, when the length is not a multiple of 4, the first character of the incomplete group.
/// `bytes` then counts the whole groups before the one with the error.
///
/// The files of vector kernels are compiled for CPUs that the rest of the program may not run on. They must not instantiate inline
/// functions of headers: the linker could keep that copy for everybody.
namespace repartee::audio {

std::size_t base64_encode_scalar(const std::byte* in, std::size_t n, char* out) noexcept;
Base64Decoded base64_decode_scalar(const char* in, std::size_t n, std::byte* out) noexcept;

#if defined(__x86_64__)
std::size_t base64_encode_avx2(const std::byte* in, std::size_t n, char* out) noexcept;
Base64Decoded base64_decode_avx2(const char* in, std::size_t n, std::byte* out) noexcept;

std::size_t base64_encode_avx512(const std::byte* in, std::size_t n, char* out) noexcept;
Base64Decoded base64_decode_avx512(const char* in, std::size_t n, std::byte* out) noexcept;
#elif defined(__aarch64__)
std::size_t base64_encode_neon(const std::byte* in, std::size_t n, char* out) noexcept;
Base64Decoded base64_decode_neon(const char* in, std::size_t n, std::byte* out) noexcept;
#endif

}  // namespace repartee::audio
