#include "load_stats.hpp"

namespace repartee::bench {
namespace {

constexpr std::size_t messages_kept = 16;

}  // namespace

void LoadStats::count_error(const std::string& message)
{
    const bool known = errors.size() < messages_kept || errors.contains(message);
    ++errors[known ? message : "others"];
}

}  // namespace repartee::bench
