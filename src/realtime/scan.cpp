#include "scan.hpp"

#include "scan_block.hpp"

#include <charconv>
#include <utility>

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

const char* skip_space(const char* p, const char* end)
{
    // Most documents have none: one comparison says so.
    while (p != end && static_cast<unsigned char>(*p) <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) ++p;
    return p;
}

// Each of these returns where what it read ends, or null when it is malformed.

const char* read_text(const char* p, const char* end, Text& out)
{
    if (p == end || *p != '"') return nullptr;
    const char* const start = ++p;
    out.escaped = false;
    while ((p = find_string_special(p, end)) != end && *p == '\\') {
        if (end - p < 2) return nullptr;
        out.escaped = true;
        p += 2;
    }
    if (p == end || *p != '"') return nullptr;
    out.raw = {start, static_cast<std::size_t>(p - start)};
    return p + 1;
}

const char* skip_nested(const char* p, const char* end)
{
    std::uint64_t closes_object = 0;  // one bit a level
    unsigned depth = 0;
    Text ignored;
    do {
        p = skip_space(p, end);
        if (p == end) return nullptr;
        const char c = *p;
        if (c == '"') {
            if (!(p = read_text(p, end, ignored))) return nullptr;
            continue;
        }
        ++p;
        if (c == '{' || c == '[') {
            if (++depth > depth_max) return nullptr;
            closes_object = closes_object << 1 | (c == '{' ? 1U : 0U);
        } else if (c == '}' || c == ']') {
            if ((closes_object & 1U) != (c == '}' ? 1U : 0U)) return nullptr;
            closes_object >>= 1;
            --depth;
        } else if (c != ',' && c != ':' && !is_scalar_char(c)) {
            return nullptr;
        }
    } while (depth > 0);
    return p;
}

const char* read_value(const char* p, const char* end, Value& out)
{
    if (p == end) return nullptr;
    if (*p == '"') {
        out.kind = Value::Kind::string;
        return read_text(p, end, out.text);
    }
    if (*p == '{' || *p == '[') {
        out.kind = Value::Kind::nested;
        return skip_nested(p, end);
    }
    const char* const start = p;
    while (p != end && is_scalar_char(*p)) ++p;
    out.kind = Value::Kind::scalar;
    out.token = {start, static_cast<std::size_t>(p - start)};
    return is_scalar(out.token) ? p : nullptr;
}

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

MemberReader::Step MemberReader::next()
{
    const char* p = skip_space(p_, end_);
    const At at = std::exchange(at_, At::done);
    if (p == end_ || at == At::done) return Step::malformed;
    if (at == At::start) {
        if (*p != '{') return Step::malformed;
        p = skip_space(p + 1, end_);
    }
    if (p != end_ && *p == '}') {
        p_ = p + 1;
        return skip_space(p_, end_) == end_ ? Step::end : Step::malformed;
    }
    if (at == At::members) {
        if (*p != ',') return Step::malformed;
        p = skip_space(p + 1, end_);
    }
    if (!(p = read_text(p, end_, key_))) return Step::malformed;
    p = skip_space(p, end_);
    if (p == end_ || *p != ':') return Step::malformed;
    p = skip_space(p + 1, end_);
    if (!(p = read_value(p, end_, value_))) return Step::malformed;
    p_ = p;
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
