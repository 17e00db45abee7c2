#include "repartee/realtime/append_event.hpp"
#include "repartee/realtime/client_event.hpp"
#include "repartee/realtime/event_type.hpp"
#include "repartee/realtime/item.hpp"
#include "repartee/realtime/response_config.hpp"

#include <cstdint>

using namespace repartee;
using namespace repartee::realtime;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const char* const end = text.data() + size;
    const auto inside = [&](std::string_view v) { return v.empty() || (v.data() >= text.data() && v.data() + v.size() <= end); };
    if (!inside(peek_type(text)) || !inside(find_append_audio(text).value_or(""))) __builtin_trap();

    const auto event = parse_client_event(text);
    if (!event) return 0;
    if (const auto* item = json::find_object(event->body, "item")) (void)normalise_item(*item);
    SessionConfig config;
    if (const auto* response = json::find_object(event->body, "response")) (void)read_response_create(*response, config);
    const auto* session = json::find_object(event->body, "session");
    if (!session || !apply_session_update(config, *session, false)) return 0;

    // What a server shows, a client may send back: it is accepted and changes nothing.
    const json::object shown = to_json(config);
    json::object update = shown;
    for (const char* key : {"id", "object", "expires_at"}) update.erase(key);
    if (!apply_session_update(config, update, true) || to_json(config) != shown) __builtin_trap();
    return 0;
}
