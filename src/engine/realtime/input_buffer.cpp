#include "input_buffer.hpp"

#include <algorithm>

namespace repartee::engine {

void InputBuffer::append(std::span<const std::int16_t> samples)
{
    samples_.insert(samples_.end(), samples.begin(), samples.end());
    if (size() > samples_max_) drop_before(end() - samples_max_);
}

std::vector<std::int16_t> InputBuffer::take(std::uint64_t from, std::uint64_t to)
{
    to = std::clamp(to, begin_, end());
    from = std::clamp(from, begin_, to);
    const auto first = samples_.begin() + static_cast<std::ptrdiff_t>(head_);
    std::vector<std::int16_t> taken(first + static_cast<std::ptrdiff_t>(from - begin_), first + static_cast<std::ptrdiff_t>(to - begin_));
    drop_before(to);
    return taken;
}

void InputBuffer::drop_before(std::uint64_t position)
{
    position = std::clamp(position, begin_, end());
    head_ += static_cast<std::size_t>(position - begin_);
    begin_ = position;
    if (head_ * 2 < samples_.size()) return;
    samples_.erase(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
    constexpr std::size_t worth_keeping = 1 << 18;  // a long turn's memory is given back
    if (samples_.capacity() > worth_keeping && samples_.size() < samples_.capacity() / 4) samples_.shrink_to_fit();
}

}  // namespace repartee::engine
