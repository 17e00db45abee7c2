#pragma once
#include "repartee/characters/character.hpp"
#include "repartee/providers/roles.hpp"
#include "repartee/relay/relay.hpp"

/// What a character says when its conversation cannot go on.
namespace repartee::api {

/// Korean for Korean characters, English for all others.
std::string last_words(const characters::Character& character);

/// Speaks with the worker's own voices, since the Realtime service is the one that is missing.
relay::Speak last_voice(const providers::Roles& roles, std::shared_ptr<const characters::Character> character);

}  // namespace repartee::api
