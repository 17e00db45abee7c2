#include "inline_text.hpp"

#include "code_point.hpp"
#include "emoji.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace repartee::engine {
namespace {

constexpr std::size_t tag_bytes_max = 500;
constexpr std::size_t label_bytes_max = 1'000;

bool is_ascii_punctuation(char32_t c) { return c > ' ' && c < 0x7F && !is_digit(c) && !is_letter(c); }
bool is_word(char32_t c) { return is_digit(c) || is_letter(c) || (c >= 0x80 && has_sound(c)); }

/// Characters that change how others are shown, and are nothing themselves.
bool is_invisible(char32_t c)
{
    return c == 0xAD || (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           (c >= 0xE000 && c <= 0xF8FF) || c >= 0xF0000 || c == 0xFFFD;
}

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029; }

bool is_laughter(char32_t c) { return c == 0x314B || c == 0x314E || c == 0x3160 || c == 0x315C; }  // ㅋ ㅎ ㅠ ㅜ

bool is_address_byte(char c) { return c > ' ' && c < 0x7F && c != '<' && c != '>' && c != '"' && c != '|' && c != '`' && c != '*'; }

/// Bytes of what may belong to a web address at the start of `text`, without the punctuation of the sentence around it.
std::size_t address_bytes(std::string_view text)
{
    const auto end = std::ranges::find_if_not(text, is_address_byte);
    auto bytes = static_cast<std::size_t>(end - text.begin());
    const auto unopened = [&] {
        const std::string_view address = text.substr(0, bytes);
        return address.back() == ')' && std::ranges::count(address, ')') > std::ranges::count(address, '(');
    };
    while (bytes > 0 && (std::string_view(".,;:!?'_~]}").find(text[bytes - 1]) != std::string_view::npos || unopened())) --bytes;
    return bytes;
}

std::size_t web_address_bytes(std::string_view text)
{
    for (const std::string_view scheme : {"http://", "https://", "ftp://", "www.", "HTTP://", "HTTPS://", "Http://", "Https://"})
        if (text.starts_with(scheme)) return address_bytes(text);
    return 0;
}

bool is_mail_byte(char c)
{
    const auto u = static_cast<unsigned char>(c);
    return is_letter(u) || is_digit(u) || c == '.' || c == '-' || c == '_' || c == '+' || c == '%';
}

/// name@host.tld at the start of `text`.
std::size_t mail_address_bytes(std::string_view text)
{
    const auto at = static_cast<std::size_t>(std::ranges::find_if_not(text, is_mail_byte) - text.begin());
    if (at == 0 || at == text.size() || text[at] != '@') return 0;
    std::size_t end = at + 1;
    while (end < text.size() && is_mail_byte(text[end])) ++end;
    while (end > at && !is_letter(static_cast<unsigned char>(text[end - 1])) && !is_digit(static_cast<unsigned char>(text[end - 1]))) --end;
    return end > at && text.substr(at + 1, end - at - 1).find('.') != std::string_view::npos ? end : 0;
}

/// <b>, </b>, <br/>, <!-- -->, <https://…> at the start of `text`; not "a < b" or "<3".
std::size_t tag_bytes(std::string_view text)
{
    if (text.size() < 3 || text[0] != '<') return 0;
    const auto first = static_cast<unsigned char>(text[1]);
    if (!is_letter(first) && first != '/' && first != '!' && first != '?') return 0;
    const std::size_t end = text.substr(0, tag_bytes_max).find('>');
    return end == std::string_view::npos ? 0 : end + 1;
}

struct Entity {
    std::string_view name, text;
};
constexpr std::array<Entity, 7> entities = {
    {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&#39;", "'"}, {"&nbsp;", " "}}};

/// Behind "](…)" or "][…]" at the start of `text`; 0 when it is none.
std::size_t link_target_bytes(std::string_view text)
{
    if (text.size() < 3 || text[0] != ']' || (text[1] != '(' && text[1] != '[')) return 0;
    const char open = text[1], close = open == '(' ? ')' : ']';
    int depth = 0;
    for (std::size_t i = 1; i < text.size() && i < label_bytes_max; ++i) {
        if (text[i] == open) ++depth;
        if (text[i] == close && --depth == 0) return i + 1;
    }
    return 0;
}

/// One pass over a line.
class Pass {
public:
    explicit Pass(std::string_view line) : line_(line) {}

    std::string run()
    {
        while (at_ < line_.size()) step();
        return std::move(out_);
    }
    void skip_address() { address_end_ = at_ = address_bytes(line_); }
    bool ended_in_address() const { return address_end_ == line_.size() && !line_.empty(); }

private:
    std::string_view rest() const { return line_.substr(at_); }
    char32_t peek(std::size_t bytes) const { return at_ + bytes < line_.size() ? code_point_at(line_, at_ + bytes).value : ' '; }

    /// Takes `bytes` as they are.
    void keep(std::size_t bytes)
    {
        for (const std::size_t end = at_ + bytes; at_ < end;) {
            const CodePoint c = code_point_at(line_, at_);
            if (is_control(c.value) || is_space(c.value)) out_ += ' ';
            else if (!is_invisible(c.value)) out_.append(line_.substr(at_, c.bytes));
            before_ = c.value;
            at_ += c.bytes;
        }
    }
    void drop(std::size_t bytes) { at_ += bytes; }

    void step()
    {
        const CodePoint c = code_point_at(line_, at_);
        if (is_keycap()) return;
        if (is_emoji(c.value)) return drop_as(c);
        if (c.value >= 0x80) return is_laughter(c.value) ? laughter() : keep(c.bytes);
        switch (static_cast<char>(c.value)) {
        case '\\': return escape();
        case '`': return code();
        case '*':
        case '_':
        case '~': return emphasis(static_cast<char>(c.value));
        case '<': return tag();
        case '&': return entity();
        case '!': return peek(1) == '[' && rest().find("](") != std::string_view::npos ? drop(1) : keep(1);
        case '[': return bracket();
        case ']': return link_target();
        case '^': return face();
        case ':':
        case ';': return smiley();
        case '|': return is_word(before_) && is_word(peek(1)) ? keep(1) : drop(1);  // of a table's row that was cut
        default: return word(c);
        }
    }

    /// A picture between two words is a space between them.
    void drop_as(CodePoint c)
    {
        if (is_word(before_) && is_word(peek(c.bytes))) out_ += ' ';
        at_ += c.bytes;
    }

    /// 1️⃣
    bool is_keycap()
    {
        const std::string_view text = rest();
        const auto first = static_cast<unsigned char>(text.front());
        if (!is_digit(first) && first != '#' && first != '*') return false;
        for (const std::string_view tail : {"\u20E3", "\uFE0F\u20E3"})
            if (text.substr(1).starts_with(tail)) {
                drop(1 + tail.size());
                return true;
            }
        return false;
    }

    void laughter()
    {
        std::size_t end = at_;
        std::size_t letters = 0;
        while (end < line_.size() && is_laughter(code_point_at(line_, end).value)) {
            end += code_point_at(line_, end).bytes;
            ++letters;
        }
        // One alone may be spoken of, but not behind a word ("네ㅋ").
        if (letters > 1 || is_hangul(before_)) at_ = end;
        else keep(end - at_);
    }

    void escape()
    {
        drop(1);
        if (at_ < line_.size() && is_ascii_punctuation(static_cast<unsigned char>(line_[at_]))) keep(1);
    }

    void code()
    {
        std::size_t ticks = rest().find_first_not_of('`');
        if (ticks == std::string_view::npos) ticks = rest().size();
        drop(ticks);
        const std::size_t end = line_.find(std::string(ticks, '`'), at_);
        if (end == std::string_view::npos) return;
        keep(end - at_);
        drop(ticks);
    }

    void emphasis(char mark)
    {
        std::size_t marks = rest().find_first_not_of(mark);
        if (marks == std::string_view::npos) marks = rest().size();
        const char32_t after = peek(marks);
        const bool between_words = is_word(before_) && is_word(after);
        const bool between_spaces = is_space(before_) && is_space(after);
        bool is_mark = marks > 1 || !between_spaces;
        if (mark == '_') is_mark = !between_words;                                             // snake_case
        if (mark == '~') is_mark = marks > 1;                                                  // 3~5
        if (mark == '*' && marks == 1 && is_digit(before_) && is_digit(after)) is_mark = false;  // 2*3
        if (is_mark) drop(marks);
        else keep(marks);
    }

    void tag()
    {
        const std::size_t bytes = tag_bytes(rest());
        if (bytes == 0) return keep(1);
        if (rest().starts_with("<br") || rest().starts_with("</p") || rest().starts_with("</li")) out_ += ' ';
        drop(bytes);
    }

    void entity()
    {
        for (const Entity& known : entities)
            if (rest().starts_with(known.name)) {
                out_ += known.text;
                before_ = static_cast<unsigned char>(known.text.front());
                return drop(known.name.size());
            }
        keep(1);
    }

    /// Footnotes go; the bracket of a link goes, and its words stay.
    void bracket()
    {
        const std::size_t end = rest().substr(0, label_bytes_max).find(']');
        if (peek(1) == '^' && end != std::string_view::npos) return drop(end + 1);
        if (end != std::string_view::npos && link_target_bytes(rest().substr(end)) > 0) return drop(1);
        keep(1);
    }

    void link_target()
    {
        const std::size_t bytes = link_target_bytes(rest());
        if (bytes > 0) drop(bytes);
        else keep(1);
    }

    void face()
    {
        for (const std::string_view known : {"^_^", "^^", "^-^"})
            if (rest().starts_with(known)) return drop(known.size());
        keep(1);
    }

    void smiley()
    {
        if (!is_word(before_))
            for (const std::string_view known : {":)", ":-)", ";)", ";-)", ":(", ":-(", ":D", ":P"})
                if (rest().starts_with(known) && !is_word(peek(known.size()))) return drop(known.size());
        keep(1);
    }

    void word(CodePoint c)
    {
        if (!is_word(before_) || before_ >= 0x80) {
            std::size_t bytes = web_address_bytes(rest());
            if (bytes == 0) bytes = mail_address_bytes(rest());
            if (bytes > 0) {
                address_end_ = at_ + bytes;
                before_ = ' ';
                return drop(bytes);
            }
        }
        keep(c.bytes);
    }

    std::string_view line_;
    std::size_t at_ = 0;
    std::size_t address_end_ = 0;
    char32_t before_ = ' ';  ///< the character that stands before, dropped marks not counted
    std::string out_;
};

}  // namespace

std::string spoken_inline(std::string_view line, bool& in_address)
{
    Pass pass(line);
    if (in_address) pass.skip_address();
    std::string text = pass.run();
    in_address = pass.ended_in_address();
    return text;
}

}  // namespace repartee::engine
