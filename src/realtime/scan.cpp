#include "scan.hpp"

#include "scan_block.hpp"

#include <charconv>

namespace repartee::realtime::scan {
namespace {

constexpr unsigned depth_max = 64;

bool is_special(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

bool is_scalar_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' || c == '.';
}

std::string_view digits_at(std::string_view text)
{
    std::size_t n = 0;
    while (n < text.size() && text[n] >= '0' && text[n] <= '9') ++n;
    return text.substr(0, n);
}

bool is_number(std::string_view token)
{
    if (token.starts_with('-')) token.remove_prefix(1);
    const std::string_view whole = digits_at(token);
    if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) return false;
    token.remove_prefix(whole.size());
    if (token.starts_with('.')) {
        const std::string_view fraction = digits_at(token.substr(1));
        if (fraction.empty()) return false;
        token.remove_prefix(1 + fraction.size());
    }
    if (token.empty()) return true;
    if (token.front() != 'e' && token.front() != 'E') return false;
    token.remove_prefix(1);
    if (token.starts_with('+') || token.starts_with('-')) token.remove_prefix(1);
    return !token.empty() && digits_at(token).size() == token.size();
}

bool is_scalar(std::string_view token) { return token == "null" || token == "true" || token == "false" || is_number(token); }

}  // namespace

const char* find_string_special(const char* p, const char* end) noexcept
{
#if defined(REPARTEE_SCAN_BLOCKS)
    constexpr std::ptrdiff_t block = 16;
    // With this bit flipped, '"' stands right above the control characters, and one comparison finds them all.
    constexpr char quote_bit = 0x02;
    static_assert(('"' ^ quote_bit) == 0x20);
    const Block bit = filled_block(quote_bit), last_low = filled_block(0x20), backslash = filled_block('\\');
    const auto is_low = [&](Block flipped_bytes) { return equal(lesser(flipped_bytes, last_low), flipped_bytes); };
    const auto marks_at = [&](const char* at) {
        const Block bytes = load_block(at);
        return either(is_low(flipped(bytes, bit)), equal(bytes, backslash));
    };

    // Keys and ids end here; what is longer is base64, most often.
    for (int blocks = 0; blocks < 2 && end - p >= block; ++blocks, p += block)
        if (const std::size_t found = first_marked(marks_at(p)); found < block) return p + found;
    for (; end - p >= 4 * block; p += 4 * block) {
        const Block a = load_block(p), b = load_block(p + block), c = load_block(p + 2 * block), d = load_block(p + 3 * block);
        const Block lowest = lesser(lesser(flipped(a, bit), flipped(b, bit)), lesser(flipped(c, bit), flipped(d, bit)));
        const Block slashes = either(either(equal(a, backslash), equal(b, backslash)), either(equal(c, backslash), equal(d, backslash)));
        if (any_marked(either(is_low(lowest), slashes))) break;
    }
    for (; end - p >= block; p += block)
        if (const std::size_t found = first_marked(marks_at(p)); found < block) return p + found;
#endif
    while (p != end && !is_special(*p)) ++p;
    return p;
}

std::optional<std::int64_t> Value::integer() const
{
    std::int64_t number = 0;
    if (kind != Kind::scalar) return std::nullopt;
    const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), number);
    if (error != std::errc{} || stop != token.data() + token.size()) return std::nullopt;
    return number;
}

void MemberReader::skip_space()
{
    while (p_ != end_ && (*p_ == ' ' || *p_ == '\n' || *p_ == '\r' || *p_ == '\t')) ++p_;
}

bool MemberReader::take(char c)
{
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
}

bool MemberReader::read_text(Text& out)
{
    if (!take('"')) return false;
    const char* const start = p_;
    out.escaped = false;
    for (;;) {
        p_ = find_string_special(p_, end_);
        if (p_ == end_) return false;
        if (*p_ == '"') break;
        if (*p_ != '\\' || end_ - p_ < 2) return false;
        out.escaped = true;
        p_ += 2;
    }
    out.raw = {start, static_cast<std::size_t>(p_ - start)};
    ++p_;
    return true;
}

bool MemberReader::skip_nested()
{
    std::uint64_t closes_object = 0;  // one bit a level
    unsigned depth = 0;
    Text ignored;
    do {
        skip_space();
        if (p_ == end_) return false;
        const char c = *p_;
        if (c == '"') {
            if (!read_text(ignored)) return false;
            continue;
        }
        ++p_;
        if (c == '{' || c == '[') {
            if (++depth > depth_max) return false;
            closes_object = closes_object << 1 | (c == '{' ? 1U : 0U);
        } else if (c == '}' || c == ']') {
            if ((closes_object & 1U) != (c == '}' ? 1U : 0U)) return false;
            closes_object >>= 1;
            --depth;
        } else if (c != ',' && c != ':' && !is_scalar_char(c)) {
            return false;
        }
    } while (depth > 0);
    return true;
}

bool MemberReader::read_value(Value& out)
{
    if (p_ == end_) return false;
    if (*p_ == '"') {
        out.kind = Value::Kind::string;
        return read_text(out.text);
    }
    if (*p_ == '{' || *p_ == '[') {
        out.kind = Value::Kind::nested;
        return skip_nested();
    }
    const char* const start = p_;
    while (p_ != end_ && is_scalar_char(*p_)) ++p_;
    out.kind = Value::Kind::scalar;
    out.token = {start, static_cast<std::size_t>(p_ - start)};
    return is_scalar(out.token);
}

bool MemberReader::read_member()
{
    skip_space();
    if (!read_text(key_)) return false;
    skip_space();
    if (!take(':')) return false;
    skip_space();
    return read_value(value_);
}

MemberReader::Step MemberReader::next()
{
    skip_space();
    if (at_ == At::done) return Step::malformed;
    const bool first = at_ == At::start;
    if (first && !take('{')) return Step::malformed;
    at_ = At::done;
    skip_space();
    if (take('}')) {
        skip_space();
        return p_ == end_ ? Step::end : Step::malformed;
    }
    if (!first && !take(',')) return Step::malformed;
    if (!read_member()) return Step::malformed;
    at_ = At::members;
    return Step::member;
}

bool take_text(const Value& value, std::optional<std::string_view>& out)
{
    if (out || value.is_null()) return true;
    if (!value.is_plain_string()) return false;
    out = value.text.raw;
    return true;
}

bool take_integer(const Value& value, std::optional<std::int64_t>& out)
{
    if (out || value.is_null()) return true;
    out = value.integer();
    return out.has_value();
}

}  // namespace repartee::realtime::scan
