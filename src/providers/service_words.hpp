#pragma once
#include "repartee/base/json.hpp"

#include <optional>
#include <string>
#include <string_view>

/// What services say when they fail, in the many forms they have for it. Pure.
namespace repartee::providers {

/// The service's words; empty when there are none.
std::string service_words(const json::object& document);
/// Its own code ("insufficient_quota"); empty when there is none.
std::string service_code(const json::object& document);

/// An error that stands where an answer, or a piece of one, should: as Code::provider_failed. nullopt: it is none.
std::optional<Error> service_failure(const json::object& document, std::string_view who);

/// Some services quote the key they refuse, in parts or whole.
std::string without_keys(std::string text, std::string_view key);

}  // namespace repartee::providers
