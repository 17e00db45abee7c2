#pragma once
#include "repartee/characters/character.hpp"

#include <string>
#include <string_view>

namespace repartee::characters {

/// The instructions a Realtime session gets: the character's system prompt (or one built from its role-play fields), rules for speech (short turns,
/// nothing unspeakable: no lists, mark-up, emoji), the language to keep, then `extra` (a client's additions) when not empty. Pure.
std::string build_instructions(const Character& character, std::string_view extra = {});

}  // namespace repartee::characters
