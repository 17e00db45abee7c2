#pragma once
#include <string>
#include <string_view>

namespace repartee {

/// `prefix` and 21 random letters and digits, e.g. "item_Vn3…", as OpenAI forms its ids. Thread-safe.
/// Unguessable (drawn from the operating system's generator): fit for tokens too.
std::string make_id(std::string_view prefix);

}  // namespace repartee
