#include "frame_checker.hpp"

#include <algorithm>
#include <cstring>

namespace repartee::bench {

FrameChecker::FrameChecker(Stream stream, std::uint32_t session, std::size_t frame_bytes)
    : stream_(stream), session_(session), frame_bytes_(frame_bytes)
{
}

bool FrameChecker::take(std::span<const std::byte>& bytes)
{
    if (filled_ < tag_bytes) {
        take_tag(bytes);
        return false;
    }
    return take_noise(bytes);
}

void FrameChecker::take_tag(std::span<const std::byte>& bytes)
{
    const std::size_t n = std::min(tag_bytes - filled_, bytes.size());
    std::memcpy(head_.data() + filled_, bytes.data(), n);
    filled_ += n;
    bytes = bytes.subspan(n);
    while (filled_ == tag_bytes) {
        const auto tag = read_tag(head_);
        if (tag && is_ours(*tag)) return accept(*tag);
        // Slides on until a tag fits again: rare, so a byte at a time will do.
        searching_ = true;
        std::memmove(head_.data(), head_.data() + 1, tag_bytes - 1);
        filled_ = tag_bytes - 1;
    }
}

bool FrameChecker::is_ours(const FrameTag& tag) const
{
    if (tag.stream != stream_ || (session_ != 0 && tag.session != session_)) return false;
    return stream_ == Stream::microphone || cell_of(tag.sequence) < tag.cells;
}

std::uint32_t FrameChecker::missing_before(const FrameTag& tag) const
{
    if (stream_ == Stream::microphone || reply_of(tag.sequence) == reply_of(next_)) return tag.sequence - next_;
    const std::uint32_t rest = cell_of(next_) == 0 ? 0 : cells_ - cell_of(next_);
    return rest + cell_of(tag.sequence);  // of replies in between nothing is known
}

void FrameChecker::accept(const FrameTag& tag)
{
    session_ = tag.session;
    begun_ = true;
    tag_ = tag;
    const bool cut = may_be_cut_ && stream_ == Stream::reply && reply_of(tag.sequence) > reply_of(next_) && cell_of(tag.sequence) == 0;
    if (cut) {
        searching_ = false;
        next_ = tag.sequence;
    }
    if (cell_of(tag.sequence) == 0) may_be_cut_ = false;
    if (tag.sequence < next_) {
        ++integrity_.reordered;
        if (integrity_.lost > 0) --integrity_.lost;  // it had been missed
        searching_ = false;
        return;
    }
    std::uint32_t missing = missing_before(tag);
    if (searching_) {
        // What came in place of the frame was it, spoilt.
        ++integrity_.altered;
        if (missing > 0) --missing;
        searching_ = false;
    }
    integrity_.lost += missing;
    cells_ = tag.cells;
    const bool last_cell = stream_ == Stream::reply && cell_of(tag.sequence) + 1 == tag.cells;
    next_ = last_cell ? reply_sequence(reply_of(tag.sequence) + 1, 0) : tag.sequence + 1;
}

bool FrameChecker::take_noise(std::span<const std::byte>& bytes)
{
    const auto part = bytes.first(std::min(frame_bytes_ - filled_, bytes.size()));
    const std::size_t right = matching_noise(tag_, filled_ - tag_bytes, part);
    filled_ += right;
    bytes = bytes.subspan(right);
    if (right < part.size()) {
        searching_ = true;
        filled_ = 0;
        return false;
    }
    if (filled_ < frame_bytes_) return false;
    filled_ = 0;
    return true;
}

void FrameChecker::restart()
{
    filled_ = 0;
    searching_ = false;
}

void FrameChecker::finish(std::uint32_t sent)
{
    if (filled_ > 0 || searching_) {
        ++integrity_.altered;
        if (filled_ < tag_bytes && next_ < sent) ++next_;
        restart();
    }
    if (next_ < sent) integrity_.lost += sent - next_;
    next_ = std::max(next_, sent);
}

void FrameChecker::finish_reply()
{
    if (!inside_reply() || may_be_cut_) return;
    if (cell_of(next_) != 0) integrity_.lost += cells_ - cell_of(next_);
    restart();
}

}  // namespace repartee::bench
