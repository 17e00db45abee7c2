#include "repartee/providers/think_filter.hpp"

#include <algorithm>
#include <iterator>

namespace repartee::providers {
namespace {

constexpr std::string_view opening[] = {"<think>", "<thinking>"};
constexpr std::string_view closing[] = {"</think>", "</thinking>"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool begins_alike(std::string_view text, std::string_view tag)
{
    const std::size_t shared = std::min(text.size(), tag.size());
    return std::equal(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(shared), tag.begin(), [](char a, char b) { return lower(a) == b; });
}

struct Look {
    std::size_t at = std::string_view::npos;  ///< where a tag begins, or may begin
    std::size_t bytes = 0;                    ///< of the whole tag; 0: it is not all there yet
};

/// The first place where one of the tags stands, or where the end of the text may be the beginning of one.
Look find_tag(std::string_view text, const std::string_view (&tags)[2])
{
    for (std::size_t at = text.find('<'); at != std::string_view::npos; at = text.find('<', at + 1)) {
        const std::string_view here = text.substr(at);
        for (const std::string_view tag : tags) {
            if (!begins_alike(here, tag)) continue;
            return Look{at, here.size() >= tag.size() ? tag.size() : 0};
        }
    }
    return {};
}

bool is_white(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

}  // namespace

void ThinkFilter::leave_thought()
{
    inside_ = false;
    trim_start_ = !anything_out_;
}

std::string_view ThinkFilter::push(std::string_view delta)
{
    out_.clear();
    held_ += delta;
    for (;;) {
        const Look tag = find_tag(held_, inside_ ? closing : opening);
        const std::size_t before = std::min(tag.at, held_.size());
        if (!inside_) {
            std::string_view shown = std::string_view(held_).substr(0, before);
            while (trim_start_ && !shown.empty() && is_white(shown.front())) shown.remove_prefix(1);
            if (!shown.empty()) trim_start_ = false;
            anything_out_ = anything_out_ || !std::ranges::all_of(shown, is_white);
            out_ += shown;
        }
        held_.erase(0, before + tag.bytes);
        if (tag.bytes == 0) return out_;
        if (inside_)
            leave_thought();
        else
            inside_ = true;
    }
}

std::string_view ThinkFilter::finish()
{
    out_.clear();
    if (!inside_) out_ = held_;
    held_.clear();
    return out_;
}

}  // namespace repartee::providers
