#include "utf8_stream.hpp"

#include "repartee/base/quoted.hpp"

#include <algorithm>
#include <utility>

namespace repartee::engine {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

/// Whether more bytes might make a character of it.
bool may_be_cut(std::string_view rest)
{
    const auto lead = static_cast<unsigned char>(rest.front());
    const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return rest.size() < length && std::all_of(rest.begin() + 1, rest.end(), continues_utf8_character);
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes)
{
    std::string joined = std::exchange(held_back_, {});
    joined += bytes;

    std::string out;
    out.reserve(joined.size());
    for (std::string_view rest = joined; !rest.empty();) {
        const std::size_t character = utf8_character_bytes(rest);
        if (character == 0 && may_be_cut(rest)) {
            held_back_ = rest;
            break;
        }
        out += character > 0 ? rest.substr(0, character) : replacement;
        rest.remove_prefix(std::max<std::size_t>(character, 1));
    }
    return out;
}

std::string valid_utf8(std::string_view bytes)
{
    Utf8Stream stream;
    std::string text = stream.push(bytes);
    text += stream.push("\n");  // completes, and so replaces, a character cut at the end
    text.pop_back();
    return text;
}

}  // namespace repartee::engine
