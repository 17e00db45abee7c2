#include "field_reader.hpp"

#include "repartee/base/quoted.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace repartee::realtime {
namespace {

constexpr std::size_t quoted_bytes_max = 64;

std::string_view kind_text(const json::value& v)
{
    switch (v.kind()) {
    case boost::json::kind::null: return "null";
    case boost::json::kind::bool_: return "a boolean";
    case boost::json::kind::string: return "a string";
    case boost::json::kind::array: return "an array";
    case boost::json::kind::object: return "an object";
    default: return "a number";
    }
}

std::string_view view(const boost::json::string& s) { return {s.data(), s.size()}; }

std::string clipped(std::string_view text)
{
    const std::string_view prefix = utf8_prefix(text, quoted_bytes_max);
    return fmt::format("{}{}", prefix, prefix.size() < text.size() ? "…" : "");
}

}  // namespace

std::string quoted_value(std::string_view text) { return fmt::format("'{}'", clipped(text)); }

std::string quoted_words(std::span<const std::string_view> words)
{
    std::string text;
    for (const std::string_view word : words) text += fmt::format("{}'{}'", text.empty() ? "" : ", ", word);
    return text;
}

std::string indexed(std::string_view path, std::size_t index) { return fmt::format("{}[{}]", path, index); }

const json::value* FieldReader::get(std::string_view key)
{
    known_.push_back(key);
    return failed() ? nullptr : object_.if_contains({key.data(), key.size()});
}

const json::value* FieldReader::given(std::string_view key)
{
    const json::value* v = get(key);
    return v && !v->is_null() ? v : nullptr;
}

const json::value* FieldReader::required(std::string_view key)
{
    const json::value* v = given(key);
    if (!v) fail_missing(key);
    return v;
}

void FieldReader::read(std::string_view key, std::string& out)
{
    const json::value* v = given(key);
    if (!v) return;
    if (!v->is_string()) return fail_type(key, "a string", *v);
    out = view(v->get_string());
}

void FieldReader::read(std::string_view key, bool& out)
{
    const json::value* v = given(key);
    if (!v) return;
    if (!v->is_bool()) return fail_type(key, "a boolean", *v);
    out = v->get_bool();
}

void FieldReader::read(std::string_view key, double& out, double low, double high)
{
    const json::value* v = given(key);
    if (!v) return;
    if (!v->is_number()) return fail_type(key, "a number", *v);
    const double number = v->to_number<double>();
    if (!(number >= low && number <= high))
        return fail_value(key, fmt::format("{} is out of range. Send a number from {} to {}.", number, low, high));
    out = number;
}

void FieldReader::read(std::string_view key, std::int64_t& out, std::int64_t low, std::int64_t high)
{
    const json::value* v = given(key);
    if (!v) return;
    if (!v->is_number()) return fail_type(key, "an integer", *v);
    const double number = v->to_number<double>();
    const bool fits = number >= static_cast<double>(low) && number <= static_cast<double>(high) && number == std::floor(number);
    if (!fits) return fail_value(key, fmt::format("{} is not accepted. Send an integer from {} to {}.", number, low, high));
    out = static_cast<std::int64_t>(number);
}

void FieldReader::read_word(std::string_view key, std::string& out, std::span<const std::string_view> words)
{
    const json::value* v = given(key);
    if (!v) return;
    if (!v->is_string()) return fail_type(key, "a string", *v);
    const std::string_view word = view(v->get_string());
    if (std::find(words.begin(), words.end(), word) == words.end()) return fail_word(key, word, words);
    out = word;
}

void FieldReader::read_strings(std::string_view key, json::value& out)
{
    const json::array* elements = array(key);
    if (!elements) return;
    for (const json::value& element : *elements)
        if (!element.is_string()) return fail_type(key, "an array of strings", element);
    out = *elements;
}

const json::array* FieldReader::array(std::string_view key)
{
    const json::value* v = given(key);
    if (v && !v->is_array()) fail_type(key, "an array", *v);
    return v ? v->if_array() : nullptr;
}

std::optional<FieldReader> FieldReader::object(std::string_view key)
{
    const json::value* v = given(key);
    if (!v) return std::nullopt;
    if (const json::object* member = v->if_object()) return FieldReader(*member, path_of(key), first_error_);
    fail_type(key, "an object", *v);
    return std::nullopt;
}

json::object FieldReader::members() const
{
    json::object present;
    for (const auto& member : object_)
        if (!member.value().is_null()) present.emplace(member.key(), member.value());
    return present;
}

void FieldReader::refuse_others(std::span<const Mend> mends)
{
    for (const auto& member : object_) {
        const std::string_view key(member.key().data(), member.key().size());
        if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
        const auto mend = std::find_if(mends.begin(), mends.end(), [&](const Mend& m) { return m.key == key; });
        const std::string_view advice = mend == mends.end() ? "Leave it out." : mend->advice;
        const std::string param = path_of(clipped(key));
        return fail(Code::unknown_parameter, param, fmt::format("Unknown parameter: '{}'. {}", param, advice));
    }
}

void FieldReader::fail(Code code, std::string param, std::string message)
{
    if (!failed()) first_error_ = Error{code, std::move(message), std::move(param)};
}

void FieldReader::fail_value(std::string_view key, std::string_view reason)
{
    fail(Code::invalid_value, path_of(key), fmt::format("Invalid '{}': {}", path_of(key), reason));
}

void FieldReader::fail_missing(std::string_view key)
{
    fail(Code::missing_required_parameter, path_of(key), fmt::format("Missing required parameter: '{}'.", path_of(key)));
}

void FieldReader::fail_type(std::string_view key, std::string_view expected, const json::value& got)
{
    fail(Code::invalid_value, path_of(key),
         fmt::format("Invalid type for '{}': expected {}, but got {} instead.", path_of(key), expected, kind_text(got)));
}

void FieldReader::fail_word(std::string_view key, std::string_view got, std::span<const std::string_view> words)
{
    fail(Code::invalid_value, path_of(key),
         fmt::format("Invalid value: {} for '{}'. Supported values are: {}.", quoted_value(got), path_of(key), quoted_words(words)));
}

}  // namespace repartee::realtime
