#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/base/log.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::log {

/// Lets 50 records a second of each event word pass and counts the others. Pure; not thread-safe.
class RateLimit {
public:
    static constexpr std::uint32_t records_a_second = 50;
    static constexpr std::size_t words_max = 256;

    struct Suppressed {
        std::string event;
        Level level = Level::info;  ///< the gravest of those not written
        std::uint64_t count = 0;
    };

    bool admit(std::string_view event, Level level, Instant now);
    /// What was not written, of the seconds that are over by `now` (Instant::max(): of all). Cheap when there is nothing.
    std::vector<Suppressed> take_counts(Instant now);

private:
    struct Word {
        std::string event;
        Instant second_began;
        std::uint32_t written = 0;
        std::uint64_t suppressed = 0;
        Level level = Level::debug;
    };
    Word& word(std::string_view event, Instant now);

    std::vector<Word> words_;
    std::size_t suppressing_ = 0;  ///< words with something suppressed
};

}  // namespace repartee::log
