#pragma once
#include <concepts>
#include <fmt/format.h>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

/// Structured log: one line a record, `time level event key=value …` or JSON, to standard error.
/// Never pass a secret: the log does not know which values are.
namespace repartee::log {

enum class Level { debug, info, warn, error, off };

/// Set once at start, before other threads run.
void configure(Level level, bool json);
bool enabled(Level level);

/// A key with its value already as text. Values are quoted and cut (at 2 KiB) as needed when written.
struct Field {
    std::string_view key;
    std::string value;
    bool literal = false;  ///< a number or a bool: no quotes in JSON
    Field(std::string_view k, std::string_view v) : key(k), value(v) {}
    Field(std::string_view k, const char* v) : key(k), value(v) {}
    Field(std::string_view k, const std::string& v) : key(k), value(v) {}
    template <class T>
        requires std::is_arithmetic_v<T>
    Field(std::string_view k, T v) : key(k), value(fmt::to_string(v)), literal(!std::same_as<T, char>) {}
};

/// Writes one record in one write(2). `event` is a fixed word such as "session.start". Thread-safe.
/// Identical events beyond 50 a second are counted, and the count is written when the second is over.
void write(Level level, std::string_view event, std::initializer_list<Field> fields = {});
/// Writes the counts at once: for the end of the program.
void flush_counts();

inline void debug(std::string_view event, std::initializer_list<Field> fields = {}) { if (enabled(Level::debug)) write(Level::debug, event, fields); }
inline void info(std::string_view event, std::initializer_list<Field> fields = {}) { if (enabled(Level::info)) write(Level::info, event, fields); }
inline void warn(std::string_view event, std::initializer_list<Field> fields = {}) { if (enabled(Level::warn)) write(Level::warn, event, fields); }
inline void error(std::string_view event, std::initializer_list<Field> fields = {}) { if (enabled(Level::error)) write(Level::error, event, fields); }

}  // namespace repartee::log
