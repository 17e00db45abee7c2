#pragma once
#include "repartee/base/clock.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <list>
#include <optional>
#include <string>

namespace repartee::voice {

struct ShelvedReply {
    std::shared_ptr<const std::string> bytes;
    std::string content_type;
};

/// Finished answers that a JSON reply links to, in memory: bounded in bytes and age, the oldest go first. Thread-safe.
class ReplyShelf {
public:
    ReplyShelf(std::size_t bytes_max, milliseconds age_max) : bytes_max_(bytes_max), age_max_(age_max) {}

    /// The id under which it can be had: unguessable. Larger than the shelf: nullopt.
    std::optional<std::string> put(std::string bytes, std::string content_type, Instant now);
    std::optional<ShelvedReply> find(const std::string& id, Instant now);

private:
    struct Entry {
        std::string id;
        ShelvedReply reply;
        Instant put_at;
    };
    std::size_t bytes_max_;
    milliseconds age_max_;
    std::mutex mutex_;
    std::list<Entry> entries_;
    std::size_t bytes_ = 0;
};

}  // namespace repartee::voice
