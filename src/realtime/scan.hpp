#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

/// A JSON reader for hot events: walks the members of the top-level object, one pass, no allocation, no document.
/// Nested values are skipped: their strings and brackets are checked, their inner grammar is not.
namespace repartee::realtime::scan {

/// The first '"', '\\' or control character in [p, end); end when there is none. Each byte is looked at once: this is where the
/// time of a hot event goes.
const char* find_string_special(const char* p, const char* end) noexcept;

struct Text {
    std::string_view raw;  ///< between the quotes
    bool escaped = false;  ///< holds a backslash: `raw` is not the value
};

struct Value {
    enum class Kind { string, scalar, nested };
    Kind kind = Kind::scalar;
    Text text;               ///< string only
    std::string_view token;  ///< scalar only: number, true, false, null

    bool is_null() const { return kind == Kind::scalar && token == "null"; }
    bool is_plain_string() const { return kind == Kind::string && !text.escaped; }
    /// A plain integer; nullopt for anything else.
    std::optional<std::int64_t> integer() const;
};

class MemberReader {
public:
    enum class Step {
        member,     ///< key() and value() are set
        end,        ///< the object ended, and nothing but white space follows
        malformed,  ///< not such a document; the reader stays here
    };

    explicit MemberReader(std::string_view json) : p_(json.data()), end_(json.data() + json.size()) {}

    Step next();
    const Text& key() const { return key_; }
    const Value& value() const { return value_; }

private:
    enum class At { start, members, done };

    const char* p_;
    const char* end_;
    At at_ = At::start;
    Text key_;
    Value value_;
};

/// Sets `out` to the member's text, but for null and repetition (the first one wins). False: it is there in another form.
bool take_text(const Value& value, std::optional<std::string_view>& out);
bool take_integer(const Value& value, std::optional<std::int64_t>& out);

}  // namespace repartee::realtime::scan
