#include "repartee/voice/header_text.hpp"

#include "../engine/realtime/utf8_stream.hpp"

namespace repartee::voice {

std::string header_text(std::string_view text, std::size_t bytes_max)
{
    constexpr std::string_view unescaped = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()";
    constexpr char digits[] = "0123456789ABCDEF";
    const std::string sound = engine::valid_utf8(text);
    std::string encoded;
    std::size_t whole = 0;  ///< bytes of whole characters that fit
    for (const char c : sound) {
        const bool begins_character = (static_cast<unsigned char>(c) & 0xC0) != 0x80;
        if (begins_character) whole = encoded.size();
        if (encoded.size() + 3 > bytes_max) {
            encoded.resize(whole);
            break;
        }
        if (unescaped.find(c) != std::string_view::npos) {
            encoded += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        encoded += '%';
        encoded += digits[byte >> 4];
        encoded += digits[byte & 15];
    }
    return encoded;
}

}  // namespace repartee::voice
