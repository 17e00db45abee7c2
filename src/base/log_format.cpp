#include "log_format.hpp"

#include "repartee/base/quoted.hpp"

#include <fmt/format.h>

namespace repartee::log {
namespace {

std::string format_time(std::chrono::system_clock::time_point time)
{
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<milliseconds>(time - day));
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

std::string cut(std::string_view value)
{
    if (value.size() <= value_bytes_max) return std::string(value);
    return fmt::format("{}… ({} bytes)", utf8_prefix(value, value_bytes_max), value.size());
}

// JSON has no word for these.
bool is_not_finite(std::string_view number)
{
    return number.find("nan") != number.npos || number.find("inf") != number.npos;
}

}  // namespace

std::string_view name(Level level)
{
    switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warn: return "warn";
    case Level::error: return "error";
    case Level::off: break;
    }
    return "off";
}

std::string format_text(std::chrono::system_clock::time_point time, Level level, std::string_view event, std::span<const Field> fields)
{
    std::string line = fmt::format("{} {} {}", format_time(time), name(level), event);
    for (const Field& field : fields) {
        const std::string value = cut(field.value);
        line += fmt::format(" {}=", field.key);
        if (needs_quotes(value))
            append_quoted(line, value);
        else
            line += value;
    }
    line += '\n';
    return line;
}

std::string format_json(std::chrono::system_clock::time_point time, Level level, std::string_view event, std::span<const Field> fields)
{
    std::string line = fmt::format(R"({{"time":"{}","level":"{}","event":)", format_time(time), name(level));
    append_quoted(line, event);
    for (const Field& field : fields) {
        line += ',';
        append_quoted(line, field.key);
        line += ':';
        if (field.literal && !is_not_finite(field.value))
            line += field.value;
        else
            append_quoted(line, cut(field.value));
    }
    line += "}\n";
    return line;
}

}  // namespace repartee::log
