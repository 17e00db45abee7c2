#pragma once
#include "load_run.hpp"
#include "repartee/base/json.hpp"

#include <string>

namespace repartee::bench {

json::object report_connects(const LoadStats& stats);
/// Everything about one window.
json::object report_window(const LoadConfig& config, const WindowResult& result);
/// The same for people, a few lines.
std::string summary_of(const LoadConfig& config, const WindowResult& result);
std::string summary_of_connects(const LoadStats& stats);

}  // namespace repartee::bench
