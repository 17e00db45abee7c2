#pragma once
#include "repartee/app/config.hpp"
#include "repartee/characters/character.hpp"
#include "repartee/engine/local_upstream.hpp"
#include "repartee/providers/create.hpp"

#include <mutex>
#include <set>
#include <string>
#include <vector>

/// Which of the configured services a character gets.
namespace repartee::app {

/// Who speaks for a character, or for nobody (null), in the engine built in: `roles` as the character chooses among `chains`.
engine::LocalRoles cast(const characters::Character* character, const providers::Roles& roles, const providers::RoleSettings& chains);

/// Tells of characters who want a provider that is not configured: they get those that are. Each of them once, however often it is loaded.
class UnknownProviders {
public:
    explicit UnknownProviders(const Config& config);
    void tell(const std::vector<characters::Character>& characters);

private:
    std::mutex mutex_;
    std::set<std::string> known_;
    std::set<std::string> told_;  ///< at most nine a character
};

}  // namespace repartee::app
