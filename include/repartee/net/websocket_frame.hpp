#pragma once
#include "repartee/base/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// RFC 6455 frames: bytes in, bytes out. Pure.
namespace repartee::net {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

constexpr bool is_control(Opcode opcode) { return static_cast<std::uint8_t>(opcode) >= 8; }

struct FrameHeader {
    bool fin = true;
    Opcode opcode = Opcode::text;
    bool masked = false;
    std::array<std::uint8_t, 4> mask{};
    std::uint64_t payload_bytes = 0;
    std::size_t header_bytes = 0;  ///< 2…14
};

inline constexpr std::size_t frame_header_bytes_max = 14;

/// nullopt: more bytes are needed. An error (Code::protocol) for reserved bits or opcodes, control frames that are long or fragmented, lengths
/// not in their shortest form or over 2^63. Whether the mask bit suits the role is the caller's to judge.
Result<std::optional<FrameHeader>> parse_frame_header(std::span<const std::byte> bytes);

/// Writes the header into `out` (room for frame_header_bytes_max) and returns its length. `mask` null: unmasked (a server's).
std::size_t write_frame_header(bool fin, Opcode opcode, std::uint64_t payload_bytes, const std::array<std::uint8_t, 4>* mask, std::byte* out);

/// XORs in place, in words; `offset` is the position of bytes[0] in the payload.
void apply_mask(std::span<std::byte> bytes, const std::array<std::uint8_t, 4>& mask, std::size_t offset = 0);

struct ClosePayload {
    std::uint16_t code = 1005;  ///< 1005: the frame had no code
    std::string reason;
};
/// Code::protocol for a one-byte payload, a code that must not be sent, or a reason that is not UTF-8.
Result<ClosePayload> parse_close_payload(std::span<const std::byte> payload);
/// Reason cut to 123 bytes at a character border.
std::string make_close_payload(std::uint16_t code, std::string_view reason);

bool is_valid_utf8(std::span<const std::byte> bytes);

/// base64(SHA-1(key + GUID)) of the opening handshake. Needs OpenSSL, so it lives in websocket_handshake.cpp, outside of the pure library.
std::string websocket_accept_key(std::string_view client_key);

}  // namespace repartee::net
