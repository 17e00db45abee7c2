#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

// A frame stands for what a relay of voice sees: 20 ms of PCM16 at 24 kHz beside the client, the same as JSON and base64 beside the upstream.
// Only the sizes and the copies are real; translating costs the same in every variant and is measured elsewhere.
namespace decisions {

using Bytes = std::span<const std::byte>;

constexpr std::size_t length_bytes = 4;
constexpr std::size_t audio_bytes = 960;
constexpr std::size_t client_frame_bytes = length_bytes + audio_bytes;
constexpr std::string_view json = R"({"type":"input_audio_buffer.append","audio":")";
constexpr std::size_t base64_growth_bytes = audio_bytes / 3;
constexpr std::size_t upstream_frame_bytes = length_bytes + json.size() + audio_bytes + base64_growth_bytes;

enum class Side { client, upstream };

constexpr std::size_t frame_bytes(Side side) { return side == Side::client ? client_frame_bytes : upstream_frame_bytes; }
constexpr Side other(Side side) { return side == Side::client ? Side::upstream : Side::client; }

namespace detail {

constexpr std::size_t audio_at(Side side) { return side == Side::client ? length_bytes : length_bytes + json.size(); }

/// Everything of a frame but its audio, which is left zero.
inline const std::array<std::byte, upstream_frame_bytes>& blank(Side side)
{
    static const auto make = [](Side of) {
        std::array<std::byte, upstream_frame_bytes> frame{};
        const auto length = static_cast<std::uint32_t>(frame_bytes(of) - length_bytes);
        std::memcpy(frame.data(), &length, length_bytes);
        if (of == Side::upstream) {
            std::memcpy(frame.data() + length_bytes, json.data(), json.size());
            std::memset(frame.data() + upstream_frame_bytes - base64_growth_bytes, '=', base64_growth_bytes);
        }
        return frame;
    };
    static const auto client = make(Side::client), upstream = make(Side::upstream);
    return side == Side::client ? client : upstream;
}

}  // namespace detail

/// Writes a frame as `side` would see it; `to` has room for frame_bytes(side).
inline void build_frame(Side side, const std::byte* audio, std::byte* to)
{
    const auto& blank = detail::blank(side);
    const std::size_t head = detail::audio_at(side);
    std::memcpy(to, blank.data(), head);
    std::memcpy(to + head, audio, audio_bytes);
    const std::size_t tail = head + audio_bytes;
    std::memcpy(to + tail, blank.data() + tail, frame_bytes(side) - tail);
}

/// The audio of a whole frame. Throws if anything but the audio differs from what build_frame writes.
inline const std::byte* audio_of(Side side, const std::byte* frame)
{
    const auto& blank = detail::blank(side);
    const std::size_t head = detail::audio_at(side), tail = head + audio_bytes;
    if (std::memcmp(frame, blank.data(), head) != 0 || std::memcmp(frame + tail, blank.data() + tail, frame_bytes(side) - tail) != 0)
        throw std::runtime_error("a frame arrived damaged");
    return frame + head;
}

/// Cuts a stream of bytes into whole frames and keeps what is left of one for the next time.
class FrameCutter {
public:
    template <class Handler>
    void feed(Side side, Bytes bytes, Handler&& handle)
    {
        const std::size_t size = frame_bytes(side);
        if (!rest_.empty()) {
            const std::size_t missing = std::min(size - rest_.size(), bytes.size());
            rest_.insert(rest_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(missing));
            bytes = bytes.subspan(missing);
            if (rest_.size() < size) return;
            handle(audio_of(side, rest_.data()));
            rest_.clear();
        }
        for (; bytes.size() >= size; bytes = bytes.subspan(size)) handle(audio_of(side, bytes.data()));
        rest_.assign(bytes.begin(), bytes.end());
    }

private:
    std::vector<std::byte> rest_;
};

}  // namespace decisions
