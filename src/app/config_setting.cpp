#include "config_table.hpp"

#include "repartee/base/quoted.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <numeric>

namespace repartee::app {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;  // clang 14, which builds the fuzzers, does not deduce it by itself

std::string unit_of(std::string_view key)
{
    if (key.ends_with("_ms")) return " of ms";
    if (key.find("_bytes") != key.npos) return " of bytes";
    if (key.ends_with("_hz")) return " of Hz";
    return "";
}

// NaN is in no range.
bool is_within(double value, const Setting& setting) { return value >= setting.min && value <= setting.max; }

bool is_a_choice(const std::string& text, const Setting& setting)
{
    return setting.choices.empty() || std::ranges::find(setting.choices, text) != setting.choices.end();
}

bool has_control_characters(std::string_view text)
{
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

template <class T>
std::optional<T> parse_number(std::string_view text)
{
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<bool> parse_bool(std::string_view text)
{
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    return std::nullopt;
}

std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

std::string join_choices(const std::vector<std::string>& choices)
{
    std::vector<std::string> shown;
    for (const std::string& choice : choices) shown.push_back(choice.empty() ? "empty" : choice);
    return fmt::format("{}", fmt::join(shown, ", "));
}

}  // namespace

std::string Setting::environment_name() const
{
    std::string name = "REPARTEE_" + section + "__" + key;
    std::ranges::transform(name, name.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return name;
}

SettingValue Setting::value() const
{
    return std::visit([](const auto* t) { return SettingValue(*t); }, target);
}

std::string Setting::accepted() const
{
    if (!choices.empty()) return "one of " + join_choices(choices);
    return std::visit(Overloaded{
                          [&](const std::string*) -> std::string { return path ? "a path" : "text"; },
                          [&](const std::int64_t*) {
                              return fmt::format("a whole number{} from {:.0f} to {:.0f}", unit_of(key), min, max);
                          },
                          [&](const double*) { return fmt::format("a number from {} to {}", min, max); },
                          [&](const bool*) -> std::string { return "true or false"; },
                      },
                      target);
}

std::optional<std::string> Setting::assign(const SettingValue& given)
{
    const auto refused = [&] { return std::optional("expected " + accepted()); };
    return std::visit(
        Overloaded{
            [&](std::string* t) -> std::optional<std::string> {
                const auto* text = std::get_if<std::string>(&given);
                if (!text || !is_a_choice(*text, *this)) return refused();
                if (!is_utf8(*text) || has_control_characters(*text)) return "expected text without control characters, in UTF-8";
                *t = *text;
                return std::nullopt;
            },
            [&](std::int64_t* t) -> std::optional<std::string> {
                const auto* number = std::get_if<std::int64_t>(&given);
                if (!number) return refused();
                if (choices.empty() ? !is_within(static_cast<double>(*number), *this) : !is_a_choice(std::to_string(*number), *this))
                    return refused();
                *t = *number;
                return std::nullopt;
            },
            [&](double* t) -> std::optional<std::string> {
                const auto* whole = std::get_if<std::int64_t>(&given);
                const auto* number = std::get_if<double>(&given);
                if (!whole && !number) return refused();
                const double value = whole ? static_cast<double>(*whole) : *number;
                if (!is_within(value, *this)) return refused();
                *t = value;
                return std::nullopt;
            },
            [&](bool* t) -> std::optional<std::string> {
                const auto* flag = std::get_if<bool>(&given);
                if (!flag) return refused();
                *t = *flag;
                return std::nullopt;
            },
        },
        target);
}

std::optional<std::string> Setting::assign_text(std::string_view given)
{
    const auto assign_parsed = [&](const auto& parsed) -> std::optional<std::string> {
        if (!parsed) return "expected " + accepted();
        return assign(SettingValue(*parsed));
    };
    return std::visit(Overloaded{
                          [&](std::string*) { return assign(SettingValue(std::string(given))); },
                          [&](std::int64_t*) { return assign_parsed(parse_number<std::int64_t>(given)); },
                          [&](double*) { return assign_parsed(parse_number<double>(given)); },
                          [&](bool*) { return assign_parsed(parse_bool(given)); },
                      },
                      target);
}

std::string to_toml(const SettingValue& value)
{
    return std::visit(Overloaded{
                          [](const std::string& text) { return quoted(text); },
                          [](double number) {
                              std::string text = fmt::format("{}", number);
                              // TOML tells floats from integers by the point.
                              if (text.find_first_of(".en") == text.npos) text += ".0";
                              return text;
                          },
                          [](auto other) { return fmt::to_string(other); },
                      },
                      value);
}

std::string_view nearest(std::string_view name, const std::vector<std::string>& candidates)
{
    if (candidates.empty()) return {};
    // A name of any length may stand in the environment; what decides is at its front.
    name = name.substr(0, 200);
    return *std::ranges::min_element(candidates, {}, [&](const std::string& candidate) { return edit_distance(name, candidate); });
}

}  // namespace repartee::app
