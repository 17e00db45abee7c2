#pragma once
#include <cstddef>
#include <cstdint>

/// PCM in Repartee is always 16-bit signed little-endian mono; only the rate varies.
namespace repartee::audio {

inline constexpr int realtime_hz = 24'000;  ///< the only PCM rate of the OpenAI Realtime API
inline constexpr std::size_t sample_bytes = 2;
inline constexpr int client_rates_hz[] = {8'000, 16'000, 24'000, 44'100, 48'000};

constexpr std::size_t bytes_of_ms(std::int64_t ms, int hz)
{
    return static_cast<std::size_t>(ms * hz / 1000) * sample_bytes;
}

constexpr std::int64_t ms_of_bytes(std::uint64_t bytes, int hz)
{
    return static_cast<std::int64_t>(bytes / sample_bytes * 1000 / static_cast<std::uint64_t>(hz));
}

constexpr bool is_client_rate(std::int64_t hz)
{
    for (int rate : client_rates_hz)
        if (rate == hz) return true;
    return false;
}

static_assert(bytes_of_ms(20, realtime_hz) == 960 && ms_of_bytes(960, realtime_hz) == 20);

}  // namespace repartee::audio
