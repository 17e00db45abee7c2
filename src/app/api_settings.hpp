#pragma once
#include "repartee/api/services.hpp"
#include "repartee/app/config.hpp"

namespace repartee::app {

/// The configuration as the routes want it. Without voice_ids, which stand in a file of their own.
api::Settings api_settings(const Config& config);

}  // namespace repartee::app
