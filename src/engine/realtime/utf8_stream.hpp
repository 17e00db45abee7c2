#pragma once
#include <string>
#include <string_view>

namespace repartee::engine {

/// Text from outside, fit for a WebSocket text frame: characters cut in two by a chunk's end are held back until they are whole, and what is
/// not UTF-8 becomes U+FFFD.
class Utf8Stream {
public:
    std::string push(std::string_view bytes);

private:
    std::string held_back_;
};

/// The same for a whole text.
std::string valid_utf8(std::string_view bytes);

}  // namespace repartee::engine
