#pragma once
#include "repartee/characters/character.hpp"

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace repartee::characters {

/// All characters at one moment; never changed once published.
class Snapshot {
public:
    explicit Snapshot(std::vector<Character> characters);  ///< sorted by id inside; of two with one id the later stays
    const Character* find(std::string_view id) const;
    const std::vector<Character>& all() const { return characters_; }

private:
    std::vector<Character> characters_;
};

/// The published snapshot. Readers on any thread keep theirs as long as they like; the lock is held for the copy of a pointer only,
/// so the audio path never waits for a writer's work. (Not std::atomic<std::shared_ptr>: GCC 12's load releases with relaxed order, a data race with store.)
class Catalogue {
public:
    std::shared_ptr<const Snapshot> snapshot() const
    {
        const std::lock_guard lock(mutex_);
        return current_;
    }
    void publish(std::vector<Character> characters);

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Snapshot> current_ = std::make_shared<const Snapshot>(std::vector<Character>{});
};

}  // namespace repartee::characters
