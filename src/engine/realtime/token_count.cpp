#include "token_count.hpp"

namespace repartee::engine {
namespace {

bool is_ascii(char c) { return (static_cast<unsigned char>(c) & 0x80) == 0; }
bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

void TextTokenCounter::add(std::string_view text)
{
    for (const char c : text) {
        if (is_ascii(c)) ++ascii_;
        else if (!continues_character(c)) ++wide_;
    }
}

std::size_t TextTokenCounter::prefix_bytes_within(std::string_view text, std::int64_t tokens_max) const
{
    TextTokenCounter counter = *this;
    std::size_t fits = 0;
    while (fits < text.size()) {
        std::size_t next = fits + 1;
        while (next < text.size() && continues_character(text[next])) ++next;
        counter.add(text.substr(fits, next - fits));
        if (counter.tokens() > tokens_max) return fits;
        fits = next;
    }
    return fits;
}

std::int64_t text_tokens(std::string_view text)
{
    TextTokenCounter counter;
    counter.add(text);
    return counter.tokens();
}

}  // namespace repartee::engine
