#include "repartee/realtime/audio_delta.hpp"

#include "repartee/audio/base64.hpp"
#include "scan.hpp"

#include <charconv>
#include <limits>

namespace repartee::realtime {
namespace {

void append_integer(std::int64_t number, std::string& out)
{
    char digits[std::numeric_limits<std::int64_t>::digits10 + 2];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), number).ptr;
    out.append(digits, end);
}

}  // namespace

bool is_audio_delta(std::string_view event_type)
{
    return event_type == "response.output_audio.delta" || event_type == "response.audio.delta";
}

std::optional<AudioDelta> find_audio_delta(std::string_view json)
{
    using Step = scan::MemberReader::Step;
    std::optional<std::string_view> response_id, item_id, audio;
    std::optional<std::int64_t> output_index, content_index;
    scan::MemberReader members(json);
    Step step = members.next();
    for (; step == Step::member; step = members.next()) {
        if (members.key().escaped) return std::nullopt;
        const std::string_view key = members.key().raw;
        bool plain = true;
        if (key == "delta") plain = scan::take_text(members.value(), audio);
        if (key == "response_id") plain = scan::take_text(members.value(), response_id);
        if (key == "item_id") plain = scan::take_text(members.value(), item_id);
        if (key == "output_index") plain = scan::take_integer(members.value(), output_index);
        if (key == "content_index") plain = scan::take_integer(members.value(), content_index);
        if (!plain) return std::nullopt;
    }
    if (step != Step::end || !audio) return std::nullopt;
    return AudioDelta{response_id.value_or(""), item_id.value_or(""), output_index.value_or(0), content_index.value_or(0), *audio};
}

void build_audio_delta(const AudioDeltaIds& ids, const std::byte* pcm, std::size_t pcm_bytes, std::string& out)
{
    constexpr std::size_t envelope_bytes_max = 200;
    const std::size_t base64_bytes = audio::base64_encoded_bytes(pcm_bytes);
    out.reserve(out.size() + envelope_bytes_max + ids.event_id.size() + ids.response_id.size() + ids.item_id.size() + base64_bytes);
    out.append(R"({"type":"response.output_audio.delta","event_id":")").append(ids.event_id);
    out.append(R"(","response_id":")").append(ids.response_id);
    out.append(R"(","item_id":")").append(ids.item_id);
    out.append(R"(","output_index":)");
    append_integer(ids.output_index, out);
    out.append(R"(,"content_index":)");
    append_integer(ids.content_index, out);
    out.append(R"(,"delta":")");
    const std::size_t audio_at = out.size();
    out.resize(audio_at + base64_bytes);
    audio::base64_encode({pcm, pcm_bytes}, out.data() + audio_at);
    out.append(R"("})");
}

}  // namespace repartee::realtime
