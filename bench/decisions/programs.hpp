#pragma once
#include "options.hpp"

namespace decisions {

/// Each returns when all its connections are closed.
int run_echo(const Options& options);
int run_load(const Options& options);
int run_relay(const Options& options);

}  // namespace decisions
