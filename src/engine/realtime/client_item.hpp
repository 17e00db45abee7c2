#pragma once
#include "conversation_items.hpp"
#include "repartee/realtime/session_config.hpp"

namespace repartee::engine {

/// An item that a client sent (conversation.item.create, response.create's input): checked, its audio decoded and taken out of the JSON.
/// `samples_max`: kept of its audio. One audio part an item.
Result<ItemPtr> read_client_item(const json::object& item, realtime::AudioFormat input_format, std::size_t samples_max,
                                 std::string_view path = "item");

}  // namespace repartee::engine
