#include "repartee/base/token_estimate.hpp"

#include "repartee/base/quoted.hpp"

namespace repartee {

void TokenCounter::add(std::string_view text)
{
    for (const char c : text) {
        if (static_cast<unsigned char>(c) < 0x80) ++ascii_;
        else if (!continues_utf8_character(c)) ++wide_;
    }
}

std::size_t TokenCounter::prefix_bytes_within(std::string_view text, std::int64_t tokens_max) const
{
    TokenCounter counter = *this;
    std::size_t fits = 0;
    while (fits < text.size()) {
        std::size_t next = fits + 1;
        while (next < text.size() && continues_utf8_character(text[next])) ++next;
        counter.add(text.substr(fits, next - fits));
        if (counter.tokens() > tokens_max) return fits;
        fits = next;
    }
    return fits;
}

std::int64_t estimated_tokens(std::string_view text)
{
    TokenCounter counter;
    counter.add(text);
    return counter.tokens();
}

}  // namespace repartee
