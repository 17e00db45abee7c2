#pragma once
#include "repartee/app/config.hpp"

namespace repartee::app {

/// `repartee serve`: runs until SIGINT or SIGTERM, then drains. Returns the exit status: 0 after an orderly end, 1 when it could not start.
int run_server(const Config& config);

}  // namespace repartee::app
