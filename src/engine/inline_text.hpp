#pragma once
#include <string>
#include <string_view>

namespace repartee::engine {

/// The words of one line of Markdown, without emphasis, links, HTML, addresses, pictures and laughter in letters. Pieces of a reply end anywhere,
/// so marks are known by what stands beside them and not by their counterparts. `in_address`: the text before ended within an address; and then,
/// whether this one does.
std::string spoken_inline(std::string_view line, bool& in_address);

}  // namespace repartee::engine
