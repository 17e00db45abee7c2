#pragma once
#include "repartee/app/config.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::app {

/// Where a setting got its value: "repartee.toml:3", "REPARTEE_SERVER__LISTEN", "command line", "default".
using SourceOf = std::function<std::string(std::string_view name)>;

/// What no single setting shows: addresses, files that must exist, settings that go together. Empty: all is well.
std::vector<std::string> cross_check(const Config& config, const SourceOf& source_of);

/// OpenAI's own service, which wants a key. Any case.
bool is_openai_host(std::string_view host);

}  // namespace repartee::app
