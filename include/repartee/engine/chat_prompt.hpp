#pragma once
#include "repartee/engine/realtime_server.hpp"
#include "repartee/providers/messages.hpp"

#include <vector>

namespace repartee::engine {

/// A conversation as chat models want it: the instructions first (role system, left out when empty), then the context, oldest first.
/// Consecutive function calls become one assistant message, with the text said just before them when there is one; each is followed by its output.
/// A call without one gets the output "", an output without its call is left out, and so is a message without text: services refuse all three.
/// Consecutive messages of the user stay apart. The oldest go, whole turns at a time and never a call without its output, until by estimate at most
/// `tokens_max` are left; the instructions, what the user said last and the newest message always stay.
/// Where nobody spoke, a user's message in round brackets says so, in Korean when the instructions are: that the conversation begins (services
/// refuse to answer to nothing), or that there was silence. Pure.
std::vector<providers::ChatMessage> chat_messages(const std::string& instructions, const std::vector<ContextMessage>& context,
                                                  std::int64_t tokens_max);

}  // namespace repartee::engine
