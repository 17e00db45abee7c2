#include "repartee/net/websocket_frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace repartee::net {
namespace {

constexpr std::size_t control_payload_bytes_max = 125;
constexpr std::size_t close_code_bytes = 2;

constexpr std::uint8_t fin_bit = 0x80, reserved_bits = 0x70, opcode_bits = 0x0f, mask_bit = 0x80, length_bits = 0x7f;
constexpr std::uint8_t length_in_2_bytes = 126, length_in_8_bytes = 127;

std::uint8_t byte_at(std::span<const std::byte> bytes, std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); }

std::uint64_t read_big_endian(std::span<const std::byte> bytes)
{
    std::uint64_t value = 0;
    for (const std::byte b : bytes) value = value << 8 | std::to_integer<std::uint64_t>(b);
    return value;
}

std::byte* write_big_endian(std::uint64_t value, std::size_t bytes, std::byte* out)
{
    for (std::size_t i = bytes; i-- > 0;) *out++ = static_cast<std::byte>(value >> (8 * i) & 0xff);
    return out;
}

bool is_known(std::uint8_t opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

Error violation(const char* what) { return Error{Code::protocol, std::string("Invalid WebSocket frame: ") + what}; }

/// 1004-1006 and 1015 stand for things that happen without a code on the wire; the rest below 3000 is not assigned.
bool may_be_sent(std::uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

constexpr bool is_continuation(std::uint8_t byte) { return (byte & 0xc0) == 0x80; }

/// A vector register that every 64-bit CPU has.
using WordPair [[gnu::vector_size(16)]] = std::uint64_t;

template <class T>
T load(const void* at)
{
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

template <class T>
void store(void* at, T value)
{
    std::memcpy(at, &value, sizeof value);
}

/// The first byte ≥ 0x80. JSON with base64 in it is ASCII for kilobytes on end; other text has a space or two.
const std::uint8_t* skip_ascii(const std::uint8_t* at, const std::uint8_t* end)
{
    constexpr std::uint64_t high_bits = 0x8080808080808080;
    while (end - at >= 8 && (load<std::uint64_t>(at) & high_bits) == 0) {
        at += 8;
        for (; end - at >= 64; at += 64) {
            const WordPair any = (load<WordPair>(at) | load<WordPair>(at + 16)) | (load<WordPair>(at + 32) | load<WordPair>(at + 48));
            if (((any[0] | any[1]) & high_bits) != 0) break;
        }
    }
    while (at != end && *at < 0x80) ++at;
    return at;
}

/// Length of the well-formed sequence at the start of `at` that begins with a byte ≥ 0x80; 0 when there is none.
/// The second byte's range is what excludes overlong forms, surrogates and values over U+10FFFF (Unicode, table 3-7).
std::size_t multibyte_length(const std::uint8_t* at, std::size_t available)
{
    const std::uint8_t lead = at[0];
    std::size_t length = 0;
    std::uint8_t second_min = 0x80, second_max = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
        length = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        length = 3;
        if (lead == 0xe0) second_min = 0xa0;
        if (lead == 0xed) second_max = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        length = 4;
        if (lead == 0xf0) second_min = 0x90;
        if (lead == 0xf4) second_max = 0x8f;
    }
    if (length == 0 || available < length || at[1] < second_min || at[1] > second_max) return 0;
    for (std::size_t i = 2; i < length; ++i)
        if (!is_continuation(at[i])) return 0;
    return length;
}

}  // namespace

Result<std::optional<FrameHeader>> parse_frame_header(std::span<const std::byte> bytes)
{
    if (bytes.size() < 2) return std::optional<FrameHeader>{};
    const std::uint8_t first = byte_at(bytes, 0), second = byte_at(bytes, 1);
    if (first & reserved_bits) return violation("a reserved bit is set, but no extension was agreed on.");
    if (!is_known(first & opcode_bits)) return violation("the opcode is not one of 0, 1, 2, 8, 9, 10.");

    FrameHeader header;
    header.fin = first & fin_bit;
    header.opcode = static_cast<Opcode>(first & opcode_bits);
    header.masked = second & mask_bit;
    header.payload_bytes = second & length_bits;
    if (is_control(header.opcode) && !header.fin) return violation("a control frame is fragmented.");
    if (is_control(header.opcode) && header.payload_bytes > control_payload_bytes_max)
        return violation("a control frame's payload is longer than 125 bytes.");

    const std::size_t extended = header.payload_bytes == length_in_8_bytes ? 8 : header.payload_bytes == length_in_2_bytes ? 2 : 0;
    header.header_bytes = 2 + extended + (header.masked ? header.mask.size() : 0);
    if (bytes.size() < header.header_bytes) return std::optional<FrameHeader>{};

    if (extended) {
        header.payload_bytes = read_big_endian(bytes.subspan(2, extended));
        if (header.payload_bytes >> 63) return violation("the length is over 2^63.");
        if (header.payload_bytes < (extended == 2 ? length_in_2_bytes : 0x10000u)) return violation("the length is not in its shortest form.");
    }
    if (header.masked) std::memcpy(header.mask.data(), bytes.data() + 2 + extended, header.mask.size());
    return std::optional<FrameHeader>{header};
}

std::size_t write_frame_header(bool fin, Opcode opcode, std::uint64_t payload_bytes, const std::array<std::uint8_t, 4>* mask, std::byte* out)
{
    std::byte* at = out;
    *at++ = static_cast<std::byte>((fin ? fin_bit : 0) | static_cast<std::uint8_t>(opcode));
    const std::uint8_t masked = mask ? mask_bit : 0;
    if (payload_bytes < length_in_2_bytes) {
        *at++ = static_cast<std::byte>(masked | payload_bytes);
    } else if (payload_bytes <= 0xffff) {
        *at++ = static_cast<std::byte>(masked | length_in_2_bytes);
        at = write_big_endian(payload_bytes, 2, at);
    } else {
        *at++ = static_cast<std::byte>(masked | length_in_8_bytes);
        at = write_big_endian(payload_bytes, 8, at);
    }
    if (mask) {
        std::memcpy(at, mask->data(), mask->size());
        at += mask->size();
    }
    return static_cast<std::size_t>(at - out);
}

void apply_mask(std::span<std::byte> bytes, const std::array<std::uint8_t, 4>& mask, std::size_t offset)
{
    const int turned_bits = static_cast<int>(offset % mask.size()) * 8;
    const std::uint32_t key = std::bit_cast<std::uint32_t>(mask);
    const std::uint32_t turned = std::endian::native == std::endian::little ? std::rotr(key, turned_bits) : std::rotl(key, turned_bits);
    const std::uint64_t word = std::uint64_t{turned} << 32 | turned;

    std::byte* at = bytes.data();
    std::byte* const end = at + bytes.size();
    const WordPair words{word, word};
    for (; end - at >= 64; at += 64) {
        const WordPair a = load<WordPair>(at) ^ words, b = load<WordPair>(at + 16) ^ words;
        const WordPair c = load<WordPair>(at + 32) ^ words, d = load<WordPair>(at + 48) ^ words;
        store(at, a);
        store(at + 16, b);
        store(at + 32, c);
        store(at + 48, d);
    }
    for (; end - at >= 16; at += 16) store(at, load<WordPair>(at) ^ words);
    if (end - at >= 8) {
        store(at, load<std::uint64_t>(at) ^ word);
        at += 8;
    }
    for (const std::byte bits : std::bit_cast<std::array<std::byte, 8>>(word)) {
        if (at == end) break;
        *at++ ^= bits;
    }
}

Result<ClosePayload> parse_close_payload(std::span<const std::byte> payload)
{
    ClosePayload close;
    if (payload.empty()) return close;
    if (payload.size() < close_code_bytes) return violation("a close frame's code has one byte only.");
    close.code = static_cast<std::uint16_t>(read_big_endian(payload.first(close_code_bytes)));
    if (!may_be_sent(close.code)) return violation("a close frame's code must not be sent.");
    const auto reason = payload.subspan(close_code_bytes);
    if (!is_valid_utf8(reason)) return violation("a close frame's reason is not UTF-8.");
    close.reason.assign(reinterpret_cast<const char*>(reason.data()), reason.size());
    return close;
}

std::string make_close_payload(std::uint16_t code, std::string_view reason)
{
    std::size_t length = std::min(reason.size(), control_payload_bytes_max - close_code_bytes);
    if (length < reason.size())
        while (length > 0 && is_continuation(static_cast<std::uint8_t>(reason[length]))) --length;
    std::string payload;
    payload.reserve(close_code_bytes + length);
    payload += static_cast<char>(code >> 8);
    payload += static_cast<char>(code & 0xff);
    payload += reason.substr(0, length);
    return payload;
}

bool is_valid_utf8(std::span<const std::byte> bytes)
{
    const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
    const auto* const end = at + bytes.size();
    while (at != end) {
        if (*at < 0x80) {
            at = skip_ascii(at, end);
            continue;
        }
        const std::size_t length = multibyte_length(at, static_cast<std::size_t>(end - at));
        if (length == 0) return false;
        at += length;
    }
    return true;
}

}  // namespace repartee::net
