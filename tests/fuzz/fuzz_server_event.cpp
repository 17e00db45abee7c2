#include "repartee/realtime/audio_delta.hpp"
#include "repartee/realtime/event_type.hpp"

#include <cstdint>

using namespace repartee::realtime;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const char* const end = text.data() + size;
    const auto inside = [&](std::string_view v) { return v.empty() || (v.data() >= text.data() && v.data() + v.size() <= end); };
    if (!inside(peek_type(text))) __builtin_trap();
    const auto found = find_audio_delta(text);
    if (!found) return 0;
    if (!inside(found->response_id) || !inside(found->item_id) || !inside(found->audio_base64)) __builtin_trap();

    // Built again from what was found, the event says the same.
    std::string again;
    build_audio_delta({"event_1", found->response_id, found->item_id, found->output_index, found->content_index}, nullptr, 0, again);
    const auto second = find_audio_delta(again);
    if (!second || !is_audio_delta(peek_type(again))) __builtin_trap();
    if (second->response_id != found->response_id || second->item_id != found->item_id) __builtin_trap();
    if (second->output_index != found->output_index || second->content_index != found->content_index) __builtin_trap();
    return 0;
}
