#include "repartee/base/log.hpp"

#include "log_format.hpp"
#include "log_rate_limit.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <span>
#include <vector>

namespace repartee::log {
namespace {

std::atomic<Level> lowest_level{Level::info};
std::atomic<bool> as_json{false};

// Held for a look at a small table, never during a write.
std::mutex rate_mutex;
RateLimit rate_limit;

void write_line(std::string_view line)
{
    while (!line.empty()) {
        const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;  // a log that cannot be written has nobody to tell
        line.remove_prefix(static_cast<std::size_t>(written));
    }
}

void write_record(Level level, std::string_view event, std::span<const Field> fields)
{
    const auto now = std::chrono::system_clock::now();
    write_line(as_json.load(std::memory_order_relaxed) ? format_json(now, level, event, fields) : format_text(now, level, event, fields));
}

void write_counts(const std::vector<RateLimit::Suppressed>& counts)
{
    for (const auto& suppressed : counts) {
        const Field fields[] = {{"of", suppressed.event}, {"count", suppressed.count}};
        write_record(suppressed.level, "log.suppressed", fields);
    }
}

}  // namespace

void configure(Level level, bool json)
{
    lowest_level.store(level, std::memory_order_relaxed);
    as_json.store(json, std::memory_order_relaxed);
}

bool enabled(Level level) { return level != Level::off && level >= lowest_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view event, std::initializer_list<Field> fields)
{
    if (!enabled(level)) return;
    std::vector<RateLimit::Suppressed> counts;
    bool admitted = false;
    {
        const auto now = std::chrono::steady_clock::now();
        const std::lock_guard lock(rate_mutex);
        counts = rate_limit.take_counts(now);
        admitted = rate_limit.admit(event, level, now);
    }
    write_counts(counts);
    if (admitted) write_record(level, event, {fields.begin(), fields.size()});
}

void flush_counts()
{
    std::vector<RateLimit::Suppressed> counts;
    {
        const std::lock_guard lock(rate_mutex);
        counts = rate_limit.take_counts(Instant::max());
    }
    write_counts(counts);
}

}  // namespace repartee::log
