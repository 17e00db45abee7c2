#pragma once
#include "repartee/characters/character.hpp"
#include "repartee/store/database.hpp"

#include <vector>

namespace repartee::store {

/// Table ai_characters. Calls run on the database thread and wait: start-up, reload and verbs only.
class CharacterRepository {
public:
    explicit CharacterRepository(Database& database) : database_(database) {}

    /// Insert or update, in one transaction. introduction_audio_url of an existing row is kept when the new one is empty.
    Result<void> upsert(const std::vector<characters::Character>& characters);
    Result<std::vector<characters::Character>> all();
    Result<void> set_introduction_audio_url(const std::string& id, const std::string& url);

private:
    Database& database_;
};

}  // namespace repartee::store
