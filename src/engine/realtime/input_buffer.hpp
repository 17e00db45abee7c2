#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace repartee::engine {

/// The input audio buffer: 24 kHz samples not yet committed. Positions count from the session's first sample and never restart, so they are
/// the service's audio_start_ms and audio_end_ms. Bounded: the oldest audio goes first.
class InputBuffer {
public:
    explicit InputBuffer(std::size_t samples_max) : samples_max_(samples_max) {}

    void append(std::span<const std::int16_t> samples);
    std::uint64_t begin() const { return begin_; }
    std::uint64_t end() const { return begin_ + size(); }
    std::size_t size() const { return samples_.size() - head_; }

    /// The kept samples in [from, to); everything before `to` leaves the buffer.
    std::vector<std::int16_t> take(std::uint64_t from, std::uint64_t to);
    void drop_before(std::uint64_t position);
    void clear() { drop_before(end()); }

private:
    std::size_t samples_max_;
    std::uint64_t begin_ = 0;
    std::vector<std::int16_t> samples_;
    std::size_t head_ = 0;  ///< dropped samples still at the front of samples_: moved away once they are the larger half
};

}  // namespace repartee::engine
