#include "repartee/net/websocket_frame.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

using namespace repartee::net;

namespace {

void check(bool holds)
{
    if (!holds) std::abort();
}

/// A close frame that was understood can be built again, and then says the same.
void check_close(std::span<const std::byte> payload)
{
    const auto close = parse_close_payload(payload);
    if (close.has_error() || close->code == 1005) return;
    check(is_valid_utf8(std::as_bytes(std::span(close->reason))));
    const std::string built = make_close_payload(close->code, close->reason);
    const auto again = parse_close_payload(std::as_bytes(std::span(built)));
    check(built.size() <= 125 && again.has_value() && again->code == close->code && close->reason.starts_with(again->reason));
}

/// Text that is cut between two characters is text on both sides, and text cut inside of one is none.
void check_utf8(std::span<const std::byte> payload)
{
    if (payload.empty() || !is_valid_utf8(payload)) return;
    const std::size_t cut = payload.size() / 2;
    const bool inside = (payload[cut] & std::byte{0xc0}) == std::byte{0x80};
    check(is_valid_utf8(payload.first(cut)) == !inside && is_valid_utf8(payload.subspan(cut)) == !inside);
}

}  // namespace

/// The input is a stream of frames. Whatever it is: no read beyond it, and every header that was understood is written again byte by byte.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::vector<std::byte> copy(size);  // masks are applied in place
    std::transform(data, data + size, copy.begin(), [](std::uint8_t b) { return static_cast<std::byte>(b); });
    std::span<std::byte> rest = copy;
    while (!rest.empty()) {
        const auto parsed = parse_frame_header(rest);
        if (parsed.has_error() || !parsed->has_value()) return 0;
        const FrameHeader& header = **parsed;
        std::array<std::byte, frame_header_bytes_max> written;
        const auto* mask = header.masked ? &header.mask : nullptr;
        const std::size_t n = write_frame_header(header.fin, header.opcode, header.payload_bytes, mask, written.data());
        check(n == header.header_bytes && n <= rest.size() && std::equal(written.begin(), written.begin() + n, rest.begin()));
        rest = rest.subspan(n);
        if (header.payload_bytes > rest.size()) return 0;

        const auto payload = rest.first(static_cast<std::size_t>(header.payload_bytes));
        rest = rest.subspan(payload.size());
        const std::size_t half = payload.size() / 2;
        apply_mask(payload.first(half), header.mask);
        apply_mask(payload.subspan(half), header.mask, half);
        if (header.opcode == Opcode::close) check_close(payload);
        if (header.opcode == Opcode::text) check_utf8(payload);
    }
    return 0;
}
