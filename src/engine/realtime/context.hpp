#pragma once
#include "conversation_items.hpp"
#include "repartee/engine/realtime_server.hpp"
#include "usage.hpp"

#include <span>

namespace repartee::engine {

/// The items as a brain reads them.
std::vector<ContextMessage> context_messages(std::span<const ItemPtr> items);

/// What the items cost as input: text as text, the user's speech as audio, the assistant's by what was heard.
Tokens input_tokens(std::span<const ItemPtr> items);

}  // namespace repartee::engine
