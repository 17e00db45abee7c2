#include "repartee/net/text_lines.hpp"

#include <algorithm>

namespace repartee::net {

void TextLines::skip_newline()
{
    if (!skip_newline_ || taken_ == unread_.size()) return;
    skip_newline_ = false;
    if (unread_[taken_] == '\n') ++taken_;
    searched_ = std::max(searched_, taken_);
}

Result<std::optional<std::string_view>> TextLines::next()
{
    skip_newline();
    const std::size_t end = unread_.find_first_of("\r\n", searched_);
    const bool complete = end != std::string::npos;
    const std::size_t line_bytes = (complete ? end : unread_.size()) - taken_;
    if (line_bytes > line_bytes_max_)
        return Error{Code::too_large, "A line of text is longer than " + std::to_string(line_bytes_max_) + " bytes. Send shorter lines."};
    if (!complete) {
        unread_.erase(0, taken_);
        taken_ = 0;
        searched_ = unread_.size();
        return std::optional<std::string_view>();
    }
    const auto line = std::string_view(unread_).substr(taken_, line_bytes);
    skip_newline_ = unread_[end] == '\r';
    taken_ = searched_ = end + 1;
    return std::optional(line);
}

std::optional<std::string_view> TextLines::rest()
{
    skip_newline();
    const auto line = std::string_view(unread_).substr(taken_);
    taken_ = searched_ = unread_.size();
    if (line.empty()) return std::nullopt;
    return line;
}

}  // namespace repartee::net
