#pragma once
#include <cstddef>
#include <string_view>

namespace repartee::engine {

/// What stands at a place of a text that is still being written.
struct Boundary {
    enum class Kind {
        none,
        clause,    ///< a comma or the like: one may breathe here
        sentence,
        line,      ///< a line break, alone or behind a sentence
        unknown,   ///< what follows decides, and it is not there yet
    };
    Kind kind = Kind::none;
    std::size_t end = 0;  ///< behind it, with its closing quotes and one space; none: where to look on
};

/// The boundary that begins at `at`. `line` is where the current line begins; `whole`: nothing follows `text`.
Boundary boundary_at(std::string_view text, std::size_t at, std::size_t line, bool whole);

}  // namespace repartee::engine
