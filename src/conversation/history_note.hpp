#pragma once
#include <string>
#include <string_view>

/// What a service is told before it is told what was said.
namespace repartee::conversation {

inline constexpr std::string_view note_item_id = "item_repartee_note";

/// That the conversation is under way, so that nobody is greeted twice, and how many turns of it are missing.
std::string replay_note(std::size_t turns_left_out, bool korean);

}  // namespace repartee::conversation
