#pragma once

namespace repartee::engine {

/// Pictures that voices stumble over, with what belongs to them: modifiers, joiners, variation selectors, flags, tags, the keycap. Not © ® ™, # *
/// or digits.
bool is_emoji(char32_t c);

}  // namespace repartee::engine
