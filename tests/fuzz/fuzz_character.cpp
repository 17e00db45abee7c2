#include "repartee/characters/character.hpp"

#include <cstdint>
#include <cstdlib>

/// Any bytes: a character or an Error, and what parses comes back equal from its own JSON.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace repartee;
    const auto parsed = characters::parse_character({reinterpret_cast<const char*>(data), size});
    if (!parsed) return 0;
    const auto again = characters::parse_character(json::to_text(characters::to_json(*parsed, true)));
    if (!again || !(*again == *parsed)) std::abort();
    return 0;
}
