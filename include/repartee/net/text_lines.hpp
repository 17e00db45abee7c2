#pragma once
#include "repartee/base/error.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace repartee::net {

/// Bytes as they come → lines without their end. "\n", "\r\n" and "\r" end a line, also when cut between two pieces. Pure.
class TextLines {
public:
    explicit TextLines(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

    void feed(std::string_view bytes) { unread_ += bytes; }
    /// The next line, valid until the next call; nullopt: more bytes are needed. Code::too_large: a line over the limit.
    Result<std::optional<std::string_view>> next();
    /// After the last feed, when next() has no more: the unfinished last line, when there is one.
    std::optional<std::string_view> rest();

private:
    void skip_newline();

    std::size_t line_bytes_max_;
    std::string unread_;
    std::size_t taken_ = 0;      ///< bytes of unread_ already handed out
    std::size_t searched_ = 0;   ///< bytes of unread_ that hold no further line end: a long line in many pieces is searched once
    bool skip_newline_ = false;  ///< a "\r" ended the last line: a "\n" right behind it belongs to it
};

}  // namespace repartee::net
