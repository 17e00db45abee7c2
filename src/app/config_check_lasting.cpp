#include "config_problems.hpp"

#include <fmt/format.h>

namespace repartee::app {
namespace {

struct Named {
    std::string_view name;
    std::int64_t value;
};

/// `smaller` must be below `greater`; 0 of either is "off", and then nothing is compared.
void check_below(const Named& smaller, const Named& greater, std::string_view mend, Problems& problems)
{
    if (smaller.value == 0 || greater.value == 0 || smaller.value < greater.value) return;
    problems.refuse(smaller.name, fmt::format("= {} is not below {} = {}. {}", smaller.value, greater.name, greater.value, mend));
}

void check_not_above(const Named& smaller, const Named& greater, Problems& problems)
{
    if (smaller.value <= greater.value) return;
    problems.refuse(smaller.name,
                    fmt::format("= {} is greater than {} = {}. Swap or adapt them.", smaller.value, greater.name, greater.value));
}

}  // namespace

void check_lasting(const Config& config, Problems& problems)
{
    const Config::Recovery& recovery = config.recovery;
    check_below({"recovery.rotate_age_ms", recovery.rotate_age_ms}, {"recovery.rotate_force_age_ms", recovery.rotate_force_age_ms},
                "Leave some minutes between them, in which a quiet moment may come.", problems);
    check_not_above({"recovery.backoff_min_ms", recovery.backoff_min_ms}, {"recovery.backoff_max_ms", recovery.backoff_max_ms}, problems);
    const Config::TurnTaking& turns = config.turn_taking;
    check_below({"turn_taking.warning_ms", turns.warning_ms}, {"turn_taking.turn_ms_max", turns.turn_ms_max},
                "Warn later, or allow longer turns.", problems);
    check_below({"conversation.warning_ms", config.conversation.warning_ms}, {"conversation.limit_ms", config.conversation.limit_ms},
                "Warn later, or allow longer conversations.", problems);
    check_not_above({"recording.file_bytes_max", config.recording.file_bytes_max}, {"recording.total_bytes_max", config.recording.total_bytes_max},
                    problems);
}

}  // namespace repartee::app
