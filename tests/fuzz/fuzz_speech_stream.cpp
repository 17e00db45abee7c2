// The first byte says how the rest is cut into pieces. Samples do not depend on that, unless a WAV header happens to stand at the start of a piece.
#include "repartee/audio/speech_stream.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

struct Heard {
    bool ok = true;
    std::optional<repartee::audio::Container> foreign;
    std::vector<std::int16_t> samples;
};

Heard listen(std::span<const std::byte> bytes, std::size_t piece_bytes)
{
    repartee::audio::SpeechStream stream(24'000);
    Heard heard;
    for (std::size_t at = 0; at < bytes.size() && heard.ok; at += piece_bytes)
        heard.ok = stream.feed(bytes.subspan(at, std::min(piece_bytes, bytes.size() - at)), heard.samples).has_value();
    heard.ok = stream.finish(heard.samples).has_value() && heard.ok;
    heard.foreign = stream.foreign();
    if (heard.foreign && (!heard.samples.empty() || stream.take_foreign().empty())) std::abort();
    // 4 kHz is the slowest rate that is taken.
    if (heard.samples.size() > bytes.size() / 2 * 6 + 100) std::abort();
    return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
    const Heard whole = listen(bytes, bytes.size() + 1);
    const Heard pieces = listen(bytes, data[0] + std::size_t{1});
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    // Larger ones may hold more than one header's bytes before the first is understood.
    if (text.find("RIFF", 1) != std::string_view::npos || bytes.size() > 4'096) return 0;
    if (whole.foreign != pieces.foreign || whole.ok != pieces.ok) std::abort();
    if (whole.ok && whole.samples.size() != pieces.samples.size()) std::abort();
    return 0;
}
