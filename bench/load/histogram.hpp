#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace repartee::bench {

/// Counts durations in buckets that grow with them: 64 a power of two, so a quantile is right to 1.6 %. Adding is a shift and an increment.
class Histogram {
public:
    void add(std::int64_t ns)
    {
        const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0));
        ++counts_[bucket_of(value)];
        ++count_;
        sum_ += value;
        max_ = std::max(max_, value);
    }

    void add(const Histogram& other)
    {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
        count_ += other.count_;
        sum_ += other.sum_;
        max_ = std::max(max_, other.max_);
    }

    /// The smallest value that `part` of all are not above; 0 when there are none.
    double quantile_ns(double part) const
    {
        const auto wanted = static_cast<std::uint64_t>(std::ceil(part * static_cast<double>(count_)));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= std::max<std::uint64_t>(wanted, 1)) return static_cast<double>(std::min(upper_bound_of(i), max_));
        }
        return 0;
    }

    std::uint64_t count() const { return count_; }
    double max_ns() const { return static_cast<double>(max_); }
    double mean_ns() const { return count_ ? static_cast<double>(sum_) / static_cast<double>(count_) : 0; }

private:
    static constexpr unsigned sub_bits = 6;
    static constexpr std::size_t subs = std::size_t{1} << sub_bits;

    static std::size_t bucket_of(std::uint64_t value)
    {
        if (value < subs) return static_cast<std::size_t>(value);
        const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - sub_bits - 1;
        return (shift + 1) * subs + static_cast<std::size_t>((value >> shift) - subs);
    }
    static std::uint64_t upper_bound_of(std::size_t bucket)
    {
        if (bucket < subs) return bucket;
        const std::size_t shift = bucket / subs - 1;
        return ((subs + bucket % subs + 1) << shift) - 1;
    }

    std::array<std::uint64_t, (64 - sub_bits + 1) * subs> counts_{};
    std::uint64_t count_ = 0, sum_ = 0, max_ = 0;
};

}  // namespace repartee::bench
