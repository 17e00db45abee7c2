#pragma once
#include "repartee/providers/create.hpp"

#include <string_view>

namespace repartee::providers {

/// `The {role} service {host} answered {status}: "{words}". {mend}`; the words cut to 300 characters, keys taken out; upstream_code is the service's
/// own. Pure.
Error http_refusal(std::string_view role, const HttpSettings& settings, std::string_view host, int status, std::string_view body);

}  // namespace repartee::providers
