#pragma once
#include <cstdint>

/// ITU-T G.711, as telephony speaks it: 8 kHz, one byte a sample.
namespace repartee::engine {

std::int16_t decode_mulaw(std::uint8_t code);
std::int16_t decode_alaw(std::uint8_t code);
std::uint8_t encode_mulaw(std::int16_t sample);
std::uint8_t encode_alaw(std::int16_t sample);

}  // namespace repartee::engine
