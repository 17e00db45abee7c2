#include "repartee/characters/catalogue.hpp"

#include <algorithm>

namespace repartee::characters {

Snapshot::Snapshot(std::vector<Character> characters) : characters_(std::move(characters))
{
    const auto by_id = [](const Character& a, const Character& b) { return a.id < b.id; };
    const auto same_id = [](const Character& a, const Character& b) { return a.id == b.id; };
    // Of two with one id the later wins, as in the database.
    std::reverse(characters_.begin(), characters_.end());
    std::stable_sort(characters_.begin(), characters_.end(), by_id);
    characters_.erase(std::unique(characters_.begin(), characters_.end(), same_id), characters_.end());
}

const Character* Snapshot::find(std::string_view id) const
{
    const auto before = [](const Character& character, std::string_view wanted) { return character.id < wanted; };
    const auto at = std::lower_bound(characters_.begin(), characters_.end(), id, before);
    return at != characters_.end() && at->id == id ? &*at : nullptr;
}

void Catalogue::publish(std::vector<Character> characters)
{
    auto next = std::make_shared<const Snapshot>(std::move(characters));
    const std::lock_guard lock(mutex_);
    current_.swap(next);  // the old one, if nobody else has it, is destroyed after the lock is let go: `next` outlives it
}

}  // namespace repartee::characters
