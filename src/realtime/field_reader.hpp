#pragma once
#include "repartee/base/json.hpp"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::realtime {

/// A member that a client may believe in, and what to do instead.
struct Mend {
    std::string_view key;
    std::string_view advice;
};

/// Reads the members of one JSON object into variables, and remembers the first mistake with the path of its field
/// ("session.audio.output.speed").
/// A reader leaves its variable alone when the member is absent or null, or after a mistake. Asking for a member makes it known;
/// refuse_others() then refuses what nobody asked for.
class FieldReader {
public:
    /// `object` and `first_error` outlive the reader.
    FieldReader(const json::object& object, std::string path, std::optional<Error>& first_error)
        : object_(object), path_(std::move(path)), first_error_(first_error)
    {
    }

    bool failed() const { return first_error_.has_value(); }
    const std::string& path() const { return path_; }
    std::string path_of(std::string_view key) const { return path_ + "." + std::string(key); }

    /// The member as it is (null too); nullptr when absent.
    const json::value* get(std::string_view key);
    /// The member; nullptr when absent or null.
    const json::value* given(std::string_view key);
    /// The same, and absence is a mistake.
    const json::value* required(std::string_view key);

    void read(std::string_view key, std::string& out);
    void read(std::string_view key, bool& out);
    void read(std::string_view key, double& out, double low, double high);
    void read(std::string_view key, std::int64_t& out, std::int64_t low, std::int64_t high);
    /// One of a few words.
    void read_word(std::string_view key, std::string& out, std::span<const std::string_view> words);
    /// An array of strings.
    void read_strings(std::string_view key, json::value& out);

    const json::array* array(std::string_view key);
    /// A reader of the member; none when it is absent, null or no object.
    std::optional<FieldReader> object(std::string_view key);

    /// The object without its null members: what is echoed must not say null where the schema knows absence only.
    json::object members() const;

    void refuse_others(std::span<const Mend> mends = {});

    void fail(Code code, std::string param, std::string message);
    /// Code::invalid_value, "Invalid '<path>': <reason and mend>".
    void fail_value(std::string_view key, std::string_view reason);
    void fail_missing(std::string_view key);
    void fail_type(std::string_view key, std::string_view expected, const json::value& got);
    void fail_word(std::string_view key, std::string_view got, std::span<const std::string_view> words);

private:
    const json::object& object_;
    std::string path_;
    std::optional<Error>& first_error_;
    std::vector<std::string_view> known_;
};

/// 'text' in quotes, clipped to a length fit for a message.
std::string quoted_value(std::string_view text);
/// "'a', 'b', 'c'"
std::string quoted_words(std::span<const std::string_view> words);
/// "tools[3]"
std::string indexed(std::string_view path, std::size_t index);

}  // namespace repartee::realtime
