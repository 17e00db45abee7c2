#pragma once
#include "repartee/app/config.hpp"
#include "repartee/engine/local_upstream.hpp"
#include "repartee/providers/create.hpp"

#include <memory>

namespace repartee::app {

/// The engine built in, with the services of one worker.
std::unique_ptr<upstream::Source> local_source(const Config& config, asio::any_io_executor executor, providers::Roles roles,
                                               providers::RoleSettings chains, Metrics& metrics);

}  // namespace repartee::app
