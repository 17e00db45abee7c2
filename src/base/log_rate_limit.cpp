#include "log_rate_limit.hpp"

#include <algorithm>
#include <utility>

namespace repartee::log {
namespace {

constexpr auto second = std::chrono::seconds(1);

}  // namespace

bool RateLimit::admit(std::string_view event, Level level, Instant now)
{
    Word& w = word(event, now);
    if (now - w.second_began >= second) {
        w.second_began = now;
        w.written = 0;
    }
    if (w.written < records_a_second) {
        ++w.written;
        return true;
    }
    if (w.suppressed++ == 0) {
        ++suppressing_;
        w.level = level;
    }
    w.level = std::max(w.level, level);
    return false;
}

std::vector<RateLimit::Suppressed> RateLimit::take_counts(Instant now)
{
    std::vector<Suppressed> taken;
    if (suppressing_ == 0) return taken;
    for (Word& w : words_) {
        if (w.suppressed == 0 || now - w.second_began < second) continue;
        taken.push_back({w.event, w.level, std::exchange(w.suppressed, 0)});
        --suppressing_;
    }
    return taken;
}

RateLimit::Word& RateLimit::word(std::string_view event, Instant now)
{
    const auto found = std::ranges::find(words_, event, &Word::event);
    if (found != words_.end()) return *found;
    if (words_.size() < words_max) return words_.emplace_back(Word{.event = std::string(event), .second_began = now});
    // Event words are fixed in the code and far fewer than this; should they not be, the one unused for longest gives its
    // place, and if all are in use, this word shares the fate of the last.
    const auto oldest = std::ranges::min_element(words_, {}, &Word::second_began);
    if (oldest->suppressed > 0 || now - oldest->second_began < second) return words_.back();
    *oldest = Word{.event = std::string(event), .second_began = now};
    return *oldest;
}

}  // namespace repartee::log
