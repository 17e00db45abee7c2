#include "g711.hpp"

#include <algorithm>
#include <bit>

namespace repartee::engine {
namespace {

constexpr int mulaw_bias = 0x84;
constexpr int mulaw_clip = 32'635;  // the largest magnitude that does not overflow once the bias is added

}  // namespace

std::int16_t decode_mulaw(std::uint8_t code)
{
    const int bits = ~code & 0xFF;  // the line carries it inverted
    const int magnitude = ((((bits & 0x0F) << 3) + mulaw_bias) << ((bits & 0x70) >> 4)) - mulaw_bias;
    return static_cast<std::int16_t>(bits & 0x80 ? -magnitude : magnitude);
}

std::uint8_t encode_mulaw(std::int16_t sample)
{
    const int sign = sample < 0 ? 0x80 : 0;
    const int magnitude = std::min(sample < 0 ? -int{sample} : int{sample}, mulaw_clip) + mulaw_bias;
    const int segment = static_cast<int>(std::bit_width(static_cast<unsigned>(magnitude))) - 8;
    return static_cast<std::uint8_t>(~(sign | (segment << 4) | ((magnitude >> (segment + 3)) & 0x0F)));
}

std::int16_t decode_alaw(std::uint8_t code)
{
    const int bits = code ^ 0x55;  // even bits travel inverted
    const int segment = (bits & 0x70) >> 4;
    const int mantissa = (bits & 0x0F) << 4;
    const int magnitude = segment == 0 ? mantissa + 8 : (mantissa + 0x108) << (segment - 1);
    return static_cast<std::int16_t>(bits & 0x80 ? magnitude : -magnitude);
}

std::uint8_t encode_alaw(std::int16_t sample)
{
    const int sign = sample < 0 ? 0 : 0x80;
    const int magnitude = sample < 0 ? ~int{sample} : int{sample};  // -1 is the first negative step, as in the standard
    const int segment = std::max(0, static_cast<int>(std::bit_width(static_cast<unsigned>(magnitude))) - 8);
    const int mantissa = (magnitude >> (segment == 0 ? 4 : segment + 3)) & 0x0F;
    return static_cast<std::uint8_t>((sign | (segment << 4) | mantissa) ^ 0x55);
}

}  // namespace repartee::engine
