#pragma once
#include <cstdint>
#include <vector>

namespace repartee::audio {

/// A soft two-note chime (faded at both ends): what is heard in place of speech when no voice is installed.
std::vector<std::int16_t> chime(int hz, int duration_ms);

}  // namespace repartee::audio
