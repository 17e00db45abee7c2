#include "repartee/realtime/append_event.hpp"

#include "repartee/audio/base64.hpp"
#include "scan.hpp"

#include <algorithm>
#include <array>

namespace repartee::realtime {
namespace {

constexpr std::string_view head = R"({"type":"input_audio_buffer.append","audio":")";
constexpr std::string_view tail = R"("})";

// Base64 works on groups of three bytes; the group across the seam is put together from both parts.
char* encode_parts(std::span<const std::byte> first, std::span<const std::byte> second, char* out)
{
    constexpr std::size_t group_bytes = 3;
    const std::size_t carried = first.size() % group_bytes;
    out += audio::base64_encode(first.first(first.size() - carried), out);
    if (carried != 0) {
        std::array<std::byte, group_bytes> seam{};
        const std::size_t borrowed = std::min(group_bytes - carried, second.size());
        std::copy_n(first.end() - static_cast<std::ptrdiff_t>(carried), carried, seam.begin());
        std::copy_n(second.begin(), borrowed, seam.begin() + static_cast<std::ptrdiff_t>(carried));
        out += audio::base64_encode({seam.data(), carried + borrowed}, out);
        second = second.subspan(borrowed);
    }
    return out + audio::base64_encode(second, out);
}

}  // namespace

std::size_t append_event_bytes(std::size_t pcm_bytes) { return head.size() + audio::base64_encoded_bytes(pcm_bytes) + tail.size(); }

std::size_t write_append_event(std::span<const std::byte> first, std::span<const std::byte> second, char* out)
{
    char* at = std::copy(head.begin(), head.end(), out);
    at = encode_parts(first, second, at);
    at = std::copy(tail.begin(), tail.end(), at);
    return static_cast<std::size_t>(at - out);
}

void build_append_event(std::span<const std::byte> first, std::span<const std::byte> second, std::string& out)
{
    const std::size_t start = out.size();
    out.resize(start + append_event_bytes(first.size() + second.size()));
    write_append_event(first, second, out.data() + start);
}

std::optional<std::string_view> find_append_audio(std::string_view json)
{
    using Step = scan::MemberReader::Step;
    std::optional<std::string_view> type, event_id, audio;
    scan::MemberReader members(json);
    Step step = members.next();
    for (; step == Step::member; step = members.next()) {
        if (members.key().escaped) return std::nullopt;
        const std::string_view key = members.key().raw;
        auto* const member = key == "audio" ? &audio : key == "type" ? &type : key == "event_id" ? &event_id : nullptr;
        if (!member || *member || !scan::take_text(members.value(), *member)) return std::nullopt;
    }
    if (step != Step::end || type != "input_audio_buffer.append") return std::nullopt;
    return audio;
}

}  // namespace repartee::realtime
