#include "repartee/voice/header_text.hpp"

#include "../engine/realtime/utf8_stream.hpp"
#include "repartee/base/quoted.hpp"
#include "repartee/net/url.hpp"

namespace repartee::voice {

std::string header_text(std::string_view text, std::size_t bytes_max)
{
    constexpr std::string_view unescaped = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()";
    const std::string sound = engine::valid_utf8(text);
    std::string encoded;
    std::size_t whole = 0;  ///< bytes of whole characters that fit
    for (const char c : sound) {
        if (!continues_utf8_character(c)) whole = encoded.size();
        if (encoded.size() + 3 > bytes_max) {
            encoded.resize(whole);
            break;
        }
        if (unescaped.find(c) != std::string_view::npos) encoded += c;
        else net::append_percent_encoded(encoded, c);
    }
    return encoded;
}

}  // namespace repartee::voice
