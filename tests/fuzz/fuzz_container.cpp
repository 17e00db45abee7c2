// Any bytes as the beginning of a file: the answer does not change once the signature is whole, but for formats that are known by two frames.
#include "repartee/audio/container.hpp"

#include <cstdint>
#include <cstdlib>

using repartee::audio::Container;
using repartee::audio::detect_container;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const auto bytes = std::as_bytes(std::span(data, size));
    const Container whole = detect_container(bytes);
    const bool by_frames = whole == Container::mp3 || whole == Container::aac || whole == Container::unknown;
    constexpr std::size_t enough = repartee::audio::signature_bytes;
    if (!by_frames && size >= enough && detect_container(bytes.first(enough)) != whole) std::abort();
    if (file_extension(whole).empty() != (whole == Container::unknown) || content_type(whole).empty()) std::abort();
    return 0;
}
