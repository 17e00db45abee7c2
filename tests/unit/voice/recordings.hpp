#pragma once
#include <string>

namespace repartee::testing {

/// The beginning of a browser's recording, and something behind it.
inline const std::string webm =
    "\x1A\x45\xDF\xA3\x9F\x42\x86\x81\x01\x42\xF7\x81\x01\x42\xF2\x81\x04\x42\xF3\x81\x08\x42\x82\x84webm" +
    std::string(64, 'x');

}  // namespace repartee::testing
