#pragma once
#include <cstddef>
#include <span>
#include <string_view>

/// RFC 4648 base64 with padding, as Realtime events carry audio. Pure; the fastest kernel of the CPU is chosen once, at start.
namespace repartee::audio {

constexpr std::size_t base64_encoded_bytes(std::size_t n) { return (n + 2) / 3 * 4; }
/// Upper bound; exact but for padding.
constexpr std::size_t base64_decoded_bytes_max(std::size_t n) { return n / 4 * 3 + 3; }

/// Writes base64_encoded_bytes(in.size()) characters to `out`, returns that number.
std::size_t base64_encode(std::span<const std::byte> in, char* out) noexcept;

struct Base64Decoded {
    static constexpr std::size_t no_error = static_cast<std::size_t>(-1);
    std::size_t bytes = 0;            ///< bytes written to `out`
    std::size_t error_at = no_error;  ///< position in the input of the first character that does not belong
    explicit operator bool() const { return error_at == no_error; }
};

/// Strict: the length is a multiple of 4, padding only at the end, unused bits zero, no white space. Of an incomplete last group
/// the first character does not belong.
/// `out` has room for base64_decoded_bytes_max(in.size()) bytes.
Base64Decoded base64_decode(std::string_view in, std::byte* out) noexcept;

/// One implementation for one instruction set; all of them agree on every input. For tests and benches.
struct Base64Kernel {
    const char* name;
    bool (*supported)() noexcept;
    std::size_t (*encode)(const std::byte* in, std::size_t n, char* out) noexcept;
    Base64Decoded (*decode)(const char* in, std::size_t n, std::byte* out) noexcept;
};
/// Best first; the last one is the scalar reference and always supported.
std::span<const Base64Kernel> base64_kernels();
const Base64Kernel& base64_kernel_in_use();

}  // namespace repartee::audio
