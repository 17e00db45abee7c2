#include "repartee/voice/reply_shelf.hpp"

#include "repartee/base/ids.hpp"

#include <utility>

namespace repartee::voice {

std::optional<std::string> ReplyShelf::put(std::string bytes, std::string content_type, Instant now)
{
    if (bytes.size() > bytes_max_) return std::nullopt;
    Entry entry{make_id("reply_"), {std::make_shared<const std::string>(std::move(bytes)), std::move(content_type)}, now};
    const std::string id = entry.id;
    const std::lock_guard lock(mutex_);
    bytes_ += entry.reply.bytes->size();
    entries_.push_back(std::move(entry));
    while (bytes_ > bytes_max_ || now - entries_.front().put_at > age_max_) {
        bytes_ -= entries_.front().reply.bytes->size();
        entries_.pop_front();
    }
    return id;
}

std::optional<ShelvedReply> ReplyShelf::find(const std::string& id, Instant now)
{
    const std::lock_guard lock(mutex_);
    while (!entries_.empty() && now - entries_.front().put_at > age_max_) {
        bytes_ -= entries_.front().reply.bytes->size();
        entries_.pop_front();
    }
    for (const Entry& entry : entries_)
        if (entry.id == id) return entry.reply;
    return std::nullopt;
}

}  // namespace repartee::voice
